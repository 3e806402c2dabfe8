"""Sharpening of dense scores along image edges. Nothing here yet."""
