"""Finds image files: by name, in folders, by pattern, and from lists."""

from __future__ import annotations

import glob
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from youtu_gguf.arguments import checked_path, is_there
from youtu_gguf.errors import InputError
from youtu_gguf.images.formats import SUFFIXES


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
    names = (name for given in named for name in (_lines(given[1:]) if given.startswith("@") else [given]))
    found = list(dict.fromkeys(path for name in names for path in _expand(name, leave_out)))
    if not found:
        raise InputError("expected images, folders or patterns; got none. Name at least one, or add it to the list.")
    return found


def _expand(name: str, leave_out: Sequence[Path]) -> Iterator[Path]:
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
    hidden = {folder.resolve() for folder in leave_out}
    yield from _required(
        (file for file in found if is_there(file) and file.is_file() and hidden.isdisjoint(file.resolve().parents)),
        what,
    )


def _lines(name: str) -> list[str]:
    try:
        data = sys.stdin.buffer.read() if name == "-" else checked_path("list", name).read_bytes()
    except OSError as exc:
        raise InputError(
            f"expected a list of images, one path per line; got {name}: {exc.strerror}. Check the path."
        ) from exc
    lines = (line.strip() for line in data.decode("utf-8-sig", errors="surrogateescape").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _below(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.suffix.lower() in SUFFIXES and not hidden:
            yield path


def _required(paths: Iterable[Path], what: str) -> list[Path]:
    found = list(paths)
    if not found:
        raise InputError(f"expected {what}; found none. Check the path.")
    return found
