"""One image and what can be asked of it."""
