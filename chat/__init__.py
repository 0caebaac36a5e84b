"""Live conversation about pictures: the Django app."""
