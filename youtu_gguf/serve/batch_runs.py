"""A batch of the package, each of whose images waits for its turn in the server's queue, behind all requests."""

from __future__ import annotations

import asyncio
import logging
import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from youtu_gguf.batch import Asked, Batch, Journal
from youtu_gguf.batch.image import Done, ImageWork, Work, line_of, name_of
from youtu_gguf.batch.run import errors_in
from youtu_gguf.errors import InputError, YoutuError
from youtu_gguf.output.json import SCHEMA
from youtu_gguf.scene.options import Question
from youtu_gguf.serve.errors import ApiError
from youtu_gguf.serve.jobs import Job, JobEvents, cancelled, result_of
from youtu_gguf.serve.task_requests import DEFAULT_TIMEOUT_S
from youtu_gguf.tasks import TASKS
from youtu_gguf.types import LabelMap
from youtu_gguf.version import __version__

if TYPE_CHECKING:
    from youtu_gguf.batch.journal import Line
    from youtu_gguf.serve.core import Core
    from youtu_gguf.serve.task_requests import BatchRequest, TaskQuestion

LOG = logging.getLogger("youtu_gguf.serve")

_AGAIN_S = 1.0
"""When a place in the queue is asked for again where there was none."""

_OUTLINED = ("yolo", "labelme")
"""Formats that batches do not give label maps in: the outlines of a rough one take many seconds and megabytes."""

_TASK = "batch"
"""The task of an image's work, for figures and the log."""

Begun = Callable[[Path], ApiError | None]
"""Told in the event loop's thread that an image is begun; returns why it cannot be used, where that is known."""

Finished = Callable[[Path, "Line", int], None]
"""Told there that an image is finished: with its line, and the bytes of all lines."""


class StoppedError(Exception):
    """The batch was stopped: its images that are not finished are asked about when it is begun again."""


class BatchRun:
    """Asks the images of one batch, one at a time.

    It is the `Asker` of a `Batch`, which keeps the journal. That works in a thread of its own; the images are asked in
    those of the server's queue, in the background.

    Args:
        core: The server.
        client: Whose place in the queue they take.
        request: What is asked.
        folder: The journal's; it is made.
        begun: Called at the beginning of each image.
        finished: Called at the end of each image.
    """

    n_parallel = 1

    def __init__(
        self,
        core: Core,
        client: str,
        request: BatchRequest,
        folder: Path,
        begun: Begun,
        finished: Finished,
    ) -> None:
        self._core, self._client, self._request, self._folder = core, client, request, folder
        self._begun, self._finished = begun, finished
        self._loop = asyncio.get_running_loop()
        self._journal: Journal | None = None
        self._batch: Batch | None = None
        self._work: Work | None = None
        self._path = Path()
        self._events: JobEvents | None = None
        self._is_halted = False
        self._working = threading.Lock()  # held while a thread of the queue works for it

    def run(self, paths: Sequence[Path]) -> None:
        """Ask images, those with errors again, until all are finished. In a thread of its own.

        Raises:
            StoppedError: `halt` was called, or the server is stopping.
            YoutuError: An error that would affect every image.
        """
        if self._journal is None:
            self._journal = Journal(self._folder, self._settings())
        if self._batch is None:
            how = self._request
            asked = [*map(asked_of, how.questions)]
            self._batch = Batch(self, asked, self._journal, formats=how.formats, masks="rle")
        told = None
        try:
            for path in self._batch.run(paths, retry=True):
                self._tell(path, self._journal)
                told = path
        except YoutuError:
            if self._path != told and name_of(self._path) in self._journal.lines:  # the last error of those in a row
                self._tell(self._path, self._journal)
            self._batch = None  # it counts those errors
            raise

    def _tell(self, path: Path, journal: Journal) -> None:
        line = journal.lines[name_of(path)]
        if not errors_in(line):
            path.unlink(missing_ok=True)
        n_bytes = sum(file.stat().st_size for file in journal.folder.glob("results.jsonl"))
        self._loop.call_soon_threadsafe(self._finished, path, line, n_bytes)

    def _settings(self) -> dict[str, Any]:
        asked = [{"task": q.task, **q.arguments, "options": dict(q.options)} for q in self._request.questions]
        return {"schema": SCHEMA, "version": __version__, "tasks": asked}

    def prepare(self, work: ImageWork) -> None:
        """Set what is to be done with every image."""
        assert isinstance(work, Work)  # `run` gives the batch questions
        self._work = work

    def make_ready(self, path: Path) -> None:
        """Do nothing: the server's process has the model and the image."""

    def start(self, path: Path) -> None:
        """Begin an image."""
        self._path = path

    def wait(self) -> Done:
        """Return the image, done.

        Raises:
            StoppedError: `halt` was called, or the server is stopping.
            YoutuError: An error that would affect every image.
        """
        try:
            outcome = asyncio.run_coroutine_threadsafe(self._ask(self._path), self._loop).result()
        except ApiError as exc:
            raise StoppedError from exc
        if isinstance(outcome, YoutuError):
            raise outcome
        return outcome

    def stop(self) -> None:
        """Do nothing: a batch calls it at its end, when no image is in progress."""

    def halt(self) -> None:
        """End the work on the image in progress, and begin no other. In the event loop's thread."""
        self._is_halted = True
        if self._events is not None:
            self._events.close()

    def resume(self) -> None:
        """Let images be begun again. In the event loop's thread, while none is in progress."""
        self._is_halted = False

    async def _ask(self, path: Path) -> Done | YoutuError:
        """Return the image, done when it was its turn, or the error that ends the batch.

        Raises:
            ApiError: The work was ended.
        """
        refusal = self._begun(path)
        if refusal is not None:
            return Done(path, line_of(path, None, InputError(refusal.message)))
        while True:
            if self._is_halted:
                raise cancelled()
            try:
                job = self._core.jobs.start(partial(self._do, path), client=self._client, background=True)
                self._events = job
                outcome = await result_of(job)
                assert isinstance(outcome, Done | YoutuError)
                return outcome
            except ApiError as error:
                if error.code not in ("queue_full", "timeout"):
                    raise
            finally:
                self._events = None
            await asyncio.sleep(_AGAIN_S)

    def _do(self, path: Path, job: Job[Done | YoutuError]) -> Done | YoutuError:
        """Ask all questions about an image, in a thread of the queue."""
        assert self._work is not None
        job.task = _TASK
        questions = self._work.questions
        asked = tuple(replace(one, question=_ended_by(one.question, job)) for one in questions.asked)
        try:
            with self._working, self._core.holder.use() as model:
                done = replace(self._work, questions=replace(questions, asked=asked)).do(model, path)
        except YoutuError as exc:
            return exc
        if job.cancel.is_set():  # by its id, which the log has: nothing of it counts
            raise cancelled()
        return done

    def close(self) -> None:
        """Release the folder when the last work in it has ended. Safe to call twice; not in the event loop's thread."""
        with self._working:
            if self._journal is not None:
                self._journal.close()
                self._journal = None


def asked_of(asked: TaskQuestion) -> Asked:
    """Return a task of a request as a question for every image."""
    is_map = TASKS[asked.task].value is LabelMap
    limit_s = min(asked.options.get("max_s", math.inf), DEFAULT_TIMEOUT_S)
    question = Question(asked.task, (), {**asked.arguments, **asked.options, "max_s": limit_s})
    return Asked(asked.task, question, {"arguments": dict(asked.arguments)}, _OUTLINED if is_map else ())


def _ended_by(question: Question, job: Job[Any]) -> Question:
    return Question(question.task, question.arguments, {**question.options, "cancel": job.cancel})
