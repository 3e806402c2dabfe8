"""The command line: the public API for files. Results go to stdout, everything else to stderr."""
