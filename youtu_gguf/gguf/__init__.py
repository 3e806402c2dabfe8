"""GGUF files: reading and checking headers, rows of the head, the vocabulary; writing."""
