"""What is asked over HTTP: our own routes, and those of other programs."""
