"""The wiring of the site: settings, urls, servers. No product logic."""
