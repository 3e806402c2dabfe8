"""Addresses of files and folders: paths on this machine, and those of object stores and other file systems.

An address is `SCHEME://ROOT/PATH`; all else is a path on this machine, and so is `file://`. The path is taken as it
stands, without escapes. pyarrow serves the schemes of `ARROW`, with its options behind a question mark
(`s3://bucket/folder?region=eu-west-1`); a package for fsspec serves all others.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote, urlsplit

from youtu_gguf.errors import InputError

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

ARROW = frozenset({"s3", "gs", "gcs", "abfs", "abfss", "hdfs", "viewfs"})
"""Schemes that pyarrow serves by itself.

Source: Arrow's documentation, "FileSystem.from_uri".
"""

WHOLE = frozenset(
    {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oss", "oci", "ocilake", "tos", "hf", "memory"}
)
"""Schemes whose files appear when they are complete, by one request, and replace earlier ones so."""

_SCHEME = re.compile(r"(?:fsspec\+)?([A-Za-z][A-Za-z0-9.-]+(?:\+[a-z]+)?)://")  # one letter is a drive of Windows
_OPTIONS = re.compile(r"\?(?:[a-z_]+=[^&/]*)(?:&[a-z_]+=[^&/]*)*$")
_KEYS = re.compile(r"(?<=://)[^/@:]*:[^/@]*@")


class Parts(NamedTuple):
    """What an address is made of: `ROOT/PATH` and pyarrow's `OPTIONS`, which begin with a question mark."""

    root: str
    path: str
    options: str


def is_local(address: str) -> bool:
    """Return whether an address is a path on this machine."""
    return (scheme := scheme_of(address)) is None or scheme == "file"


def scheme_of(address: str) -> str | None:
    """Return the scheme of an address, in lower case; None for a path."""
    match = _SCHEME.match(address)
    return None if match is None else match[1].lower()


def local_path(address: str) -> str:
    """Return the path that a local address stands for.

    Raises:
        InputError: A `file://` address names another machine.
    """
    if scheme_of(address) is None:
        return address
    parts = urlsplit(address)
    if parts.netloc not in ("", "localhost"):
        raise InputError(f"expected an address such as file:///folder; got {address}. Write three slashes.")
    path = unquote(parts.path)
    return path[1:] if re.match(r"/[A-Za-z]:", path) else path


def split(address: str) -> Parts:
    """Return the parts of an address that is not local; the path has no slash at either end."""
    scheme = _SCHEME.match(address)
    assert scheme is not None
    rest = address[scheme.end() :]
    found = _OPTIONS.search(rest) if scheme[1].lower() in ARROW and not address.startswith("fsspec+") else None
    options = found[0] if found else ""
    host, _, path = rest[: len(rest) - len(options)].partition("/")
    return Parts(address[: scheme.end()] + host, path.strip("/"), options)


def joined(address: str, name: str) -> str:
    """Return the address of `name` in the folder `address`."""
    if is_local(address):
        return str(Path(local_path(address), name))
    root, path, options = split(address)
    return "/".join(part for part in (root, path, name) if part) + options


def shown(address: str) -> str:
    """Return an address as messages and results have it: without options, and without the keys before `@`."""
    if is_local(address):
        return address
    root, path, _ = split(address)
    root = _KEYS.sub("", root)
    return f"{root}/{path}" if path else root


def file_system(address: str) -> tuple[FileSystem, str]:
    """Return the file system of an address, and the path in it.

    Raises:
        InputError: There is none, or a package for it is missing.
    """
    try:
        from pyarrow import fs
    except ImportError as exc:
        raise InputError(
            f'{shown(address)} needs pyarrow, which is missing. Install it: pip install "youtu_gguf[ray]".'
        ) from exc
    if is_local(address):
        return fs.LocalFileSystem(), str(Path(local_path(address)).absolute())
    root, path, options = split(address)
    if root.startswith("fsspec+") or scheme_of(address) not in ARROW:
        return _with_fsspec(address.removeprefix("fsspec+"))
    files, base = _of_arrow(root, options)
    return files, f"{base.rstrip('/')}/{path}".rstrip("/")


@lru_cache(maxsize=64)
def _of_arrow(root: str, options: str) -> tuple[Any, str]:
    """Return pyarrow's file system, one for each root, since its connections are kept with it."""
    from pyarrow import fs

    if root.startswith("s3://") and "allow_delayed_open=" not in options:  # one request for a small file, not three
        options = f"{options}&allow_delayed_open=true" if options else "?allow_delayed_open=true"
    try:
        files, base = fs.FileSystem.from_uri(f"{root}/{options}")
    except (OSError, ValueError) as exc:
        raise InputError(
            f"expected an address such as s3://bucket/folder; got {shown(root)}: {in_short(exc)}."
        ) from exc
    return files, base


def _with_fsspec(address: str) -> tuple[Any, str]:
    from fsspec.core import url_to_fs  # type: ignore[import-untyped]
    from pyarrow.fs import FSSpecHandler, PyFileSystem

    try:
        files, path = url_to_fs(address)
    except ImportError as exc:  # says which package
        raise InputError(f"{shown(address)} needs a package that is missing: {in_short(exc)}.") from exc
    except (OSError, ValueError) as exc:
        raise InputError(
            f"expected a path, or an address such as s3://bucket/folder; got {shown(address)}: {in_short(exc)}."
        ) from exc
    return PyFileSystem(FSSpecHandler(files)), path.rstrip("/")


def in_short(exc: BaseException) -> str:
    """Return the first line of an exception's message, of at most 300 characters, without a stop at the end."""
    lines = str(exc).splitlines() or [type(exc).__name__]
    return lines[0][:300].rstrip(". ")
