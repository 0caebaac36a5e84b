"""`make audit`: known weaknesses of what is installed."""
