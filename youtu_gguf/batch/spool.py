"""Finished images in temporary files: they come in whatever order, and go out in the order of their names.

Memory holds where each image is, 24 bytes, whatever it says.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from youtu_gguf.batch.datasets import FinishedImage, numbers_of
from youtu_gguf.errors import InputError
from youtu_gguf.types import ProgressFn, no_progress

if TYPE_CHECKING:
    import pyarrow as pa

_AT_ONCE = 4096
"""Names that are made Python's at a time."""

_REPORT_EVERY = 256
"""Images after which progress is reported: a report takes longer than an image."""


class Records:
    """Byte strings by their places, in a temporary file without a name: the system removes it with the process.

    A context manager, for one thread.

    Args:
        folder: On a disk with room for them.
        n: How many places there are.

    Raises:
        OSError: The file cannot be made.
    """

    def __init__(self, folder: Path, n: int) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - `__exit__` closes it
        self._end = 0
        self._starts = np.full(n, -1, np.int64)
        self._lengths = np.zeros(n, np.int64)

    def put(self, place: int, *data: bytes) -> None:
        """Keep a byte string, the pieces of `data` one after the other.

        Raises:
            OSError: There is no room.
        """
        self._file.seek(self._end)
        self._starts[place] = self._end
        for piece in data:
            self._end += self._file.write(piece)
        self._lengths[place] = self._end - self._starts[place]

    def has(self, place: int) -> bool:
        """Return whether there is a byte string at a place."""
        return bool(self._starts[place] >= 0)

    def get(self, place: int) -> bytes:
        """Return the byte string at a place."""
        self._file.seek(int(self._starts[place]))
        return self._file.read(int(self._lengths[place]))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


class InOrder:
    """Passes byte strings on in the order of their places. Those that come too early wait in a file.

    Args:
        write: Gets each.
        waiting: Keeps those that come too early.
        n: How many there will be.
    """

    def __init__(self, write: Callable[[bytes], object], waiting: Records, n: int) -> None:
        self._write, self._waiting, self._n = write, waiting, n
        self._next = 0

    def put(self, place: int, data: bytes) -> None:
        """Pass a byte string on when its turn has come.

        Raises:
            OSError: There is no room.
        """
        if place != self._next:
            self._waiting.put(place, data)
            return
        self._write(data)
        self._next += 1
        while self._next < self._n and self._waiting.has(self._next):
            self._write(self._waiting.get(self._next))
            self._next += 1


class SpooledImages:
    """Finished images for data sets, in the order of their names: see `Finished.images`.

    Args:
        records: Keeps what data sets need.
        names: Of all images, in their order.
        progress: Called while the images are gone through.
    """

    def __init__(self, records: Records, names: pa.StringArray, progress: ProgressFn = no_progress) -> None:
        self._records, self._names, self._progress = records, names, progress
        self._numbers: npt.NDArray[np.uint64] = numbers_of(each_of(names))

    def put(self, place: int, line: bytes, pieces: Mapping[str, bytes]) -> None:
        """Keep what data sets need of an image: a part of its line, and its pieces.

        Raises:
            OSError: There is no room.
        """
        told = {"line": _needed(json.loads(line)), "files": [(name, len(data)) for name, data in pieces.items()]}
        self._records.put(place, json.dumps(told).encode(), b"\n", *pieces.values())

    def __iter__(self) -> Iterator[FinishedImage]:
        for place, name in enumerate(each_of(self._names)):
            if place % _REPORT_EVERY == 0:
                self._progress("dataset", place, len(self._names))
            told, _, data = self._records.get(place).partition(b"\n")
            form = json.loads(told)
            read = partial(_file_in, data, form["files"], name)
            yield FinishedImage(int(self._numbers[place]), name, form["line"], read)


def each_of(names: pa.StringArray) -> Iterator[str]:
    """Yield the names of an Arrow array, without a list of all."""
    for start in range(0, len(names), _AT_ONCE):
        yield from names.slice(start, _AT_ONCE).to_pylist()


def _needed(line: Mapping[str, Any]) -> dict[str, Any]:
    """Return what data sets need of a line."""
    needed = {key: line[key] for key in ("size", "error") if key in line}
    if "results" in line:
        needed["results"] = [
            {key: result[key] for key in ("error", "parts", "unwritten") if key in result} for result in line["results"]
        ]
    return needed


def _file_in(data: bytes, files: list[tuple[str, int]], image: str, wanted: str) -> bytes:
    start = 0
    for name, length in files:
        if name == wanted:
            return data[start : start + length]
        start += length
    raise InputError(
        f"expected {wanted} in the part that has {image}; it is not there. Delete that part; the next run does its "
        "images again."
    )
