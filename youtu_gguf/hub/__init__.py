"""Model files by name: found on this machine, pulled, listed, removed."""
