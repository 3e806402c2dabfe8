"""The file systems behind a `Store`: this machine's, those that pyarrow serves, and those of packages for fsspec.

Each writes a file whole or not at all, and says of a file what changes when the file does. They raise what they like:
`faults.attempt` makes errors of this package of that.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path, PurePosixPath
from stat import S_ISDIR, S_ISREG
from typing import IO, Any, Literal, Protocol, Self
from uuid import uuid4

from youtu_gguf.atomic import write_bytes
from youtu_gguf.batch.addresses import ARROW, in_short, is_local, local_path, scheme_of, shown, split
from youtu_gguf.batch.faults import remedy_for
from youtu_gguf.environment import store_variables
from youtu_gguf.errors import InputError

WHOLE = frozenset(
    {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oss", "oci", "ocilake", "tos", "hf", "memory"}
)
"""Schemes whose files appear when they are complete and replace earlier ones in that moment; with others, a file is
written beside its place and then moved there."""


SMALL = 4 << 20
"""Largest file in bytes that is written to S3 with `allow_delayed_open`, which makes it one request. A larger file is
written in parts (arrow/filesystem/s3fs.cc). With that option pyarrow 25 waits for ever where the store refuses to begin
them; without it that is an error."""


@dataclass(frozen=True, slots=True)
class Stat:
    """What a file system says of a file: its size in bytes, and what changes when the file does."""

    size: int
    etag: str

    @classmethod
    def of(cls, size: int, mtime_ns: int | None) -> Self:
        """Make it of a size in bytes and the time of the last change, where the file system knows that."""
        return cls(size, f"{size:x}-{mtime_ns or 0:x}")


Found = Stat | Literal["folder"] | None
"""What is at a path."""


class Backend(Protocol):
    """A file system. Paths are as `backend_of` returns them."""

    def look(self, path: str) -> Found:
        """Return what is at a path."""
        ...

    def files(self, folder: str, *, deep: bool) -> Iterator[tuple[str, Stat]]:
        """Yield the files in a folder, at every depth if `deep`, by their names from there; none if it is missing."""
        ...

    def open(self, path: str) -> IO[bytes]:
        """Open a file for reading; raises FileNotFoundError where there is none."""
        ...

    def write(self, path: str, data: bytes) -> None:
        """Write a file, in place of an earlier one."""
        ...

    def remove(self, path: str) -> None:
        """Delete a file; one that is missing is no error."""
        ...


class Local:
    """The file system of this machine. Names may be any bytes."""

    def look(self, path: str) -> Found:
        """Return what is at a path."""
        try:
            stat = os.stat(path)  # noqa: PTH116 - for a million files
        except (OSError, ValueError):  # a list may hold a name with a zero byte
            return None
        if S_ISDIR(stat.st_mode):
            return "folder"
        return Stat.of(stat.st_size, stat.st_mtime_ns) if S_ISREG(stat.st_mode) else None

    def files(self, folder: str, *, deep: bool) -> Iterator[tuple[str, Stat]]:
        """Yield the files in a folder."""
        folders = [""]
        while folders:
            below = folders.pop()
            try:
                entries = list(os.scandir(os.path.join(folder, below)))  # noqa: PTH118
            except FileNotFoundError:
                continue
            for entry in entries:
                name = f"{below}/{entry.name}" if below else entry.name
                if entry.is_dir(follow_symlinks=False):
                    folders += [name] if deep else []
                elif isinstance(stat := self.look(entry.path), Stat):
                    yield name, stat

    def open(self, path: str) -> IO[bytes]:
        """Open a file for reading."""
        return Path(path).open("rb")

    def write(self, path: str, data: bytes) -> None:
        """Write a file, and the folders above it."""
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, data)

    def remove(self, path: str) -> None:
        """Delete a file."""
        Path(path).unlink(missing_ok=True)


class Arrow:
    """What pyarrow serves.

    Args:
        files: A `pyarrow.fs.FileSystem`.
        small: Another for files of up to `SMALL` bytes, which are written by one request.
        is_whole: Whether its scheme is one of `WHOLE`.
    """

    def __init__(self, files: Any, small: Any = None, *, is_whole: bool) -> None:
        self._files = files
        self._small = small or files
        self._is_whole = is_whole

    def look(self, path: str) -> Found:
        """Return what is at a path."""
        from pyarrow.fs import FileType

        info = self._files.get_file_info(path)
        if info.type == FileType.Directory:
            return "folder"
        return Stat.of(info.size, info.mtime_ns) if info.type == FileType.File else None

    def files(self, folder: str, *, deep: bool) -> Iterator[tuple[str, Stat]]:
        """Yield the files in a folder."""
        from pyarrow.fs import FileSelector, FileType

        start = len(folder.rstrip("/")) + 1
        for info in self._files.get_file_info(FileSelector(folder, recursive=deep, allow_not_found=True)):
            if info.type == FileType.File:
                yield info.path[start:], Stat.of(info.size, info.mtime_ns)

    def open(self, path: str) -> IO[bytes]:
        """Open a file for reading."""
        opened: IO[bytes] = self._files.open_input_file(path)
        return opened

    def write(self, path: str, data: bytes) -> None:
        """Write a file.

        The stream gets all data by one call: closing it publishes whatever it got, also in a `with` block that an
        exception leaves (tried with pyarrow 25). A part that the store refuses makes `close` an error, and the file
        does not appear.
        """
        if self._is_whole:
            self._put(path, data)
            return
        self._files.create_dir(str(PurePosixPath(path).parent), recursive=True)
        temporary = beside(path)
        try:
            self._put(temporary, data)
            _moved(self, path, lambda: self._files.move(temporary, path))
        finally:
            self.remove(temporary)

    def _put(self, path: str, data: bytes) -> None:
        files = self._small if len(data) <= SMALL else self._files
        stream = files.open_output_stream(path)
        stream.write(data)
        stream.close()

    def remove(self, path: str) -> None:
        """Delete a file."""
        with suppress(FileNotFoundError):
            self._files.delete_file(path)


class Fsspec:
    """What a package for fsspec serves.

    Args:
        files: A `fsspec.AbstractFileSystem`.
        is_whole: Whether its scheme is one of `WHOLE`.
    """

    def __init__(self, files: Any, *, is_whole: bool) -> None:
        self._files = files
        self._is_whole = is_whole

    def look(self, path: str) -> Found:
        """Return what is at a path."""
        self._files.invalidate_cache()
        try:
            info = self._files.info(path)
        except FileNotFoundError:
            return None
        return "folder" if info["type"] == "directory" else _stat(info)

    def files(self, folder: str, *, deep: bool) -> Iterator[tuple[str, Stat]]:
        """Yield the files in a folder."""
        self._files.invalidate_cache()
        start = len(folder.rstrip("/")) + 1
        for path, info in self._found(folder, None if deep else 1):
            if info["type"] == "file" and len(path) > start:
                yield path[start:], _stat(info)

    def _found(self, folder: str, depth: int | None) -> Iterator[tuple[str, Mapping[str, Any]]]:
        if self._files.async_impl:  # those of object stores list a folder with all below it at once
            yield from self._files.find(folder, maxdepth=depth, detail=True).items()
            return
        try:
            for _, _, files in self._files.walk(folder, maxdepth=depth, on_error="raise", detail=True):
                yield from ((info["name"], info) for info in files.values())
        except FileNotFoundError:
            return

    def open(self, path: str) -> IO[bytes]:
        """Open a file for reading."""
        self._files.invalidate_cache()
        opened: IO[bytes] = self._files.open(path, "rb")
        return opened

    def write(self, path: str, data: bytes) -> None:
        """Write a file."""
        if self._is_whole:
            self._files.pipe_file(path, data)
            return
        self._files.makedirs(str(PurePosixPath(path).parent), exist_ok=True)
        temporary = beside(path)
        try:
            self._files.pipe_file(temporary, data)
            _moved(self, path, lambda: self._files.mv(temporary, path))
        finally:
            self.remove(temporary)

    def remove(self, path: str) -> None:
        """Delete a file."""
        with suppress(FileNotFoundError):
            self._files.rm_file(path)


def _stat(info: Mapping[str, Any]) -> Stat:
    """Return what is kept of what a package for fsspec says of a file: they have no common word for its state."""
    state = next((str(info[key]) for key in ("ETag", "etag", "md5Hash", "content_hash") if info.get(key)), None)
    if state is None:
        times = ("mtime", "LastModified", "last_modified", "updated", "modified", "created")
        state = next((_text(info[key]) for key in times if info.get(key)), "")
    size = int(info["size"] or 0)
    state = state.strip('"')
    return Stat(size, f"{size:x}-{state}")


def _text(time: object) -> str:
    return time.isoformat() if isinstance(time, datetime) else str(time)


def beside(path: str) -> str:
    """Return the path where a file is written before it is moved to `path`: hidden, and different for every process."""
    place = PurePosixPath(path)
    return str(place.with_name(f".{place.name}.{uuid4().hex}.part"))


def _moved(backend: Backend, path: str, move: Callable[[], object]) -> None:
    """Move a file to `path`, also where the file system does not replace files (HDFS, SFTP)."""
    try:
        move()
    except OSError:
        backend.remove(path)
        move()


def backend_of(address: str) -> tuple[Backend, str]:
    """Return the file system of an address, and the path in it.

    Raises:
        InputError: There is none, or a package for it is missing.
    """
    scheme = scheme_of(address)
    if is_local(address):
        return Local(), str(Path.cwd() / local_path(address))
    root, path, options = split(address)
    try:
        if scheme in ARROW and not root.startswith("fsspec+"):
            backend, base = _arrow(root, options, store_variables())
            return backend, f"{base.rstrip('/')}/{path}".rstrip("/")
        return _fsspec(address.removeprefix("fsspec+"))
    except ImportError as exc:
        what = 'the extra "ray": pip install "youtu_gguf[ray]"' if scheme in ARROW else "it"
        raise InputError(f"{shown(address)} needs a package that is missing: {in_short(exc)}. Install {what}.") from exc
    except (OSError, ValueError) as exc:
        raise InputError(
            f"expected a path, or an address such as s3://bucket/folder; got {shown(address)}: {in_short(exc)}. "
            f"{remedy_for(exc)}."
        ) from exc


@lru_cache(maxsize=64)
def _arrow(root: str, options: str, variables: object) -> tuple[Arrow, str]:  # noqa: ARG001 - part of the key
    """Return pyarrow's file system: one for each root, since it holds connections, as long as `variables` stay."""
    from pyarrow import fs

    scheme = scheme_of(root)
    files, base = fs.FileSystem.from_uri(f"{root}/{options}")
    small = None
    if scheme == "s3" and "allow_delayed_open=" not in options:
        small, _ = fs.FileSystem.from_uri(f"{root}/{options}{'&' if options else '?'}allow_delayed_open=true")
    return Arrow(files, small, is_whole=scheme in WHOLE), str(base)


def _fsspec(address: str) -> tuple[Fsspec, str]:
    from fsspec.core import url_to_fs  # type: ignore[import-untyped]

    files, path = url_to_fs(address)
    return Fsspec(files, is_whole=scheme_of(address) in WHOLE), str(path).rstrip("/")
