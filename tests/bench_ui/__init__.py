"""How fast and how light the page is, against the figures it should reach: `make bench-ui`."""
