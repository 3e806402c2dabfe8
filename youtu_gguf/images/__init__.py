"""Pixels in: formats, orientation, focal length, the prepared size, enlarged crops."""
