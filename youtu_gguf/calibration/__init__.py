"""What nobody has published about the weights: the assumptions, and how they are found out on files at hand."""
