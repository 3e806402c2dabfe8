"""Files of each image, taken out of the parts of a run into a folder of a batch."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from youtu_gguf.batch.journal import FILES, WRITTEN
from youtu_gguf.batch.parts import Row
from youtu_gguf.errors import InputError
from youtu_gguf.output import WRITERS


class ImageFiles:
    """Writes the files of images below `FILES`. A file that is there with the same bytes stays.

    Args:
        folder: The folder of the batch.
        formats: Formats of `WRITERS` that are wanted.

    Attributes:
        n_images: Images that have such files.
    """

    def __init__(self, folder: Path, formats: Sequence[str]) -> None:
        self._folder, self._formats = folder, formats
        self._known: set[str] = set()
        self.n_images = 0

    def put(self, row: Row) -> None:
        """Write the files of an image, and remove those that it had before and has no more.

        Raises:
            InputError: A name is not one of a file of an image.
            OSError: They cannot be written.
        """
        for name in row.files:
            if not (name.startswith(f"{FILES}/") and WRITTEN.fullmatch(name.removeprefix(f"{FILES}/"))):
                raise InputError(f"expected files of an image in the part that has {row.image}; got {name!r}.")
        wanted = [name for name in _in_formats(row.line, self._formats) if name in row.files]
        for folder in {(self._folder / name).parent for name in row.files}:
            self._known.add(folder.name)
            if folder.exists():
                _clear(folder, {Path(name).name for name in row.files})
            elif wanted:
                folder.mkdir(parents=True)
        for name in wanted:
            _put(self._folder / name, row.files[name])
        self.n_images += bool(wanted)

    def finish(self) -> None:
        """Remove the files of images that have none any more; return when all others are on the disk."""
        root = self._folder / FILES
        for folder in root.iterdir() if root.is_dir() else ():
            if folder.name not in self._known and folder.is_dir():
                _clear(folder, set())
                with suppress(OSError):  # it holds files of others
                    folder.rmdir()
        if hasattr(os, "sync"):  # of thousands of files at once, instead of one after the other
            os.sync()


def _in_formats(line: bytes, formats: Sequence[str]) -> Iterator[str]:
    """Yield the names of the files that a line has in some formats: each file with those beside it, which follow it."""
    for result in json.loads(line).get("results", ()):
        is_wanted = False
        for name in result.get("files", ()):
            suffix = name.rpartition("/")[2].partition(".")[2]
            if suffix in WRITERS:
                is_wanted = suffix in formats
            if is_wanted:
                yield name


def _clear(folder: Path, kept: set[str]) -> None:
    """Remove the files that a batch wrote into the folder of an image, all but some."""
    for path in folder.iterdir():
        if path.name not in kept and WRITTEN.fullmatch(f"{folder.name}/{path.name}"):
            path.unlink()


def _put(path: Path, data: bytes) -> None:
    with suppress(FileNotFoundError):
        if path.stat().st_size == len(data) and path.read_bytes() == data:
            return
    temporary = path.with_name(f".{path.name}")  # a name that batches know as one of theirs
    temporary.write_bytes(data)
    temporary.replace(path)
