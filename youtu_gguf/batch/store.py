"""A folder on this machine or in an object store, by its address: files in it are there complete or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from youtu_gguf.atomic import write_bytes
from youtu_gguf.errors import InputError, OutputError

if TYPE_CHECKING:
    from pyarrow.fs import FileInfo, FileSystem


@dataclass(frozen=True)
class Stat:
    """What a file system says of a file: its size in bytes, and what changes when the file does."""

    size: int
    etag: str


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

    def files(self, below: str = "") -> Mapping[str, Stat]:
        """Return the files in the folder `below` of this one, at every depth, by their names from here; none hidden."""
        from pyarrow.fs import FileSelector, FileType

        selector = FileSelector(self._path(below), recursive=True, allow_not_found=True)
        try:
            infos = self._files.get_file_info(selector)
        except OSError as exc:
            raise InputError(f"expected to list {self.address}/{below}; got: {exc}.") from exc
        start = len(self._path(""))
        found = {info.path[start:].lstrip("/"): info for info in infos if info.type == FileType.File}
        return {name: stat_of(found[name]) for name in sorted(found) if not _is_hidden(name)}

    def _path(self, name: str) -> str:
        return f"{self._base}/{name}" if name else self._base


def is_local(address: str) -> bool:
    """Return whether an address is a path on this machine."""
    return "://" not in address


def file_system(address: str) -> tuple[FileSystem, str]:
    """Return the file system of an address, and the path in it.

    Raises:
        InputError: There is none, or a package for it is missing.
    """
    try:
        from pyarrow import ArrowInvalid, fs
    except ImportError as exc:
        raise InputError(
            f'{address} needs a package that is missing. Install it: pip install "youtu_gguf[ray]".'
        ) from exc
    if is_local(address):
        return fs.LocalFileSystem(), str(Path(address).absolute())
    try:
        files, path = fs.FileSystem.from_uri(address)
    except ArrowInvalid:
        return _with_fsspec(address)
    except (OSError, ValueError) as exc:
        raise InputError(f"expected an address that can be reached; got {address}: {exc}.") from exc
    return files, path.rstrip("/")


def _with_fsspec(address: str) -> tuple[Any, str]:
    from pyarrow.fs import FileSystem

    try:
        files, path = FileSystem.from_uri(f"fsspec+{address}")
    except (OSError, ValueError, ImportError) as exc:
        raise InputError(f"expected an address such as s3://bucket/folder; got {address}: {exc}.") from exc
    return files, path.rstrip("/")


def stat_of(info: FileInfo) -> Stat:
    """Return what is kept of a file's description."""
    return Stat(info.size, f"{info.size:x}-{info.mtime_ns:x}")


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") for part in name.split("/"))


@contextmanager
def _writing(path: object) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise OutputError(f"expected to write {path}; got: {exc}.") from exc
