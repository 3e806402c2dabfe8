"""A llama-server of this package's own: started, supervised, restarted, found again."""
