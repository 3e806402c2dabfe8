"""Answers about the images of any pipeline on Ray Data: a class for `Dataset.map_batches`."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any, Self, Unpack

import numpy as np

import youtu_gguf as yg
from youtu_gguf.arguments import short_repr
from youtu_gguf.batch import Asked, Batch, Worker
from youtu_gguf.batch.image import Done, Questions
from youtu_gguf.batch.journal import Line
from youtu_gguf.batch.ledger import MemoryLedger
from youtu_gguf.batch.run import Asker, errors_in
from youtu_gguf.calibration.assumptions import Calibration
from youtu_gguf.cluster.nodes import assigned_gpus
from youtu_gguf.cluster.weights import Loading
from youtu_gguf.config import LoadSettings
from youtu_gguf.environment import share_of_machine
from youtu_gguf.errors import InputError
from youtu_gguf.images.load import load as checked_pixels
from youtu_gguf.machine import usable_cores
from youtu_gguf.output.json import MaskForm
from youtu_gguf.scene.options import split_options
from youtu_gguf.tasks import TASKS
from youtu_gguf.types import CalibrationWord

COLUMNS = ("bytes", "image")
"""Columns that hold images where none is named, as `ray.data.read_binary_files` and `read_images` name them."""

RESULTS, ERROR = "results", "error"
"""Columns that are added."""

Column = Sequence[Any] | np.ndarray
"""A column of a batch."""


class YoutuPredictor:
    """Asks the same questions about every image of a data set, for `Dataset.map_batches`.

    Each actor holds a model, in a process of its own: an image that crashes llama.cpp is asked about once more, then
    its row has an error, and the others continue. The actor's `num_cpus` are the threads. Without `num_gpus` the model
    sees no GPU.

    The batches that it is given, and those that it returns, map names of columns to arrays or lists, as Ray Data
    makes them by default (`batch_format="numpy"`). Two columns are added:

    - `results`: JSON, a list with what `--json` of each task prints, in the order of the tasks. A task that failed has
      `error` in place of values. The list is empty where the image could not be used.
    - `error`: the first error of the image or of its tasks, as `CLASS: MESSAGE`; empty where there is none.

    The column with the images is left out, all others are kept.

    Args:
        tasks: Questions, such as `yg.Question("detect", (["car"],))`.
        model: As for `load`. A path must lead to the same files on every machine.
        mmproj: As for `load`.
        engine: As for `load`, but no engine of your own.
        column: The column with the images: bytes of image files, or (H, W, 3) uint8 RGB arrays, which may differ in
            size. None takes `bytes` or `image`.
        keep_images: Whether that column is kept.
        masks: How masks are told: see `youtu_gguf.output.to_json`.
        calibration: As for `load`.
        settings: As for `load`; `threads` must not exceed the processors of the actor.

    Raises:
        InputError: There is no such task, its arguments do not fit it, or a setting is invalid.
        ModelFileError: The model is not there, or its files are broken.
        EngineError: The model cannot be loaded.
    """

    def __init__(
        self,
        tasks: Sequence[yg.Question],
        model: str | PathLike[str] | None = None,
        mmproj: str | PathLike[str] | None = None,
        engine: str = "native",
        *,
        column: str | None = None,
        keep_images: bool = False,
        masks: MaskForm = "runs",
        calibration: CalibrationWord | Calibration = "stored",
        **settings: Unpack[LoadSettings],
    ) -> None:
        questions = Questions(asked_of(tasks), (), masks)
        share = Share.of_this_actor()
        found = Loading.of(model, mmproj, engine, calibration=calibration, **settings)
        loading = found.sized(share.cpus, len(share.gpus))
        self._worker = Worker(loading.load, environment=share_of_machine(loading.about["threads"], share.gpus))
        self._columns = Columns(column, keep_images)
        self._answers = Answers(self._worker, questions)

    def __call__(self, batch: Mapping[str, Column]) -> dict[str, Column]:
        """Return a batch with the answers about its images.

        Raises:
            InputError: The batch has no such column, or it does not hold images.
            EngineError: The engine failed on several images in a row.
            YoutuError: Another error that would affect every image.
        """
        images, others = self._columns.split(batch)
        lines = self._answers.of(images)
        results = [json.dumps(line.get("results", []), ensure_ascii=False) for line in lines]
        return {**others, RESULTS: results, ERROR: [*map(_first_error, lines)]}

    def close(self) -> None:
        """End the process with the model. Safe to call twice; the end of the actor does so too."""
        self._worker.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@dataclass(frozen=True)
class Share:
    """What this process may use of its machine.

    Attributes:
        cpus: Processors.
        gpus: GPUs, by number or UUID.
    """

    cpus: int
    gpus: tuple[str, ...] = ()

    @classmethod
    def of_this_actor(cls) -> Self:
        """Return what Ray has assigned to this actor; outside of Ray, all processors."""
        ray = sys.modules.get("ray")  # an actor has imported it
        if ray is None or not ray.is_initialized():
            return cls(usable_cores())
        context = ray.get_runtime_context()
        if context.get_actor_id() is None:
            return cls(usable_cores())
        cpus = context.get_assigned_resources().get("CPU", 1)
        return cls(max(1, int(cpus)), tuple(assigned_gpus()))


@dataclass(frozen=True)
class Columns:
    """Which column of a batch holds images, and whether it is kept."""

    images: str | None
    keep: bool

    def split(self, batch: Mapping[str, Column]) -> tuple[Column, dict[str, Column]]:
        """Return the images of a batch, and the columns that are kept.

        Raises:
            InputError: There is no column with images, or one with the name of those that are added.
        """
        if not isinstance(batch, Mapping):
            raise InputError(
                f"expected a batch as a mapping of columns; got {type(batch).__name__}. Leave batch_format out of "
                'map_batches, or set it to "numpy".'
            )
        named = [self.images] if self.images is not None else COLUMNS
        found = next((name for name in named if name in batch), None)
        if found is None:
            expected = f"a column {' or '.join(named)} with the images"
            raise InputError(f"expected {expected}; got {', '.join(batch) or 'no columns'}. Name it with column=.")
        for name in (RESULTS, ERROR):
            if name in batch:
                raise InputError(f"expected a batch without a column {name}, which is added. Rename that column first.")
        return batch[found], {name: values for name, values in batch.items() if self.keep or name != found}


class Answers:
    """Asks questions about images in memory.

    Args:
        model: Does the images: see `Batch`.
        questions: What is asked about each.
    """

    def __init__(self, model: yg.Model | Asker, questions: Questions) -> None:
        self._ledger = MemoryLedger()
        self._batch = Batch(model, PixelWork(questions), self._ledger, name=lambda path: path.name)

    def of(self, images: Column) -> list[Line]:
        """Return the line of each image, as a batch has it.

        Raises:
            InputError: These are no images.
            YoutuError: An error that would affect every image.
        """
        broken: dict[str, Line] = {}
        paths: list[Path] = []
        with tempfile.TemporaryDirectory(prefix="youtu-gguf-") as folder:
            for number, image in enumerate(images):
                path = Path(folder, f"{number}")
                try:
                    path.write_bytes(_as_file(image))
                    paths.append(path)
                except InputError as exc:
                    broken[path.name] = {"error": {"class": "InputError", "message": str(exc)}}
            for _ in self._batch.run(paths):
                pass
        found = {**broken, **{path.name: self._ledger.lines.pop(path.name) for path in paths}}
        return [found[str(number)] for number in range(len(images))]


@dataclass(frozen=True)
class PixelWork:
    """Questions about images that have no name."""

    questions: Questions

    def do(self, model: yg.Model, path: Path) -> Done:
        """Ask all questions about an image."""
        return self.questions.ask(model, path, "the image", _no_files)


def asked_of(tasks: Sequence[yg.Question]) -> tuple[Asked, ...]:
    """Return questions with their arguments as JSON has them.

    Raises:
        InputError: There is no such task, or its arguments do not fit it.
    """
    if isinstance(tasks, yg.Question | str) or not tasks:
        raise InputError(f'expected tasks as a list, such as [Question("depth")]; got {short_repr(tasks)}.')
    return tuple(_asked(question) for question in tasks)


def _asked(question: yg.Question) -> Asked:
    if not isinstance(question, yg.Question):
        raise InputError(f'expected a task such as Question("detect", (["car"],)); got {short_repr(question)}.')
    options, _ = split_options(question)
    names = (argument.name for argument in TASKS[question.task].arguments)
    arguments = {**dict(zip(names, question.arguments, strict=False)), **options}
    try:
        plain = json.loads(json.dumps(arguments, default=_plain))
    except (TypeError, ValueError) as exc:
        raise InputError(f"expected arguments that JSON has a form for; got {short_repr(arguments)}: {exc}.") from exc
    return Asked(question.task, question, {"arguments": plain})


def _plain(value: object) -> object:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} has none")


def _as_file(image: object) -> bytes:
    """Return the bytes of an image file: pixels as a PPM file, which is read at once.

    Raises:
        InputError: This is no image.
    """
    if isinstance(image, bytes):
        return image
    if not isinstance(image, np.ndarray):
        raise InputError(f"expected bytes of an image file or an array; got {type(image).__name__}.")
    rgb = checked_pixels(image)
    return b"P6 %d %d 255\n" % (rgb.shape[1], rgb.shape[0]) + rgb.tobytes()


def _no_files(file: str, *data: bytes | memoryview) -> None:
    raise AssertionError(f"no format was asked for; got {file}, {sum(map(len, data))} bytes")


def _first_error(line: Line) -> str:
    return next((f"{error['class']}: {error['message']}" for error in errors_in(line)), "")
