"""Model files by the names users give them: found on this machine, pulled, listed, removed."""
