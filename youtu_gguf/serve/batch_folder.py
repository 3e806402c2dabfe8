"""The folder that a server keeps the files of its batches in: made when it is needed, gone when the server is."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

from youtu_gguf.atomic import writing
from youtu_gguf.locks import locked

PREFIX = "youtu-gguf-batches-"
"""How the folder's name begins, in the folder for temporary files of this user."""

_LOCK = ".lock"

_GROWN_UP_S = 60.0
"""Age from which a folder without a holder was left behind: a new one is locked before."""


class _BusyError(Exception):
    """Another server holds the folder."""


class BatchFolder:
    """The folder. Its methods may be called in any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._path: Path | None = None
        self._held = ExitStack()

    def path(self) -> Path:
        """Return the folder, made if it is not there; those that killed servers left behind are removed then.

        Raises:
            OutputError: It cannot be made.
        """
        with self._lock:
            if self._path is None:
                parent = Path(tempfile.gettempdir())
                with writing(parent):
                    made = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))  # for this user alone
                    self._held.enter_context(locked(made / _LOCK, _refuse))
                self._path = made
                for left in _left_behind(parent, made):
                    shutil.rmtree(left, ignore_errors=True)
            return self._path

    def remove(self) -> None:
        """Delete the folder with all that is in it. Safe to call twice."""
        with self._lock:
            path, self._path = self._path, None
            self._held.close()
            if path is not None:
                shutil.rmtree(path, ignore_errors=True)


def _refuse() -> None:
    raise _BusyError


def _left_behind(parent: Path, own: Path) -> Iterator[Path]:
    """Yield the folders of servers that no longer run."""
    for path in parent.glob(f"{PREFIX}*"):
        with suppress(OSError, _BusyError):
            status = path.lstat()
            is_ours = not hasattr(os, "getuid") or status.st_uid == os.getuid()
            is_old = time.time() - status.st_mtime > _GROWN_UP_S
            if path != own and is_ours and is_old and not path.is_symlink() and path.is_dir():
                with locked(path / _LOCK, _refuse):
                    pass
                yield path
