"""The vision tower: our own graph with windows, llama.cpp's own, and the choice between them."""
