"""Makes of the parts of a run the files that a batch would have written: lines, data sets, and files of each image.

The parts are read once, in the order in which they were written; memory holds the names of the images and where they
are. Each output is complete, or as it was before.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from youtu_gguf.atomic import json_bytes, replacing, write_bytes, writing
from youtu_gguf.batch.datasets import Finished, Written, write_datasets
from youtu_gguf.batch.image import Asked
from youtu_gguf.batch.image_files import ImageFiles
from youtu_gguf.batch.journal import FILES, LOCK, RESULTS
from youtu_gguf.batch.parts import Parts, Row
from youtu_gguf.batch.questions import json_to_question
from youtu_gguf.batch.settings import SETTINGS, differences
from youtu_gguf.batch.spool import InOrder, Records, SpooledImages
from youtu_gguf.batch.store import Store
from youtu_gguf.errors import InputError
from youtu_gguf.locks import locked
from youtu_gguf.output.datasets import DATASETS
from youtu_gguf.types import ProgressFn, no_progress

if TYPE_CHECKING:
    import numpy.typing as npt

COLLECTED = "collected"
"""In the settings of a folder that was collected: what its files were made of. No batch resumes there."""

LINES = "jsonl"
"""The format that is all lines in one file."""

_AHEAD, _AHEAD_WITH_FILES = 8, 2
"""Parts that are read while others are written; those with arrays may have hundreds of megabytes each."""


class Collection:
    """The images that a run has finished when this is made.

    Args:
        out: The output folder of the run.

    Attributes:
        settings: Of the run.
        asked: The questions of the run.
        formats: What can be made of it: `LINES`, and the formats that the run was asked for.
        n_images: Images that are finished.
        n_broken: Of these, those with errors.

    Raises:
        InputError: This is no output folder of a run, no image is finished, or a part cannot be read.
    """

    def __init__(self, out: Store) -> None:
        self._out = out
        self.settings = _settings_in(out)
        self.asked = _asked_in(self.settings)
        self.formats: tuple[str, ...] = (LINES, *self.settings["formats"])
        self._parts = Parts(out)
        index = self._parts.index()
        self.n_images = len(index)
        if not self.n_images:
            raise InputError(f"expected finished images in {out.address}; there are none yet. Run the batch first.")
        self.n_broken = int(np.count_nonzero(index.table["n_errors"].to_numpy()))
        self._part_names = index.parts
        self._names = index.table["image"].combine_chunks()
        self._part_of: npt.NDArray[np.int32] = index.table["part"].to_numpy()
        self._row_of: npt.NDArray[np.int32] = index.table["row"].to_numpy()

    def write(
        self, folder: Path, formats: Sequence[str], progress: ProgressFn = no_progress
    ) -> Generator[Written, None, None]:
        """Write files of all images, and yield each output when it is complete.

        Args:
            folder: Created if it does not exist; may be the output folder of the run.
            formats: Some of `formats`.
            progress: Called while the parts are read, and while data sets are written.

        Raises:
            InputError: The run has not stored a format, or `folder` holds something else.
            OutputError: The files cannot be written, or another process is writing them.
        """
        self._check(formats)
        files = [name for name in formats if name != LINES and name not in DATASETS]
        with ExitStack() as held:
            held.enter_context(_kept(folder, self._out, self.settings))
            held.enter_context(writing(folder))
            images = None
            if any(name in DATASETS for name in formats):
                images = SpooledImages(held.enter_context(Records(folder, self.n_images)), self._names, progress)
            yield from self._read(folder, LINES in formats, files, images, progress)
            if images is not None:
                yield from write_datasets(Finished(folder, self.asked, images), formats)

    def _check(self, formats: Sequence[str]) -> None:
        for name in formats:
            if name not in self.formats:
                raise InputError(
                    f"expected formats that {self._out.address} has: {', '.join(self.formats)}; got {name!r}. The run "
                    f"stores other formats if it is asked for them: --format in another output folder."
                )

    def _read(
        self, folder: Path, lines: bool, formats: Sequence[str], images: SpooledImages | None, progress: ProgressFn
    ) -> Iterator[Written]:
        """Go through all parts; write lines and files of each image, and keep what data sets need in `images`."""
        files = ImageFiles(folder, formats) if formats else None
        with ExitStack() as held:
            in_order = None
            if lines:
                file = held.enter_context(held.enter_context(replacing(folder / RESULTS)).open("wb"))
                in_order = InOrder(file.write, held.enter_context(Records(folder, self.n_images)), self.n_images)
            for place, row in self._rows(progress, files=bool(formats), pieces=images is not None):
                if files is not None:
                    files.put(row)
                if images is not None:
                    images.put(place, row.line, row.pieces)
                if in_order is not None:
                    in_order.put(place, row.line)
            if files is not None:
                files.finish()
                yield Written(folder / FILES, files.n_images)
        if lines:
            yield Written(folder / RESULTS, self.n_images)

    def _rows(self, progress: ProgressFn, *, files: bool, pieces: bool) -> Iterator[tuple[int, Row]]:
        """Yield the place in the order of names, and the row, of all images, part after part."""
        order = np.argsort(self._part_of, kind="stable")
        numbers, starts = np.unique(self._part_of[order], return_index=True)
        places = np.split(order, starts[1:])
        names = (self._part_names[number] for number in numbers)
        ahead = _AHEAD_WITH_FILES if files else _AHEAD
        with ThreadPoolExecutor(ahead) as pool:
            reading: deque[Future[list[Row]]] = deque()

            def begin() -> None:
                if (name := next(names, None)) is not None:
                    reading.append(pool.submit(self._parts.rows, name, files=files, pieces=pieces))

            for _ in range(ahead):
                begin()
            for n, of_part in enumerate(places):
                progress("parts", n, len(places))
                rows = reading.popleft().result()
                begin()
                for place in of_part.tolist():
                    yield place, rows[self._row_of[place]]


def _settings_in(out: Store) -> dict[str, Any]:
    """Return the settings of the run; with `questions`, which a batch without a cluster has not."""
    data = out.read(SETTINGS)
    where = f"the output folder of a batch with --cluster; {out.address}"
    if data is None:
        raise InputError(f"expected {where} has no {SETTINGS}. Check the path.")
    try:
        settings = dict(json.loads(data))
        _asked_in(settings), settings["formats"]
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise InputError(f"expected {where} has other {SETTINGS} (wrong or missing: {exc}). Check the path.") from exc
    return settings


def _asked_in(settings: Mapping[str, Any]) -> list[Asked]:
    return [*map(json_to_question, settings["questions"], settings["tasks"])]


@contextmanager
def _kept(folder: Path, out: Store, settings: Mapping[str, Any]) -> Iterator[None]:
    """Keep other processes out of a folder, which says from then on what it was collected from.

    Raises:
        InputError: It holds something else, or another process is using it.
        OutputError: It cannot be written to.
    """

    def refuse() -> None:
        raise InputError(
            f"expected {folder} to be free; another process is writing there. Wait for it, or name another folder."
        )

    with ExitStack() as held:
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            held.enter_context(locked(folder / LOCK, refuse))
        if out.folder is None or out.folder.resolve() != folder.resolve():
            kept = {name: value for name, value in settings.items() if name != "cluster"}
            _check_folder(folder, kept | {COLLECTED: str(out.folder or out)})
        yield


def _check_folder(folder: Path, wanted: Mapping[str, Any]) -> None:
    path = folder / SETTINGS
    try:
        before = dict(json.loads(path.read_bytes())) if path.exists() else {}
    except (OSError, ValueError, TypeError) as exc:
        raise InputError(f"expected settings in {path}; got: {exc}. Name another folder with -o.") from exc
    if not before and not (folder / RESULTS).exists():
        write_bytes(path, json_bytes(wanted, indent=2))
    elif COLLECTED not in before:
        raise InputError(
            f"expected a folder for collected files; {folder} holds the results of a batch. Name another with -o."
        )
    elif before != wanted:
        was = "; ".join(differences(before, wanted))
        raise InputError(
            f"{folder} holds files that were collected of another run ({was}). Name another folder with -o."
        )
