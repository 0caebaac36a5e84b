"""Every write: typed functions with their own transactions."""
