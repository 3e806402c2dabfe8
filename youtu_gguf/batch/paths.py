"""Finds image files: by name, in folders, by pattern, and from lists."""

from __future__ import annotations

import glob
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import TypeVar

from youtu_gguf.arguments import checked_path, is_there
from youtu_gguf.errors import InputError
from youtu_gguf.images.formats import SUFFIXES

T = TypeVar("T")


def find_images(named: Sequence[str], *, leave_out: Sequence[Path] = ()) -> list[Path]:
    """Find the images that a user names.

    Args:
        named: Paths of files, with any suffix; folders, searched at every depth without hidden files, sorted; patterns
            such as `photos/*.jpg`, for shells that do not expand them; `@FILE` for a list with one of these per line
            (empty lines and lines that begin with # are skipped), `@-` for a list on standard input.
        leave_out: Folders that are skipped when folders and patterns are searched: those that a batch writes to.

    Returns:
        Each path once, in the order in which they were named. A path that is named directly is included even if it
        does not exist; the batch reports it.

    Raises:
        InputError: A list cannot be read, a folder or pattern has no image, or no image is named.
    """
    names = (name for given in named for name in (read_list(given[1:]) if given.startswith("@") else [given]))
    return required(dict.fromkeys(path for name in names for path in expand(name, leave_out)))


def required(found: Iterable[T]) -> list[T]:
    """Return what was found.

    Raises:
        InputError: It is nothing.
    """
    images = list(found)
    if not images:
        raise InputError("expected images, folders or patterns; got none. Name at least one, or add it to the list.")
    return images


def expand(name: str, leave_out: Sequence[Path] = ()) -> Iterator[Path]:
    """Yield the images of one name: see `find_images`.

    Raises:
        InputError: A folder or pattern has no image.
    """
    path = checked_path("image", name)
    name = str(path)
    if is_there(path) and path.is_dir():
        found, what = _below(path), f"images ({', '.join(sorted(SUFFIXES))}) in the folder {name}"
    elif not is_there(path) and glob.has_magic(name):
        found = (Path(match) for match in sorted(glob.glob(name, recursive=True)))  # noqa: PTH207 - may be absolute
        what = f"files that match {name}"
    else:
        yield path
        return
    is_apart = _outside([folder.resolve() for folder in leave_out])
    files = [file for file in found if is_there(file) and file.is_file() and is_apart(file)]
    if not files:
        raise none_found(what)
    yield from files


def _outside(folders: Collection[Path]) -> Callable[[Path], bool]:
    """Return a function that says whether a file is in none of `folders`; it looks at each folder of files once."""

    @cache
    def is_outside(folder: Path) -> bool:
        place = folder.resolve()
        return not any(place == one or one in place.parents for one in folders)

    return lambda file: not folders or is_outside(file.resolve().parent if file.is_symlink() else file.parent)


def none_found(what: str) -> InputError:
    """Return the error for a folder or pattern without images."""
    return InputError(f"expected {what}; found none. Check the path.")


def read_list(name: str) -> list[str]:
    """Return the names in a list of images: in the file `name`, or on standard input for "-".

    Raises:
        InputError: It cannot be read.
    """
    try:
        data = sys.stdin.buffer.read() if name == "-" else checked_path("list", name).read_bytes()
    except OSError as exc:
        raise InputError(
            f"expected a list of images, one path per line; got {name}: {exc.strerror}. Check the path."
        ) from exc
    return lines_of(data)


def lines_of(data: bytes) -> list[str]:
    """Return the names in a list of images."""
    lines = (line.strip() for line in data.decode("utf-8-sig", errors="surrogateescape").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _below(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.suffix.lower() in SUFFIXES and not hidden:
            yield path
