"""The command `youtu-gguf`, also as `python -m youtu_gguf`."""

from youtu_gguf.cli.interrupts import leave_at_once


def main() -> None:
    """Run the command line."""
    leave_at_once()
    from youtu_gguf.environment import limit_blas

    limit_blas()
    from youtu_gguf.cli.main import main as run

    run()


if __name__ == "__main__":
    main()
