"""Runs a batch: begins each image that is not finished, and records how it ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import youtu_gguf as yg
from youtu_gguf.batch.image import NPZ, Asked, Done, ImageWork, Questions, Work, digest_of, folder_of, line_of, name_of
from youtu_gguf.batch.journal import Journal, Line
from youtu_gguf.batch.ledger import Ledger
from youtu_gguf.batch.messages import Died, identity_of
from youtu_gguf.batch.worker import Worker
from youtu_gguf.errors import EngineError, InputError
from youtu_gguf.output.json import SCHEMA, MaskForm

MOST_ENGINE_ERRORS = 3
"""The batch ends when the engine fails on this many images in a row: the images are then hardly the cause."""

TRIES = 2
"""How often an image is begun that the process does not survive."""

NAMED = 5
"""Images with errors that a tally names."""


@dataclass
class Tally:
    """Images of one run: done in this run, skipped because an earlier run finished them; of both, those with errors.

    Attributes:
        done: Done in this run.
        skipped: Finished by an earlier run.
        broken: Of both, those with errors.
        named: The first of these.
    """

    done: int = 0
    skipped: int = 0
    broken: int = 0
    named: list[str] = field(default_factory=list)

    def count(self, line: Line) -> None:
        """Count an image's errors."""
        if errors_in(line):
            self.broken += 1
            self.named += [line["image"]] if len(self.named) < NAMED else []


class Asker(Protocol):
    """What does the images that a batch begins, as a `Worker` does."""

    @property
    def n_parallel(self) -> int:
        """Images to begin before waiting."""
        ...

    def prepare(self, work: ImageWork) -> None:
        """Set what is to be done with every image."""
        ...

    def make_ready(self, path: Path) -> None:
        """Do what comes before an image can do harm: bring back a process that has died, and the image to it."""
        ...

    def start(self, path: Path) -> None:
        """Begin an image."""
        ...

    def wait(self) -> Done | Died:
        """Return the next image that is done, or that all images in progress are lost."""
        ...

    def stop(self) -> None:
        """Give up the images in progress."""
        ...


class Through:
    """An `Asker` that has another do the images; classes that add something to that derive from it."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker

    @property
    def n_parallel(self) -> int:
        """Images to begin before waiting."""
        return self._asker.n_parallel

    def prepare(self, work: ImageWork) -> None:
        """Set what is to be done with every image."""
        self._asker.prepare(work)

    def make_ready(self, path: Path) -> None:
        """Do what comes before an image can do harm."""
        self._asker.make_ready(path)

    def start(self, path: Path) -> None:
        """Begin an image."""
        self._asker.start(path)

    def wait(self) -> Done | Died:
        """Return the next image that is done, or that all images in progress are lost."""
        return self._asker.wait()

    def stop(self) -> None:
        """Give up the images in progress."""
        self._asker.stop()


class Batch:
    """Asks many images the same questions, all questions of an image together.

    Args:
        model: Answers the questions, or does the images in its own way. A `Worker` survives images that kill the
            process; with a model in this process, the next run on the same journal begins such an image once more, and
            then records it.
        asked: The questions, whose files go to the folder of the journal; or other work, which `formats` and `masks`
            say nothing about.
        journal: Where the results go; for questions, a `Journal`.
        formats: As for `Work`; see `checked_formats`.
        masks: How lines tell masks.
        name: Names an image in its line and in the journal.
    """

    def __init__(
        self,
        model: yg.Model | Asker,
        asked: Sequence[Asked] | ImageWork,
        journal: Ledger,
        *,
        formats: Sequence[str] = (NPZ,),
        masks: MaskForm = "runs",
        name: Callable[[Path], str] = name_of,
    ) -> None:
        self._asker: Asker = _Here(model) if isinstance(model, yg.Model) else model
        if isinstance(asked, Sequence):
            assert isinstance(journal, Journal)
            asked = Work(Questions(tuple(asked), tuple(formats), masks), journal.folder)
        self._asker.prepare(asked)
        self._name = name
        self._journal = journal
        self._running: list[Path] = []
        self._in_a_row = 0
        self.tally = Tally()

    def run(self, images: Sequence[Path], *, retry: bool = False) -> Iterator[Path]:
        """Do the images that are not finished. Yield each image once it is finished, also those of earlier runs.

        An image is done again if its file has changed, and with `retry` if it has errors. If an image cannot be opened
        or a question cannot be answered, the image's line says so, and the other questions and images continue. So it
        does for an image that has killed the process twice. Several images may be in progress, and finish in any order.

        Raises:
            EngineError: The engine failed on several images in a row.
            OutputError: Results cannot be written.
            YoutuError: An error that would affect every image.
        """
        if retry:
            named = set(map(self._name, images))
            self._journal.drop(lambda line: line["image"] in named and bool(errors_in(line)))
        try:
            for path in images:
                yield from self._one(path)
            while self._running:
                yield from self._next()
        finally:
            try:
                self._asker.stop()
            finally:
                self._journal.let_go()
                self._running = []

    def _one(self, path: Path) -> Iterator[Path]:
        """Skip, record or begin an image; yield those that are finished meanwhile."""
        name = self._name(path)
        known = self._journal.lines.get(name)
        if known is not None:
            if known["sha256"] == _digest(path):
                self.tally.skipped += 1
                self.tally.count(known)
                yield path
                return
            self._journal.drop(lambda line: bool(line["image"] == name))
        suspect = self._journal.tries(name) > 0
        while self._running and (suspect or len(self._running) == self._asker.n_parallel):
            yield from self._next()
        if suspect:
            yield from self._alone(path, "together with the batch.")
            return
        self._begin(path)
        if self._asker.n_parallel == 1:
            yield from self._next()

    def _begin(self, path: Path) -> None:
        self._journal.clear_files(folder_of(path))
        self._asker.make_ready(path)  # which takes its time; who dies meanwhile does not die of the image
        self._journal.begin(self._name(path))
        self._running.append(path)
        self._asker.start(path)

    def _next(self) -> Iterator[Path]:
        """Wait until an image is done. If the process has died, do those in progress again, each by itself."""
        outcome = self._asker.wait()
        if isinstance(outcome, Done):
            yield self._finish(outcome)
            return
        lost, self._running = self._running, []
        for path in lost:
            self._journal.lose(self._name(path))
        for path in lost:
            yield from self._alone(path, outcome.how)

    def _alone(self, path: Path, how: str) -> Iterator[Path]:
        """Do an image that was in progress when the process died, with nothing beside it."""
        while self._journal.tries(self._name(path)) < TRIES:
            self._begin(path)
            outcome = self._asker.wait()
            if isinstance(outcome, Done):
                yield self._finish(outcome)
                return
            self._journal.lose(self._name(path))
            self._running.remove(path)
            how = outcome.how
        error = EngineError(f"the process that worked on this image ended {TRIES} times, last {how}")
        yield self._finish(Done(path, line_of(path, _digest(path), error, self._name(path)), engine_works=False))

    def _finish(self, done: Done) -> Path:
        """Record an image.

        Raises:
            EngineError: The engine failed on it, and on those before it.
        """
        self._journal.add(self._name(done.path), done.line)
        if done.path in self._running:
            self._running.remove(done.path)
        self.tally.done += 1
        self.tally.count(done.line)
        if done.engine_works is not None:
            self._in_a_row = 0 if done.engine_works else self._in_a_row + 1
        if self._in_a_row >= max(MOST_ENGINE_ERRORS, self._asker.n_parallel):
            raise EngineError(
                f"the engine failed on {self._in_a_row} images in a row, the last with: "
                f"{errors_in(done.line)[-1]['message']} Fix the cause, then ask those images again with --retry."
            )
        return done.path


class _Here:
    """Does images in this process."""

    def __init__(self, model: yg.Model) -> None:
        self._model = model
        self._work: ImageWork | None = None
        self.n_parallel = model.engine.n_parallel
        self._pool: ThreadPoolExecutor | None = None
        self._futures: set[Future[Done]] = set()

    def prepare(self, work: ImageWork) -> None:
        self._work = work

    def make_ready(self, path: Path) -> None:
        pass

    def start(self, path: Path) -> None:
        assert self._work is not None
        if self.n_parallel == 1:  # in the thread of the caller
            future: Future[Done] = Future()
            future.set_result(self._work.do(self._model, path))
        else:
            self._pool = self._pool or ThreadPoolExecutor(self.n_parallel, "youtu-gguf batch")
            future = self._pool.submit(self._work.do, self._model, path)
        self._futures.add(future)

    def wait(self) -> Done:
        future = next(iter(wait(self._futures, return_when=FIRST_COMPLETED).done))
        self._futures.remove(future)
        return future.result()

    def stop(self) -> None:
        if self._pool is not None:  # closing the model ends the answers in progress
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None
        self._futures.clear()


def settings_of(
    model: yg.Model | Worker | Mapping[str, Any],
    asked: Sequence[Asked],
    options: Mapping[str, Any],
    formats: Sequence[str] = (NPZ,),
) -> dict[str, Any]:
    """Return the settings that the results of a batch depend on; the journal compares them.

    A model counts by the content of its files, wherever they are and whatever their names. In its place may be what
    `identity_of` says of it.
    """
    if isinstance(model, Worker):
        model = model.identity
    return {
        "schema": SCHEMA,
        "version": yg.__version__,
        **(identity_of(model) if isinstance(model, yg.Model) else model),
        "tasks": [asked.words for asked in asked],
        "options": {name: value for name, value in sorted(options.items()) if name in OPTIONS},
        "formats": sorted(formats),
    }


OPTIONS = ("max_tokens", "max_s", "image_max_tokens", "n_ctx", "temperature", "seed", "stop", "scores", "lang")
"""Settings of a model that change its answers, not only its speed."""


def errors_in(line: Line) -> list[dict[str, str]]:
    """Return the errors of an image, of its questions, and of results that lack a format."""
    parts = [line, *line.get("results", ())]
    unwritten = [
        {"class": "InputError", "message": f"{name}: {why}"}
        for part in parts
        for name, why in part.get("unwritten", {}).items()
    ]
    return [*(part["error"] for part in parts if "error" in part), *unwritten]


def _digest(path: Path) -> str | None:
    try:
        return digest_of(path)
    except InputError:
        return None
