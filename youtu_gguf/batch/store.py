"""A folder on this machine or in an object store, by its address: files in it are there complete or not at all."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

from youtu_gguf.batch.addresses import is_local, joined, parent, shown
from youtu_gguf.batch.backends import Stat, backend_of
from youtu_gguf.batch.faults import attempt
from youtu_gguf.errors import OutputError

THREADS = 16
"""Requests at a time, where each is for one object."""


class Store:
    """A folder at an address. For any thread.

    Args:
        address: A path, or what pyarrow or fsspec understand, such as `s3://bucket/folder`. It need not exist yet.

    Raises:
        InputError: The address cannot be used: see `backends.backend_of`.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self._backend, self._base = backend_of(address)

    def __str__(self) -> str:
        return shown(self.address)

    @property
    def folder(self) -> Path | None:
        """The folder on this machine; None elsewhere."""
        return Path(self._base) if is_local(self.address) else None

    def read(self, name: str) -> bytes | None:
        """Return the bytes of a file; None where there is none.

        Raises:
            InputError: It cannot be read.
        """
        try:
            return attempt(lambda: self._read(name), "read", joined(self.address, name))
        except FileNotFoundError:
            return None

    def _read(self, name: str) -> bytes:
        with self._backend.open(self._path(name)) as file:
            return bytes(file.read())

    def open(self, name: str) -> IO[bytes]:
        """Open a file for reading in parts, such as those that a reader of Parquet needs.

        Raises:
            FileNotFoundError: There is none.
            InputError: It cannot be opened.
        """
        return attempt(lambda: self._backend.open(self._path(name)), "read", joined(self.address, name))

    def write(self, name: str, data: bytes) -> None:
        """Write a file, in place of an earlier one. Nobody sees a part of it.

        Raises:
            OutputError: It cannot be written.
        """
        path = self._path(name)
        attempt(lambda: self._backend.write(path, data), "write", joined(self.address, name), OutputError)

    def remove(self, name: str) -> None:
        """Delete a file, if it is there.

        Raises:
            OutputError: It cannot be deleted.
        """
        attempt(lambda: self._backend.remove(self._path(name)), "delete", joined(self.address, name), OutputError)

    def remove_all(self, names: Iterable[str]) -> None:
        """Delete files, several at a time.

        Raises:
            OutputError: One cannot be deleted.
        """
        with ThreadPoolExecutor(THREADS) as pool:
            for _ in pool.map(self.remove, names):
                pass

    def files(self, below: str = "", *, deep: bool = True, hidden: bool = False) -> dict[str, Stat]:
        """Return the files in the folder `below` of this one, by their names from here, in order of names.

        Args:
            below: The folder; without files if there is no such folder.
            deep: At every depth.
            hidden: Also those with a name that begins with a dot, or in such a folder.

        Raises:
            InputError: It cannot be listed.
        """
        path = self._path(below)
        found = attempt(lambda: dict(self._backend.files(path, deep=deep)), "list", joined(self.address, below))
        start = f"{below}/" if below else ""
        return {start + name: found[name] for name in sorted(found) if hidden or not is_hidden(name)}

    def _path(self, name: str) -> str:
        return f"{self._base.rstrip('/')}/{name}" if name else self._base


def read_at(address: str) -> bytes | None:
    """Return the bytes of the file at an address; None where there is none.

    Raises:
        InputError: It cannot be read.
    """
    folder, name = parent(address)
    return Store(folder).read(name)


def is_hidden(name: str) -> bool:
    """Return whether a part of a relative path begins with a dot."""
    return name.startswith(".") or "/." in name
