"""llama-servers that this package runs: started, supervised, restarted, found again."""
