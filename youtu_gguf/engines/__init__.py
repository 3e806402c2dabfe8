"""Engines: what turns prepared images and text into answers and hidden states."""
