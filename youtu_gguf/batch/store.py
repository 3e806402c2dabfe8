"""A folder on this machine or in an object store, by its address: files in it are there complete or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from youtu_gguf.atomic import write_bytes
from youtu_gguf.batch.addresses import file_system, is_local, joined
from youtu_gguf.batch.faults import attempt
from youtu_gguf.errors import InputError, OutputError

if TYPE_CHECKING:
    from pyarrow.fs import FileInfo


@dataclass(frozen=True, slots=True)
class Stat:
    """What a file system says of a file: its size in bytes, and what changes when the file does."""

    size: int
    etag: str

    @classmethod
    def of(cls, size: int, mtime_ns: int | None) -> Self:
        """Make it of a size in bytes and the time of the last change, where the file system knows that."""
        return cls(size, f"{size:x}-{mtime_ns or 0:x}")


class Store:
    """A folder at an address.

    Args:
        address: A path, or what pyarrow or fsspec understands, such as `s3://bucket/folder`.

    Raises:
        InputError: The address cannot be used.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self._files, self._base = file_system(address)

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
            with self._files.open_input_file(self._path(name)) as file:
                return bytes(file.readall())
        except FileNotFoundError:
            return None
        except OSError as exc:
            raise InputError(f"expected to read {name} in {self.address}; got: {exc}.") from exc

    def write(self, name: str, data: bytes) -> None:
        """Write a file, in place of an earlier one.

        Raises:
            OutputError: It cannot be written.
        """
        folder = self.folder
        if folder is not None:
            with _writing(folder / name):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
            write_bytes(folder / name, data)
            return
        with _writing(f"{self.address}/{name}"), self._files.open_output_stream(self._path(name)) as file:
            file.write(data)

    def remove(self, name: str) -> None:
        """Delete a file, if it is there."""
        try:
            self._files.delete_file(self._path(name))
        except FileNotFoundError:
            pass
        except OSError as exc:
            raise OutputError(f"expected to delete {name} in {self.address}; got: {exc}.") from exc

    def files(self, below: str = "", *, deep: bool = True, hidden: bool = False) -> dict[str, Stat]:
        """Return the files in the folder `below` of this one, by their names from here, in order of names.

        Args:
            below: The folder; without files if there is no such folder.
            deep: At every depth.
            hidden: Also those with a name that begins with a dot, or in such a folder.

        Raises:
            InputError: It cannot be listed.
        """
        from pyarrow.fs import FileSelector, FileType

        selector = FileSelector(self._path(below), recursive=deep, allow_not_found=True)
        infos = attempt(lambda: self._files.get_file_info(selector), "list", joined(self.address, below))
        start = len(self._base.rstrip("/")) + 1
        found = {info.path[start:]: stat_of(info) for info in infos if info.type == FileType.File}
        return {name: found[name] for name in sorted(found) if hidden or not is_hidden(name)}

    def _path(self, name: str) -> str:
        return f"{self._base}/{name}" if name else self._base


def stat_of(info: FileInfo) -> Stat:
    """Return what is kept of a file's description."""
    return Stat.of(info.size, info.mtime_ns)


def is_hidden(name: str) -> bool:
    """Return whether a part of a relative path begins with a dot."""
    return name.startswith(".") or "/." in name


@contextmanager
def _writing(path: object) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise OutputError(f"expected to write {path}; got: {exc}.") from exc
