"""How a waiting reply gets answered. The only part of chat that knows `inference`."""
