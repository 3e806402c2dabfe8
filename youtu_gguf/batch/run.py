"""One image after another: open, ask everything, write, note that it is finished."""

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
"""Images in a row that the engine may fail on before the batch ends: then it is not the images."""
OF_THE_ENGINE = (EngineError.__name__, ServerError.__name__)
OF_THE_IMAGE = (InputError, DecodeError, EngineError)
"""Errors that are noted, and the batch goes on; others, as of a model that lacks tokens, come with every image."""


@dataclass(frozen=True)
class Asked:
    """What is asked of every image.

    Attributes:
        words: As the user said it; stands in the results as `task`.
        question: What that means.
        context: Further keys of its JSON.
    """

    words: str
    question: yg.Question
    context: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Tally:
    """Images of one run: done now, finished by an earlier one, and those among both that have errors."""

    done: int = 0
    skipped: int = 0
    broken: int = 0


class Batch:
    """Asks the same of many images, all questions of one image together.

    Args:
        model: What answers.
        asked: The questions.
        journal: Where the results go.
        arrays: Write masks, label maps, depth and the like as .npz too.
        pictures: Write results drawn on the image as .png too.
    """

    def __init__(
        self, model: yg.Model, asked: Sequence[Asked], journal: Journal, *, arrays: bool = True, pictures: bool = False
    ) -> None:
        self._model = model
        self._asked = asked
        self._journal = journal
        self._arrays, self._pictures = arrays, pictures
        self._n_parallel = model.engine.n_parallel
        self.tally = Tally()

    def run(self, images: Sequence[Path], *, retry: bool = False) -> Iterator[Path]:
        """Do what is not finished, and yield each image when it is, those of earlier runs included.

        An image is done again if its file has other bytes than before, and with `retry` if it was broken. What cannot
        be opened, and questions that cannot be answered, are noted in the image's line; the other questions and images
        go on.

        Raises:
            EngineError: The engine failed on several images in a row.
            YoutuError: Something that would come with every image.
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
                    f"the engine failed on {in_a_row} images in a row, last with: {errors[-1]['message']} Once that is "
                    "mended, --retry asks those images again."
                )

    def _lines(self, images: Sequence[Path]) -> Iterator[tuple[Path, Line | None]]:
        """Yield each image with its line when it is done, or None where that stands in the journal already.

        An engine that answers about several images at a time is given as many; they are then done in any order.
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
            pool.shutdown(wait=False, cancel_futures=True)  # closing the model ends what is still being answered

    def _due(self, path: Path) -> bytes | InputError | None:
        """Return an image's file, or why it cannot be read; None if what is in the journal is of this very file."""
        data, name = _bytes(path), name_of(path)
        known = self._journal.lines.get(name)
        if known is None:
            return data
        if known["sha256"] == _digest(data):
            return None
        self._journal.drop(lambda line: bool(line["image"] == name))
        return data

    def _line(self, path: Path, data: bytes | InputError) -> Line:
        """Ask everything of one image, write its files, and return its line."""
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
        """Ask everything together; where images are asked about in parallel, one after the other.

        A server then finds the image of the second question where the first one left it; asked together, they would go
        to several slots, and each of those would have to look at the image itself.
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
        """Write pictures and arrays of a result; return their names, from the journal's folder on."""
        if in_words(result):
            return []
        names = []
        folder = Path(FILES, folder_of(path))
        if self._arrays or self._pictures:
            (self._journal.folder / folder).mkdir(parents=True, exist_ok=True)
        if self._arrays:
            names.append((folder / f"{stem}.npz").as_posix())
            WRITERS["npz"](self._journal.folder / names[-1], result)
        if self._pictures:
            names.append((folder / f"{stem}.png").as_posix())
            WRITERS["png"](self._journal.folder / names[-1], result, Source(scene.rgb))
        return names


def _ended(running: dict[Future[Line], Path]) -> Iterator[tuple[Path, Line]]:
    """Wait until one of the `running` is done; take out and yield those that are."""
    for future in wait(running, return_when=FIRST_COMPLETED).done:
        yield running.pop(future), future.result()


def name_of(path: Path) -> str:
    r"""Return the name an image is known by: its path; bytes that are no UTF-8, which JSON cannot hold, are \xff."""
    return os.fsencode(path.as_posix()).decode("utf-8", "backslashreplace")


def folder_of(path: Path) -> str:
    """Return the name of the folder for an image's files: readable, and another one for every path."""
    readable = re.sub(r"[^\w.-]", "_", path.stem, flags=re.ASCII)[:40].strip(".") or "image"
    return f"{readable}-{hashlib.sha256(os.fsencode(path.as_posix())).hexdigest()[:8]}"


def settings_of(
    model: yg.Model, asked: Sequence[Asked], options: Mapping[str, Any], *, arrays: bool, pictures: bool
) -> dict[str, Any]:
    """Return what the results of a batch depend on, for the journal to compare."""
    return {
        "schema": SCHEMA,
        "version": yg.__version__,
        "model": dict(model.files),
        "tasks": [asked.words for asked in asked],
        "options": {name: value for name, value in sorted(options.items()) if name in OPTIONS},
        "files": [kind for kind, wanted in (("npz", arrays), ("png", pictures)) if wanted],
    }


OPTIONS = ("max_tokens", "max_s", "image_max_tokens", "n_ctx", "temperature", "seed", "scores", "lang")
"""Settings of a model that change its answers, rather than how fast they come."""


def _bytes(path: Path) -> bytes | InputError:
    try:
        return path.read_bytes()
    except OSError as exc:
        return InputError(f"expected an image file; got {path}: {exc.strerror}.")
    except ValueError as exc:  # a name with a zero byte, from a list
        return InputError(f"expected an image file; got {str(path)!r}: {exc}.")


def _digest(data: bytes | InputError) -> str | None:
    return hashlib.sha256(data).hexdigest() if isinstance(data, bytes) else None


def _error(exc: YoutuError) -> dict[str, str]:
    return {"class": type(exc).__name__, "message": str(exc)}


def _errors(line: Line) -> list[dict[str, str]]:
    """Return the errors of an image and of its questions."""
    parts = [line, *line.get("results", ())]
    return [part["error"] for part in parts if "error" in part]
