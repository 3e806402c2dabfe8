"""Model files: reading, checking and writing GGUF."""
