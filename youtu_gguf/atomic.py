"""Files that are there whole or not at all: written under another name, flushed to the disk, then renamed."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from youtu_gguf.arguments import checked_path
from youtu_gguf.errors import OutputError
from youtu_gguf.locks import locked

WAIT_S = 60.0
"""Longest wait for another writer of the same small file."""

DISK_FULL = frozenset(getattr(errno, name) for name in ("ENOSPC", "EDQUOT", "EFBIG") if hasattr(errno, name))
"""Errors of a file system that has no room, for this user at least."""


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Make an `OutputError` about `path` of any failure of the file system meanwhile.

    Raises:
        OutputError: Says whether room or permission is lacking.
    """
    try:
        yield
    except OSError as exc:
        remedy = "Free some disk space" if exc.errno in DISK_FULL else "Name a file in a folder you may write to"
        raise OutputError(f"expected to write {path}; got: {exc.strerror or exc}. {remedy}.") from exc


def write_bytes(path: str | Path, *parts: bytes | memoryview, private: bool = False) -> None:
    """Write `parts` to `path`, one after the other; a failure leaves what was there before.

    A `private` file is readable for this user only; any other has the permissions that new files have.

    Raises:
        OutputError: It cannot be written, or another process keeps writing it.
    """
    path = checked_path("path", path)
    with writing(path), replacing(path, WAIT_S) as temporary:
        temporary.touch(0o600 if private else 0o666)
        with temporary.open("wb") as file:
            file.writelines(parts)


def json_bytes(form: Any, indent: int | None = None) -> bytes:
    """Return the JSON text of `form`, with a line end, in UTF-8; a lone surrogate, as of a path, becomes its escape."""
    return (json.dumps(form, ensure_ascii=False, indent=indent) + "\n").encode(errors="backslashreplace")


@contextmanager
def replacing(path: Path, wait_s: float = 0.0) -> Iterator[Path]:
    """Give a temporary file beside `path` that takes its place on success and vanishes on any error.

    What a killed process has left is removed by the next that writes the same file.

    Args:
        path: The file.
        wait_s: Longest wait for another process, or thread, that writes the same file.

    Raises:
        OutputError: Another one is still writing it.
        OSError: The file cannot be written.
    """
    if not path.name:  # as of "." and "/"
        raise IsADirectoryError(errno.EISDIR, "it is a folder", str(path))
    temporary, lock = path.with_name(f".{path.name}.part"), path.with_name(f".{path.name}.lock")
    path.parent.stat()  # a missing folder is an error; the lock would make it

    def busy() -> None:
        raise OutputError(f"expected to write {path}; another process is doing so. Wait, or name another file.")

    with locked(lock, busy, wait_s):
        try:
            temporary.unlink(missing_ok=True)
            yield temporary
            with temporary.open("r+b") as file:
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: Path, keep: Iterable[str] = ()) -> Iterator[Path]:
    """Give an empty folder beside `path` that takes its place on success and vanishes on any error.

    The earlier folder stays until the new one is on the disk. What a killed process has left is put right by the next
    that replaces the same folder: no more than two renames are in between, and the earlier folder is kept until both
    are done. For one process at a time.

    Args:
        path: The folder, in one that exists.
        keep: Names in it that are not ours: what has them is moved into the new folder.

    Raises:
        OSError: Something cannot be written.
    """
    new, old = path.with_name(f".{path.name}.part"), path.with_name(f".{path.name}.old")
    if old.exists():
        if path.exists():
            _move(old, path, keep)
            shutil.rmtree(old)
        else:
            old.rename(path)
    try:
        if new.exists():
            shutil.rmtree(new)
        new.mkdir()
        yield new
        if hasattr(os, "sync"):  # of thousands of files at once, instead of one after the other
            os.sync()
        if path.exists():
            path.rename(old)
        new.rename(path)
        if old.exists():
            _move(old, path, keep)
            shutil.rmtree(old)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _move(source: Path, target: Path, names: Iterable[str]) -> None:
    for name in names:
        if os.path.lexists(source / name) and not os.path.lexists(target / name):
            (source / name).rename(target / name)
