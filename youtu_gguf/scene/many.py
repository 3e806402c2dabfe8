"""Several questions on one scene at once.

Tasks are plain functions that wait for their answers, so each runs in a thread of its own. What they ask is gathered,
and generated side by side in the thread that called.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from youtu_gguf.arguments import short_repr
from youtu_gguf.engines.base import Answer, Collector, ParallelGeneration, Piece, Request
from youtu_gguf.errors import InputError, YoutuError
from youtu_gguf.forks import Owner
from youtu_gguf.scene.options import Asked, Question, RunOptions, run_options, split_options
from youtu_gguf.types import Result

if TYPE_CHECKING:
    from youtu_gguf.scene.scene import Scene


@dataclass(frozen=True, eq=False)
class Update:
    """News of one of the questions that `Scene.many` streams: a piece of its answer, or its end.

    Attributes:
        index: Which question, from 0 on.
        text: The next piece of an answer to it, whole characters; "" in the update that ends it. A task that asks
            several questions gives the pieces of all of them.
        result: The value, in the last update of a question that was answered; else None.
        error: What ended the question instead; else None.
    """

    index: int
    text: str = ""
    result: Result | None = None
    error: YoutuError | None = None


class _StoppedError(Exception):
    """The caller has lost interest."""


_START_S = 1.0
"""Longest wait for a thread whose start Ctrl-C has broken into: it may run in a moment, or never."""


class _Job:
    """A question on its way, in a thread of its own."""

    def __init__(self, index: int, question: Question, options: RunOptions) -> None:
        self.index, self.question, self.options = index, question, options
        self.collector = Collector()
        self.replies: queue.SimpleQueue[Answer | BaseException] = queue.SimpleQueue()
        self._stopped = threading.Event()
        if options.cancel is None:  # what the task asks on a session of its own ends only by this
            self.options = replace(options, cancel=self._stopped)
        self._began = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, scene: Scene, news: queue.SimpleQueue[_News]) -> None:
        """Run the task; tell `news` what it asks and how it ends."""

        def answer(request: Request) -> Answer:
            news.put((self, request))
            reply = self.replies.get()
            if isinstance(reply, BaseException):
                raise reply
            return reply

        def run() -> None:
            self._began.set()
            try:
                news.put((self, scene.perform(self.question, self.options, answer)))
            except BaseException as exc:  # noqa: BLE001 - raised in the thread that called
                news.put((self, exc))

        self._thread = threading.Thread(target=run, name=f"youtu-gguf {self.question.task}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End it early: its result is no longer wanted."""
        self._stopped.set()
        self.replies.put(_StoppedError())

    def join(self) -> None:
        """Wait until its thread has ended."""
        if self._thread is not None and self._began.wait(_START_S):
            self._thread.join()


_News = tuple[_Job, Request | Result | BaseException]


def answer_together(scene: Scene, questions: Iterable[Asked], options: Mapping[str, object]) -> Iterator[Update]:
    """Check the questions now; ask them when the result is iterated over. See `Scene.many`."""
    if not isinstance(questions, Iterable):
        raise InputError(f"expected a list of questions; got {short_repr(questions)}.")
    jobs = [_job(scene, i, question, options) for i, question in enumerate(questions)]
    return _Driver(scene, jobs).updates()


def gather(updates: Iterable[Update]) -> tuple[Result, ...]:
    """Return the results in order.

    Raises:
        YoutuError: The first error, after all questions have ended.
    """
    ends: dict[int, Result | YoutuError] = {}
    for update in updates:
        end = update.error if update.result is None else update.result
        if end is not None:
            ends[update.index] = end
    ordered = [ends[index] for index in sorted(ends)]
    for end in ordered:
        if isinstance(end, YoutuError):
            raise end
    return tuple(end for end in ordered if isinstance(end, Result))


def _job(scene: Scene, index: int, asked: Asked, common: Mapping[str, object]) -> _Job:
    question = asked if isinstance(asked, Question) else _question(asked)
    try:
        own, run = split_options(question)
    except InputError as exc:
        raise InputError(f"question {index}: {exc}") from None
    options = run_options({**common, **run}, scene.model.settings)
    return _Job(index, Question(question.task, question.arguments, own), options)


def _question(asked: object) -> Question:
    if not isinstance(asked, tuple) or not asked or not isinstance(asked[0], str):
        raise InputError(
            f'a question must be a tuple such as ("ask", "What is this?") or a Question; got {short_repr(asked)}.'
        )
    return Question(asked[0], asked[1:])


class _Driver:
    """Moves the answers of all jobs on together, in the thread that iterates."""

    def __init__(self, scene: Scene, jobs: Sequence[_Job]) -> None:
        self._scene, self._jobs = scene, jobs
        self._owner = Owner("this run")
        self._news: queue.SimpleQueue[_News] = queue.SimpleQueue()
        self._running = set(jobs)
        self._answering: dict[int, _Job] = {}

    def updates(self) -> Iterator[Update]:
        """Yield what happens until every job has ended."""
        if not self._jobs:
            return
        parallel = self._scene.session().parallel()
        try:
            for job in self._jobs:
                job.start(self._scene, self._news)
            # Whoever computes first would be answered alone: wait until every task has asked or ended. In order, so
            # that the same questions are always laid out alike.
            for news in sorted((self._news.get() for _ in self._jobs), key=lambda news: news[0].index):
                yield from self._hear(parallel, news)
            while self._running:
                yield from self._hear_all(parallel)
                for number, piece in parallel.step() if self._answering else ():
                    yield from self._pass_on(number, piece)
        finally:
            parallel.close()
            for job in self._running:
                job.stop()
            for job in self._jobs:
                job.join()

    def _hear_all(self, parallel: ParallelGeneration) -> Iterator[Update]:
        """Take in what tasks have to say; wait for it only while no answer is under way."""
        self._owner.check()
        while self._running:
            try:
                news = self._news.get(block=not self._answering)
            except queue.Empty:
                return
            yield from self._hear(parallel, news)

    def _hear(self, parallel: ParallelGeneration, news: _News) -> Iterator[Update]:
        job, what = news
        if isinstance(what, Request):
            job.collector = Collector()
            self._answering[parallel.add(what)] = job
            return
        self._running.discard(job)
        if isinstance(what, YoutuError):
            yield Update(job.index, error=what)
        elif isinstance(what, BaseException):
            raise what
        else:
            yield Update(job.index, result=what)

    def _pass_on(self, number: int, piece: Piece | YoutuError) -> Iterator[Update]:
        job = self._answering[number]
        if isinstance(piece, YoutuError):
            del self._answering[number]
            job.replies.put(piece)
            return
        if piece.text:
            yield Update(job.index, text=piece.text)
        if job.collector.add(piece):
            del self._answering[number]
            job.replies.put(job.collector.answer())
