"""Runs a batch: open each image, ask all questions, write the results, record that it is finished."""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import youtu_gguf as yg
from youtu_gguf.batch.journal import FILES, Journal, Line
from youtu_gguf.errors import DecodeError, EngineError, InputError, ServerError, YoutuError
from youtu_gguf.output import WRITERS, Source, to_json
from youtu_gguf.output.json import SCHEMA
from youtu_gguf.types import in_words

MOST_ENGINE_ERRORS = 3
"""The batch ends when the engine fails on this many images in a row: the images are then hardly the cause."""
OF_THE_ENGINE = (EngineError.__name__, ServerError.__name__)
OF_THE_IMAGE = (InputError, DecodeError, EngineError)
"""Errors that are recorded, and the batch continues. Others, such as a model that lacks tokens, affect every image."""


@dataclass(frozen=True)
class Asked:
    """A question for every image.

    Attributes:
        words: As the user typed it; `task` in the results.
        question: The question.
        context: Further keys of its result in JSON.
    """

    words: str
    question: yg.Question
    context: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Tally:
    """Images of one run: done in this run, skipped because an earlier run finished them; of both, those with errors."""

    done: int = 0
    skipped: int = 0
    broken: int = 0


class Batch:
    """Asks many images the same questions, all questions of an image together.

    Args:
        model: Answers the questions.
        asked: The questions.
        journal: Where the results go.
        arrays: Also write boxes, masks, label maps, depth and other arrays as .npz.
        drawings: Also write the results drawn on the image as .png.
    """

    def __init__(
        self, model: yg.Model, asked: Sequence[Asked], journal: Journal, *, arrays: bool = True, drawings: bool = False
    ) -> None:
        self._model = model
        self._asked = asked
        self._journal = journal
        self._arrays, self._drawings = arrays, drawings
        self._n_parallel = model.engine.n_parallel
        self.tally = Tally()

    def run(self, images: Sequence[Path], *, retry: bool = False) -> Iterator[Path]:
        """Do the images that are not finished. Yield each image once it is finished, also those of earlier runs.

        An image is done again if its file has changed, and with `retry` if it has errors. If an image cannot be opened
        or a question cannot be answered, the image's line says so, and the other questions and images continue.

        Raises:
            EngineError: The engine failed on several images in a row.
            YoutuError: An error that would affect every image.
        """
        if retry:
            named = set(map(name_of, images))
            self._journal.drop(lambda line: line["image"] in named and bool(_errors(line)))
        in_a_row = 0
        for path, line in self._lines(images):
            name = name_of(path)
            if line is None:
                self.tally.skipped += 1
                self.tally.broken += bool(_errors(self._journal.lines[name]))
                yield path
                continue
            self._journal.add(name, line)
            errors = _errors(line)
            self.tally.done += 1
            self.tally.broken += bool(errors)
            yield path
            in_a_row = in_a_row + 1 if any(error["class"] in OF_THE_ENGINE for error in errors) else 0
            if in_a_row >= max(MOST_ENGINE_ERRORS, self._n_parallel):
                raise EngineError(
                    f"the engine failed on {in_a_row} images in a row, the last with: {errors[-1]['message']} Fix "
                    "the cause, then ask those images again with --retry."
                )

    def _lines(self, images: Sequence[Path]) -> Iterator[tuple[Path, Line | None]]:
        """Yield each image with its line when it is done, or with None if the journal already has the line.

        An engine that works on several images at a time gets that many, and they may finish in any order.
        """
        if self._n_parallel == 1:
            for path in images:
                data = self._due(path)
                yield path, None if data is None else self._line(path, data)
            return
        pool = ThreadPoolExecutor(self._n_parallel, "youtu-gguf batch")
        running: dict[Future[Line], Path] = {}
        try:
            for path in images:
                data = self._due(path)
                if data is None:
                    yield path, None
                    continue
                running[pool.submit(self._line, path, data)] = path
                if len(running) == self._n_parallel:
                    yield from _ended(running)
            while running:
                yield from _ended(running)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)  # closing the model ends the answers in progress

    def _due(self, path: Path) -> bytes | InputError | None:
        """Return an image's bytes, or why it cannot be read; None if the journal has a line for exactly these bytes."""
        data, name = _bytes(path), name_of(path)
        known = self._journal.lines.get(name)
        if known is None:
            return data
        if known["sha256"] == _digest(data):
            return None
        self._journal.drop(lambda line: bool(line["image"] == name))
        return data

    def _line(self, path: Path, data: bytes | InputError) -> Line:
        """Ask all questions of one image, write its files, and return its line."""
        started = time.perf_counter()
        self._journal.clear_files(folder_of(path))
        line: Line = {"schema": SCHEMA, "image": name_of(path), "sha256": _digest(data)}
        try:
            if isinstance(data, InputError):
                raise data
            with closing(self._model.open(data)) as scene:
                line["size"] = list(scene.size)
                line["results"] = self._results(scene, path)
        except OF_THE_IMAGE as exc:
            line["error"] = _error(exc)
        line["seconds"] = round(time.perf_counter() - started, 3)
        return line

    def _results(self, scene: yg.Scene, path: Path) -> list[dict[str, Any]]:
        results: list[dict[str, Any]] = [{}] * len(self._asked)
        for update in self._updates(scene):
            asked = self._asked[update.index]
            if update.error is not None:
                if not isinstance(update.error, OF_THE_IMAGE):
                    raise update.error
                results[update.index] = {"task": asked.words, "error": _error(update.error)}
            elif update.result is not None:
                written = self._write(scene, update.result, path, f"{update.index + 1}-{asked.question.task}")
                form = to_json(update.result, task=asked.words, **asked.context)
                results[update.index] = form | ({"files": written} if written else {})
        return results

    def _updates(self, scene: yg.Scene) -> Iterator[yg.Update]:
        """Ask all questions together; one after the other where several images are in progress.

        A server then finds the image in the slot of the first question. If the questions came together, they would go
        to several slots, and each slot would have to encode the image.
        """
        if self._n_parallel == 1:
            yield from scene.many([asked.question for asked in self._asked], stream=True)
            return
        for index, asked in enumerate(self._asked):
            *_, end = scene.many([asked.question], stream=True)
            if isinstance(end.error, ServerError) and end.error.retry:
                *_, end = scene.many([asked.question], stream=True)
            yield replace(end, index=index)

    def _write(self, scene: yg.Scene, result: yg.Result, path: Path, stem: str) -> list[str]:
        """Write the drawing and the arrays of a result; return their paths, relative to the journal's folder."""
        if in_words(result):
            return []
        names = []
        folder = Path(FILES, folder_of(path))
        if self._arrays or self._drawings:
            (self._journal.folder / folder).mkdir(parents=True, exist_ok=True)
        if self._arrays:
            names.append((folder / f"{stem}.npz").as_posix())
            WRITERS["npz"](self._journal.folder / names[-1], result)
        if self._drawings:
            names.append((folder / f"{stem}.png").as_posix())
            WRITERS["png"](self._journal.folder / names[-1], result, Source(scene.rgb))
        return names


def _ended(running: dict[Future[Line], Path]) -> Iterator[tuple[Path, Line]]:
    """Wait until at least one of `running` is done; remove and yield those that are."""
    for future in wait(running, return_when=FIRST_COMPLETED).done:
        yield running.pop(future), future.result()


def name_of(path: Path) -> str:
    r"""Return an image's name in JSON: its path, with \xff for bytes that are not UTF-8."""
    return os.fsencode(path.as_posix()).decode("utf-8", "backslashreplace")


def folder_of(path: Path) -> str:
    """Return the name of the folder for an image's files: readable, and different for every path."""
    readable = re.sub(r"[^\w.-]", "_", path.stem, flags=re.ASCII)[:40].strip(".") or "image"
    return f"{readable}-{hashlib.sha256(os.fsencode(path.as_posix())).hexdigest()[:8]}"


def settings_of(
    model: yg.Model, asked: Sequence[Asked], options: Mapping[str, Any], *, arrays: bool, drawings: bool
) -> dict[str, Any]:
    """Return the settings that the results of a batch depend on; the journal compares them."""
    return {
        "schema": SCHEMA,
        "version": yg.__version__,
        "model": dict(model.files),
        "tasks": [asked.words for asked in asked],
        "options": {name: value for name, value in sorted(options.items()) if name in OPTIONS},
        "files": [kind for kind, wanted in (("npz", arrays), ("png", drawings)) if wanted],
    }


OPTIONS = ("max_tokens", "max_s", "image_max_tokens", "n_ctx", "temperature", "seed", "scores", "lang")
"""Settings of a model that change its answers, not only its speed."""


def _bytes(path: Path) -> bytes | InputError:
    try:
        return path.read_bytes()
    except OSError as exc:
        return InputError(f"expected an image file; got {path}: {exc.strerror}. Check the path.")
    except ValueError as exc:  # a list may hold a name with a zero byte
        return InputError(f"expected an image file; got {str(path)!r}: {exc}. Correct the list.")


def _digest(data: bytes | InputError) -> str | None:
    return hashlib.sha256(data).hexdigest() if isinstance(data, bytes) else None


def _error(exc: YoutuError) -> dict[str, str]:
    return {"class": type(exc).__name__, "message": str(exc)}


def _errors(line: Line) -> list[dict[str, str]]:
    """Return the errors of an image and of its questions."""
    parts = [line, *line.get("results", ())]
    return [part["error"] for part in parts if "error" in part]
