"""Data sets as they lie on disks."""
