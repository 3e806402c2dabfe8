"""One image of a batch: ask all its questions, write its files, make its line."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from io import BufferedReader
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

import youtu_gguf as yg
from youtu_gguf.atomic import json_bytes, write_bytes, writing
from youtu_gguf.batch.journal import FILES, Line
from youtu_gguf.errors import CancelledError, DecodeError, EngineError, InputError, ServerError, YoutuError
from youtu_gguf.output import WRITERS, Source, asked_label, to_json
from youtu_gguf.output.datasets import DATASETS, Part
from youtu_gguf.output.json import SCHEMA, MaskForm
from youtu_gguf.tasks import TASKS
from youtu_gguf.types import Result, Text, in_words

NPZ = "npz"
"""The format that a batch writes where none is named: all arrays."""

PARTS = ".parts.jsonl"
"""How the name of a file with parts ends: what data sets need of one value, a line of JSON for each."""

OF_THE_IMAGE = (InputError, DecodeError, CancelledError)
"""Errors of an image or of a question about it."""

RECORDED = (*OF_THE_IMAGE, EngineError)
"""Errors that are recorded, and the batch continues. Others, such as a disk that is full or a model that lacks tokens,
affect every image."""


@dataclass(frozen=True)
class Asked:
    """A question for every image.

    Attributes:
        words: As the user typed it; `task` in the results.
        question: The question.
        context: Further keys of its result in JSON.
        without: Formats that its results are not written in, though they have a form in them.
    """

    words: str
    question: yg.Question
    context: Mapping[str, Any] = field(default_factory=dict)
    without: tuple[str, ...] = ()

    @property
    def arguments(self) -> Mapping[str, object]:
        """What the question gives the task, by name."""
        names = (argument.name for argument in TASKS[self.question.task].arguments)
        return {**dict(zip(names, self.question.arguments, strict=False)), **self.question.options}

    @property
    def kind(self) -> type[Result]:
        """The type of its values; `Text` stands for a number alone too."""
        task = TASKS[self.question.task]
        return Text if task.is_in_words(self.arguments) else task.value


@dataclass(frozen=True)
class Done:
    """An image that is done.

    Attributes:
        path: The image.
        line: Its line in the journal.
        engine_works: Whether the engine answered; False if it failed at any question, None if it was not asked.
        files: What was made of it and is not on a disk yet, by name.
    """

    path: Path
    line: Line
    engine_works: bool | None = None
    files: Mapping[str, bytes] = field(default_factory=dict)


class Put(Protocol):
    """Keeps a file that was made of an image."""

    def __call__(self, file: str, *data: bytes | memoryview) -> None:
        """Keep `data` under a name such as "files/street-6e1f0a42/1-detect.npz"."""
        ...


class ImageWork(Protocol):
    """What is done with every image. A `Worker` needs one that can be pickled."""

    def do(self, model: yg.Model, path: Path) -> Done:
        """Do an image.

        Raises:
            YoutuError: An error that would affect every image.
        """
        ...


@dataclass(frozen=True)
class Questions:
    """The same questions for every image. The caller of `ask` keeps the files.

    Attributes:
        asked: The questions.
        formats: Formats of `output.DATASETS`, of which a part is written for each value, and of `output.WRITERS`, of
            which a file is.
        masks: How lines tell masks.
    """

    asked: tuple[Asked, ...]
    formats: tuple[str, ...] = (NPZ,)
    masks: MaskForm = "runs"

    def ask(self, model: yg.Model, path: Path, name: str, put: Put) -> Done:
        """Ask all questions about an image, give its files to `put`, and return its line.

        Args:
            model: The model.
            path: The image's file.
            name: What its line and its files are named after.
            put: Gets each file before the line is returned.

        Raises:
            YoutuError: An error that would affect every image.
        """
        started = time.perf_counter()
        line = line_of(name, None)
        faults: list[YoutuError] = []
        try:
            data = read_image(path, name)
            line["sha256"] = hashlib.sha256(data).hexdigest()
            with closing(model.open(data)) as scene:
                line["size"] = list(scene.size)
                line["results"] = self._results(scene, name, put, faults)
        except RECORDED as exc:
            faults.append(exc)
            line["error"] = error_form(exc)
        line["seconds"] = round(time.perf_counter() - started, 3)
        return Done(path, line, _engine_works(line, faults))

    def _results(self, scene: yg.Scene, name: str, put: Put, faults: list[YoutuError]) -> list[dict[str, Any]]:
        """Return the questions' results, or errors, which are added to `faults` too."""
        results: list[dict[str, Any]] = [{}] * len(self.asked)
        for update in self._updates(scene):
            asked = self.asked[update.index]
            if update.error is not None:
                if not isinstance(update.error, RECORDED):
                    raise update.error
                faults.append(update.error)
                results[update.index] = {"task": asked.words, "error": error_form(update.error)}
            elif update.result is not None:
                form = to_json(update.result, masks=self.masks, task=asked.words, **asked.context)
                results[update.index] = form | self._write(scene, update.result, name, update.index, put)
        return results

    def _updates(self, scene: yg.Scene) -> Iterator[yg.Update]:
        """Ask all questions together; one after the other where several images are in progress.

        A server then finds the image in the slot of the first question. If the questions came together, they would go
        to several slots, and each slot would have to encode the image.
        """
        if scene.model.engine.n_parallel == 1:
            yield from scene.many([asked.question for asked in self.asked], stream=True)
            return
        for index, asked in enumerate(self.asked):
            *_, end = scene.many([asked.question], stream=True)
            if isinstance(end.error, ServerError) and end.error.retry:
                *_, end = scene.many([asked.question], stream=True)
            yield replace(end, index=index)

    def _write(self, scene: yg.Scene, result: Result, image: str, index: int, put: Put) -> Line:
        """Make the files and the part of a result; return what its line tells of them."""
        asked = self.asked[index]
        kind = Text if in_words(result) else type(result)
        formats = [name for name in self.formats if has_form(kind, name) and name not in asked.without]
        if not formats:
            return {}
        folder = Path(FILES, folder_of(image))
        told = {"image": name_of(image), "task": asked.words, **asked.context}
        label, focal_px = asked_label(asked.arguments), scene.focal_px
        source = Source(scene.rgb, told, PurePosixPath(image).name, label=label, focal_px=focal_px, focal_from="exif")
        stem = (folder / f"{index + 1}-{asked.question.task}").as_posix()
        parts: dict[str, Part] = {}
        files: list[str] = []
        unwritten: dict[str, str] = {}
        for name in formats:
            try:
                if name in DATASETS:
                    parts[name] = DATASETS[name].part(result, source)
                else:
                    written = WRITERS[name].files(Path(f"{stem}.{name}"), result, source)
                    for file, data in written.items():
                        put(file.as_posix(), data)
                    files += [file.as_posix() for file in reversed(written)]
            except InputError as exc:  # of this result alone, such as a place in space without a focal length
                unwritten[name] = str(exc)
        line: Line = {"files": files} if files else {}
        if parts:
            line["parts"] = {"file": f"{stem}{PARTS}", "formats": list(parts)}
            put(line["parts"]["file"], *map(json_bytes, parts.values()))
        return line | ({"unwritten": unwritten} if unwritten else {})


@dataclass(frozen=True)
class Work:
    """Questions for every image, whose files are written to a folder.

    Attributes:
        questions: The questions.
        folder: The journal's folder.
    """

    questions: Questions
    folder: Path

    def do(self, model: yg.Model, path: Path) -> Done:
        """Ask all questions about an image, write its files, and return its line.

        Raises:
            YoutuError: An error that would affect every image.
        """
        return self.questions.ask(model, path, path.as_posix(), self._put)

    def _put(self, file: str, *data: bytes | memoryview) -> None:
        path = self.folder / file
        with writing(path.parent):
            for folder in (path.parent.parent, path.parent):  # the journal's own is there, unless somebody deleted it
                folder.mkdir(exist_ok=True)
        write_bytes(path, *data)


def checked_formats(formats: Sequence[str], asked: Sequence[Asked]) -> tuple[str, ...]:
    """Return the formats, each once, in their order.

    Raises:
        InputError: There is no such format, or no question has a form in it.
    """
    known = dict.fromkeys((*DATASETS, *WRITERS))
    for name in formats:
        if name not in known:
            raise InputError(f"expected formats among {', '.join(known)}; got {name!r}.")
        if not any(has_form(one.kind, name) for one in asked):
            tasks = ", ".join(dict.fromkeys(one.question.task for one in asked))
            fitting = ", ".join(each for each in known if any(has_form(one.kind, each) for one in asked))
            raise InputError(f"expected formats that results of {tasks} have a form in: {fitting}; got {name!r}.")
    return tuple(dict.fromkeys(formats))


def has_form(kind: type[Result], name: str) -> bool:
    """Return whether values of a type have a form in the format `name`."""
    return issubclass(kind, DATASETS[name].takes if name in DATASETS else WRITERS[name].takes)


def _engine_works(line: Line, faults: list[YoutuError]) -> bool | None:
    if any(isinstance(fault, EngineError) for fault in faults):
        return False
    answered = any("error" not in result for result in line.get("results", ()))
    return True if answered or any(isinstance(fault, DecodeError) for fault in faults) else None


def line_of(path: Path | str, digest: str | None, error: YoutuError | None = None, name: str | None = None) -> Line:
    """Return the beginning of an image's line, with the error that is all there is to say about it.

    The image's name is `name_of(path)` by default.
    """
    line: Line = {"schema": SCHEMA, "image": name or name_of(path), "sha256": digest}
    return line if error is None else line | {"error": error_form(error), "seconds": 0.0}


def error_form(exc: YoutuError) -> dict[str, str]:
    """Return an error as a line has it."""
    return {"class": type(exc).__name__, "message": str(exc)}


def read_image(path: Path, name: str | None = None) -> bytes:
    """Return the bytes of an image file, which errors call `name`, or as its path says.

    Raises:
        InputError: It cannot be read.
    """
    with _reading(path, name) as file:
        return file.read()


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits; the file is not held in memory.

    Raises:
        InputError: It cannot be read.
    """
    with _reading(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _reading(path: Path, name: str | None = None) -> Iterator[BufferedReader]:
    name = name or str(path)
    try:
        if not stat.S_ISREG(path.stat().st_mode) and not path.is_dir():  # a pipe or a device may have no end
            raise InputError(f"expected an image file; {name} is a pipe or a device. Write it to a file first.")
        with path.open("rb") as file:
            yield file
    except OSError as exc:
        raise InputError(f"expected an image file; got {name}: {exc.strerror}. Check the path.") from exc
    except ValueError as exc:  # a list may hold a name with a zero byte
        raise InputError(f"expected an image file; got {name!r}: {exc}. Correct the list.") from exc


def name_of(path: Path | str) -> str:
    r"""Return an image's name in JSON: its path, with \xff for bytes that are not UTF-8."""
    return os.fsencode(_posix(path)).decode("utf-8", "backslashreplace")


def folder_of(path: Path | str) -> str:
    """Return the name of the folder for an image's files: readable, and different for every path."""
    name = _posix(path)
    readable = re.sub(r"[^\w.-]", "_", PurePosixPath(name).stem, flags=re.ASCII)[:40].strip(".") or "image"
    return f"{readable}-{hashlib.sha256(os.fsencode(name)).hexdigest()[:8]}"


def _posix(path: Path | str) -> str:
    return path if isinstance(path, str) else path.as_posix()
