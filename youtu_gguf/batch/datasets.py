"""Data sets of all images that a batch has finished, made of the parts that it wrote for each of them.

They can be made again at any time. A data set is there complete or as it was before. The same lines give the same
bytes, in whatever order and in however many runs the images were finished: they stand in the order of their names, and
an image's number depends on its name alone.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from youtu_gguf.atomic import replacing, replacing_folder, writing
from youtu_gguf.errors import InputError
from youtu_gguf.output.datasets import DATASETS, ERROR, HEADING, Chunks, Dataset, Joining, Part, Piece
from youtu_gguf.types import Size

if TYPE_CHECKING:
    from youtu_gguf.batch.image import Asked

ID_BITS = 52
"""Of an image's number: programs that keep numbers as 64-bit floats have it exactly."""

TABLE = "results.csv"

_WAIT_S = 60.0

Line = Mapping[str, Any]


@dataclass(frozen=True)
class Written:
    """A data set that was written.

    Attributes:
        path: Of the file or folder.
        n_images: Images in it.
        left_out: Names of images that could not be in it, and why.
    """

    path: Path
    n_images: int
    left_out: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class FinishedImage:
    """An image that is finished.

    Attributes:
        number: Its number in data sets, 1 or more.
        name: Its name.
        line: Its line, or as much of it as data sets need: `size`, `error`, and of `results` what says of parts and
            errors.
        read: Returns the bytes of one of its files, by the name in its line.
    """

    number: int
    name: str
    line: Line
    read: Callable[[str], bytes]


@dataclass(frozen=True)
class Finished:
    """Images that are finished, and what was asked about them.

    Attributes:
        folder: Where data sets are written.
        asked: The questions.
        images: In the order of the data sets. They are gone through several times, and need not be in memory.
    """

    folder: Path
    asked: Sequence[Asked]
    images: Iterable[FinishedImage] = field(repr=False)

    @classmethod
    def of(cls, folder: Path, asked: Sequence[Asked], lines: Mapping[str, Line]) -> Finished:
        """Return the images of a journal, in the order of their names."""
        read = partial(read_file, folder)
        return cls(folder, asked, [FinishedImage(n, name, lines[name], read) for name, n in image_ids(lines).items()])

    def joining(self, dataset: Dataset, tasks: Sequence[int], left_out: dict[str, str]) -> Joining:
        """Return what a data set of some tasks is made of.

        Args:
            dataset: Which.
            tasks: Places of the questions, from 0.
            left_out: Gets the names of images that it cannot have, and why: now, and when its files are made.
        """
        named = (self.asked[n].arguments.get("classes") or () for n in tasks)
        classes = dict.fromkeys(name for names in named if isinstance(names, tuple | list) for name in names)
        pieces = _Anew(partial(self._pieces, dataset.name, tasks, left_out))
        return Joining(pieces, tuple(classes), left_out.__setitem__)

    def _pieces(self, form: str, tasks: Sequence[int], left_out: dict[str, str]) -> Iterator[Piece]:
        for image in self.images:
            number, name, line = image.number, image.name, image.line
            if "results" not in line:
                if form == "csv":
                    yield Piece(number, name, Size(0, 0), partial(_failed, line))
                continue
            size = Size(*line["size"])
            for n in tasks:
                result = line["results"][n]
                if form == "csv":
                    yield Piece(number, name, size, partial(self._rows, n, result, image.read))
                elif form in result.get("unwritten", {}):
                    left_out[name] = result["unwritten"][form]
                elif "parts" in result and form in result["parts"]["formats"]:
                    yield Piece(number, name, size, partial(_part, result, form, image.read))

    def _rows(self, n: int, result: Line, read: Callable[[str], bytes]) -> list[dict[str, Any]]:
        """Return the rows of a result or of its error."""
        rows = _failed(result) if "error" in result else _part(result, "csv", read)
        return [{"task": self.asked[n].words, **row} for row in rows]


@dataclass(frozen=True)
class _Anew:
    """Pieces that are made whenever they are gone through."""

    make: Callable[[], Iterator[Piece]]

    def __iter__(self) -> Iterator[Piece]:
        return self.make()


def _failed(line: Line) -> list[dict[str, Any]]:
    return [{ERROR: line["error"]["message"]}]


def _part(result: Line, form: str, read: Callable[[str], bytes]) -> Part:
    file = result["parts"]["file"]
    try:
        return json.loads(read(file).split(b"\n")[result["parts"]["formats"].index(form)])
    except (OSError, ValueError, IndexError) as exc:
        raise InputError(
            f"expected in {file} what a batch wrote for {form}; got: {exc}. Delete the image's line in "
            "results.jsonl, and run the same command again."
        ) from exc


def read_file(folder: Path, name: str) -> bytes:
    """Return the bytes of a file that a batch wrote for an image in `folder`, by the name in the image's line.

    Raises:
        OSError: It cannot be read.
    """
    return (folder / name).read_bytes()


def image_ids(names: Iterable[str]) -> dict[str, int]:
    """Return the number of each name, in the order of the names."""
    in_order = sorted(names)
    return dict(zip(in_order, numbers_of(in_order).tolist(), strict=True))


def numbers_of(names: Iterable[str], bits: int = ID_BITS) -> npt.NDArray[np.uint64]:
    """Return a number for each of `names`, which are in order: the first bits of its SHA-256.

    So an image has the same number in a folder that has grown. Of two names with the same bits the later has the next
    number that is free; that 100,000 names have such a pair in 52 bits is as likely as one in a million.
    """
    numbers = np.fromiter((_first_bits(name, bits) for name in names), np.uint64)
    if numbers.all() and len(np.unique(numbers)) == len(numbers):
        return numbers
    taken = {0}
    for n in range(len(numbers)):
        while int(numbers[n]) in taken:
            numbers[n] = (int(numbers[n]) + 1) % (1 << bits)
        taken.add(int(numbers[n]))
    return numbers


def _first_bits(name: str, bits: int) -> int:
    digest = hashlib.sha256(name.encode(errors="backslashreplace")).digest()
    return int.from_bytes(digest[:8]) >> (64 - bits)


def write_datasets(finished: Finished, formats: Sequence[str]) -> Iterator[Written]:
    """Write the data sets of those `formats` that are for all images together, and yield each when it is written.

    There is one for each task that has a form in it, `coco/1-detect.json`; and one table, `results.csv`.

    Raises:
        InputError: A part was deleted.
        OutputError: They cannot be written.
    """
    for dataset in (DATASETS[name] for name in formats if name in DATASETS):
        if dataset.name == "csv":
            yield _written(finished, dataset, range(len(finished.asked)), finished.folder / TABLE)
            continue
        for n, asked in enumerate(finished.asked):
            if issubclass(asked.kind, dataset.takes):
                path = finished.folder / dataset.name / f"{n + 1}-{asked.question.task}{dataset.suffix}"
                yield _written(finished, dataset, [n], path)


def _written(finished: Finished, dataset: Dataset, tasks: Sequence[int], path: Path) -> Written:
    left_out: dict[str, str] = {}
    joining = finished.joining(dataset, tasks, left_out)
    files = dataset.files(joining)
    with writing(path):
        path.parent.mkdir(exist_ok=True)
        if dataset.suffix:
            with replacing(path, _WAIT_S) as temporary:
                _write(temporary, next(files)[1])
        else:
            with replacing_folder(path, dataset.kept) as folder:
                for name, chunks in files:
                    (folder / name).parent.mkdir(parents=True, exist_ok=True)
                    _write(folder / name, chunks)
    n_images = sum(name not in left_out for name, _ in groupby(joining.pieces, lambda piece: piece.name))
    return Written(path, n_images, tuple(left_out.items()))


def _write(path: Path, chunks: Chunks) -> None:
    with path.open("wb") as file:
        file.writelines(chunks)


def clear_datasets(folder: Path) -> None:
    """Delete the data sets below the folder of a batch, and what users put into them stays.

    Raises:
        OSError: That is not possible.
    """
    table = folder / TABLE
    if table.is_file():
        with table.open("rb") as file:
            is_ours = file.read(len(HEADING)) == HEADING
        if is_ours:
            table.unlink()
    for dataset in DATASETS.values():
        ours = re.compile(rf"\.?\d+-[a-z_]+{re.escape(dataset.suffix)}(\.part|\.old)?")
        for path in [path for path in folder.glob(f"{dataset.name}/*") if ours.fullmatch(path.name)]:
            if dataset.suffix:
                path.unlink()
                continue
            for entry in [entry for entry in path.iterdir() if entry.name not in dataset.kept]:
                shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
            with suppress(OSError):  # it holds what is kept
                path.rmdir()
        with suppress(OSError):
            (folder / dataset.name).rmdir()
