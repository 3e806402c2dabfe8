"""Finding out from pictures what nobody has published about the weights, and keeping what was found."""
