"""Asks the samples of an exam, image by image, on the journal of `batch`, so that a later run resumes there."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import youtu_gguf as yg
from youtu_gguf.atomic import json_bytes, writing
from youtu_gguf.batch import FILES, Batch, Journal, Tally, Worker
from youtu_gguf.batch.image import RECORDED, Done, error_form, folder_of, line_of, name_of, read_image
from youtu_gguf.batch.journal import Line
from youtu_gguf.batch.run import OPTIONS
from youtu_gguf.batch.worker import identity_of
from youtu_gguf.errors import DecodeError, EngineError, ServerError, YoutuError
from youtu_gguf.evaluate.base import Kind, Prediction, Sample
from youtu_gguf.evaluate.describe import plain
from youtu_gguf.evaluate.exam import Exam
from youtu_gguf.evaluate.figures import FIGURES, Scores
from youtu_gguf.evaluate.lines import CHOSEN, read_run
from youtu_gguf.evaluate.score import score
from youtu_gguf.output import write_bytes
from youtu_gguf.output.json import SCHEMA

Advance = Callable[[Path, Tally], None]
"""Called after each image with its path and the images so far."""


@dataclass(frozen=True, eq=False)
class Questions:
    """What is asked about the images of an exam; an `ImageWork`.

    Attributes:
        kind: How samples are asked.
        options: The values of the benchmark's settings.
        samples: Of each image, without what is right.
        data: Where the data set lies; images are named below it, so that a data set that was moved is the same.
        folder: The journal's folder.
    """

    kind: Kind
    options: Mapping[str, Any]
    samples: Mapping[Path, tuple[Sample, ...]]
    data: Path
    folder: Path

    def name(self, path: Path) -> str:
        """Return an image's name in its line."""
        return name_of(path.relative_to(self.data))

    def do(self, model: yg.Model, path: Path) -> Done:
        """Ask the samples of an image and return its line.

        Raises:
            YoutuError: An error that would affect every image.
        """
        started = time.perf_counter()
        line = line_of(path, None, name=self.name(path))
        shutil.rmtree(self.folder / FILES / self._files(path), ignore_errors=True)  # of a run that was killed
        works: bool | None = None
        try:
            data = read_image(path)
            line["sha256"] = hashlib.sha256(data).hexdigest()
            with closing(model.open(data)) as scene:
                line["size"] = list(scene.size)
                self._check_size(scene, path)
                line["results"], works = self._results(scene, path)
        except RECORDED as exc:
            line["error"] = error_form(exc)
            works = False if isinstance(exc, EngineError) else None
        line["seconds"] = round(time.perf_counter() - started, 3)
        return Done(path, line, works)

    def _results(self, scene: yg.Scene, path: Path) -> tuple[list[dict[str, Any]], bool | None]:
        """Return the samples' answers or errors, and whether the engine works."""
        results: list[dict[str, Any]] = []
        faults: list[YoutuError] = []
        for number, sample in enumerate(self.samples[path], 1):
            started = time.perf_counter()
            try:
                said = self._ask(scene, sample)
                written = {} if said.png is None else {"file": self._write(path, number, said)}
                result = {"prediction": dict(said.form), **written}
            except RECORDED as exc:
                faults.append(exc)
                result = {"error": error_form(exc)}
            seconds = round(time.perf_counter() - started, 3)
            results.append({"id": sample.id, **result, "seconds": seconds})
        if any(isinstance(fault, EngineError) for fault in faults):
            return results, False
        answered = len(faults) < len(results) or any(isinstance(fault, DecodeError) for fault in faults)
        return results, answered or None

    def _check_size(self, scene: yg.Scene, path: Path) -> None:
        """Refuse an image that is not the one that the data speak of, or a smaller copy of it.

        Raises:
            InputError: It has another size.
        """
        for size in {sample.size for sample in self.samples[path]} - {None, scene.size}:
            assert size is not None
            raise yg.InputError(
                f"expected {path.name} to have {size.width}x{size.height} pixels, as the data say; got "
                f"{scene.size.width}x{scene.size.height}. Use the original images."
            )

    def _ask(self, scene: yg.Scene, sample: Sample) -> Prediction:
        try:
            return self.kind.ask(scene, sample, self.options)
        except ServerError as exc:
            if not exc.retry:
                raise
            return self.kind.ask(scene, sample, self.options)

    def _files(self, path: Path) -> str:
        return folder_of(path.relative_to(self.data))

    def _write(self, path: Path, number: int, said: Prediction) -> str:
        """Write the pixels of an answer; return the file's path, relative to the journal's folder."""
        folder = Path(FILES, self._files(path))
        with writing(self.folder / folder):
            for part in (FILES, folder):  # the journal's own folder is there, unless somebody has deleted it
                (self.folder / part).mkdir(exist_ok=True)
        name = (folder / f"{number}-answer.png").as_posix()
        write_bytes(self.folder / name, said.read_png())
        return name


def run(
    model: yg.Model | Worker,
    exam: Exam,
    folder: str | Path,
    *,
    settings: Mapping[str, Any] | None = None,
    restart: bool = False,
    retry: bool = False,
    baselines: bool = True,
    progress: Advance | None = None,
) -> Scores:
    """Ask an exam, and return its figures, which are written to figures.json too.

    What an earlier run in the folder has finished is not asked again. A later run may ask more samples.

    Args:
        model: Answers. With a `Worker`, an image that kills the process is recorded, and the run continues.
        exam: What is asked.
        folder: Where answers are written, one line for each image; created if it does not exist.
        settings: What the model was loaded with, as keywords of `youtu_gguf.load`. Those that change answers must be
            the same in every run in the folder.
        restart: Delete earlier answers and start over.
        retry: Ask images with errors again.
        baselines: Also measure answers that do not depend on the image.
        progress: Called after each image.

    Raises:
        InputError: The folder holds answers to other questions or of another model, or is in use; or images that are
            needed are missing.
        OutputError: Answers cannot be written.
        YoutuError: An error that would affect every image.
    """
    folder = Path(folder)
    of_image = samples_by_image(exam)
    _check_images(exam, list(of_image))
    with Journal(folder, settings_of(model, exam, settings or {}), restart=restart) as journal:
        with writing(folder / FIGURES):
            (folder / FIGURES).unlink(missing_ok=True)  # of fewer samples, perhaps
        write_bytes(folder / CHOSEN, json_bytes({"limit": exam.limit, "seed": exam.seed}))
        questions = Questions(exam.benchmark.kind, exam.options, of_image, exam.data.folder, folder)
        wanted = {questions.name(path): {sample.id for sample in samples} for path, samples in of_image.items()}
        journal.drop(lambda line: _lacks(line, wanted.get(line["image"], set())))
        batch = Batch(model, questions, journal, name=questions.name)
        for path in batch.run(list(of_image), retry=retry):
            if progress is not None:
                progress(path, batch.tally)
        found = read_run(folder)
        scores = score(exam, found.said, model=found.model, seconds=found.seconds, baselines=baselines)
        scores.save(folder)
    return scores


def samples_by_image(exam: Exam) -> dict[Path, tuple[Sample, ...]]:
    """Return the samples of each image in the order of the data, without what is right: it is not to be looked at."""
    found: dict[Path, list[Sample]] = {}
    for sample in exam.samples:
        found.setdefault(sample.image, []).append(replace(sample, truth=None))
    return {path: tuple(samples) for path, samples in found.items()}


def settings_of(model: yg.Model | Worker, exam: Exam, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that answers depend on; the journal compares them.

    A limit and a seed are none of them: they choose samples, and a folder may hold more of these.
    """
    return {
        "schema": SCHEMA,
        "version": yg.__version__,
        **(model.identity if isinstance(model, Worker) else identity_of(model)),
        "benchmark": exam.benchmark.name,
        "split": exam.split,
        "preset": exam.preset,
        "settings": {name: plain(value) for name, value in exam.options.items()},
        "options": {name: value for name, value in sorted(given.items()) if name in OPTIONS},
    }


def _check_images(exam: Exam, paths: Sequence[Path]) -> None:
    """Refuse a data set without all the images that are needed: each would be a wrong answer.

    Raises:
        InputError: Some are missing; names the first.
    """
    missing = [path for path in paths if not path.exists()]
    if missing:
        raise yg.InputError(
            f"expected the images of the samples that are asked; {len(missing):,} of {len(paths):,} are missing, the "
            f"first is {missing[0]}. See `youtu-gguf eval list {exam.benchmark.name}`."
        )


def _lacks(line: Line, wanted: set[str]) -> bool:
    """Whether the image must be asked again, since it has been asked about other samples."""
    return "error" not in line and not wanted <= {result["id"] for result in line["results"]}
