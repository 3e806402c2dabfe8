"""The command line: the public API with files around it. Results on stdout, everything else on stderr."""
