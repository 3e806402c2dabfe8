"""Addresses of files and folders: paths on this machine, and those of object stores and other file systems.

An address is `SCHEME://ROOT/PATH`; all else is a path on this machine, and so is `file://`. The path is taken as it
stands, without escapes. pyarrow serves the schemes of `ARROW`, with its options behind a question mark
(`s3://bucket/folder?region=eu-west-1`); a package for fsspec serves all others.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from youtu_gguf.errors import InputError

ARROW = frozenset({"s3", "gs", "gcs", "abfs", "abfss", "hdfs", "viewfs"})
"""Schemes that pyarrow serves by itself.

Source: Arrow's documentation, "FileSystem.from_uri".
"""

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


def absolute(address: str) -> str:
    """Return an address that means the same in processes with another working folder; nothing else is changed."""
    return str(Path.cwd() / local_path(address)) if is_local(address) else address


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


def parent(address: str) -> tuple[str, str]:
    """Return the address of the folder that holds what is at `address`, and the name in it."""
    if is_local(address):
        path = Path(local_path(address))
        return str(path.parent), path.name
    root, path_, options = split(address)
    folder, _, name = path_.rpartition("/")
    return (f"{root}/{folder}" if folder else root) + options, name


def shown(address: str) -> str:
    """Return an address as messages and results have it: without options, and without the keys before `@`."""
    if is_local(address):
        return address
    root, path, _ = split(address)
    root = _KEYS.sub("", root)
    return f"{root}/{path}" if path else root


def in_short(exc: BaseException) -> str:
    """Return the first line of an exception's message, of at most 300 characters, without a stop at the end."""
    lines = str(exc).splitlines() or [type(exc).__name__]
    return lines[0][:300].rstrip(". ")
