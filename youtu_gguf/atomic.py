"""Files that are there whole or not at all."""

import os
import tempfile
from pathlib import Path

from youtu_gguf.errors import InputError


def write_bytes(path: str | Path, data: bytes) -> None:
    """Write `data` under a temporary name beside `path`, then rename; a failure leaves what was there before.

    Raises:
        InputError: The folder does not exist or cannot be written.
    """
    path = Path(path)
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as exc:
        raise _cannot_write(path, exc) from exc
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except OSError as exc:
        raise _cannot_write(path, exc) from exc
    finally:
        Path(temporary).unlink(missing_ok=True)


def _cannot_write(path: Path, exc: OSError) -> InputError:
    return InputError(
        f"expected to write {path}; got: {exc.strerror or exc}. Name a file in a folder you may write to."
    )
