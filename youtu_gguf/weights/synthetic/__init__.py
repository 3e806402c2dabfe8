"""Model pairs of the exact architecture with random weights."""
