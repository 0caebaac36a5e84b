"""`make attack`: every attack in full, against servers of its own, with the figures it reached."""
