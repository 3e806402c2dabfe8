"""`python -m youtu_gguf` is the command `youtu-gguf`."""

from youtu_gguf.cli.main import main

main()
