"""The tasks of a request, run in a worker thread: what is told meanwhile, and results that are kept."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from youtu_gguf.atomic import json_bytes
from youtu_gguf.output import Source
from youtu_gguf.scene.options import Question
from youtu_gguf.serve.errors import as_api_error
from youtu_gguf.serve.events import Failed, Finished, Piece, Progress
from youtu_gguf.serve.results import StoredResult
from youtu_gguf.serve.values import File, answer_file, answer_form, event_json

if TYPE_CHECKING:
    from youtu_gguf.scene.many import Update
    from youtu_gguf.scene.scene import Scene
    from youtu_gguf.serve.core import Core
    from youtu_gguf.serve.images import StoredImage
    from youtu_gguf.serve.jobs import Job
    from youtu_gguf.serve.task_requests import TaskQuestion, TaskRequest
    from youtu_gguf.types import Result

_TOKENS = 16
"""Tokens after which the progress of an answer is told."""

_LEAST_S = 0.001
"""The time limit of an answer whose request has waited as long as it may: no limit may be 0."""


class TaskRuns:
    """What a request asks of an image. Its methods are work for `Jobs`, done in a worker thread.

    Args:
        core: The server.
        image: What it is about.
        request: What is asked.
    """

    def __init__(self, core: Core, image: StoredImage, request: TaskRequest) -> None:
        self._core, self._image, self._request = core, image, request

    def file(self, form: str) -> Callable[[Job[File]], File]:
        """Return the work that runs the request's only task and makes a file of its result, in one of its forms."""

        def work(job: Job[File]) -> File:
            (asked,) = self._request.questions
            with self._scene() as scene:
                question, via = self._question(asked, job)
                value = scene.run(question.task, **question.options)
                kept = self._keep(asked, value, via, job)
                return answer_file(kept, form, Source(scene.rgb), asked.output)

        return work

    def all(self, job: Job[bytes]) -> bytes:
        """Run the tasks together; return the JSON of their results, or of their errors, in order."""
        ends: dict[int, dict[str, Any]] = {}
        for index, update in self._together(job):
            if isinstance(update, dict):
                ends[index] = update
            elif update.error is not None:
                ends[index] = {"error": as_api_error(update.error).body()}
        return json_bytes({"results": [ends[index] for index in sorted(ends)], "request_id": job.id})

    def told(self, job: Job[None]) -> None:
        """Run the tasks together; tell of pieces, progress, errors and results, which are JSON as text."""
        for index, update in self._together(job, tells=True):
            if isinstance(update, dict):
                job.emit(Finished(index, event_json({"index": index, **update})))
            elif update.error is not None:
                job.emit(Failed(index, update.error))
            elif update.text:
                job.emit(Piece(index, update.text))

    def _together(self, job: Job[Any], *, tells: bool = False) -> Iterator[tuple[int, Update | dict[str, Any]]]:
        """Yield the index of a task with news of it, or with the JSON of its result."""
        with self._scene() as scene:
            asked = [self._question(one, job) for one in self._request.questions]
            questions = [_told(question, i, job) if tells else question for i, (question, _) in enumerate(asked)]
            for update in scene.many(questions, stream=True):
                if update.result is None:
                    yield update.index, update
                    continue
                one, via = self._request.questions[update.index], asked[update.index][1]
                yield update.index, answer_form(self._keep(one, update.result, via, job), one.output)

    @contextmanager
    def _scene(self) -> Iterator[Scene]:
        with self._core.holder.use() as model, self._image.open(model) as scene:
            yield scene

    def _question(self, asked: TaskQuestion, job: Job[Any]) -> tuple[Question, str | None]:
        """Return what is asked of the scene, and where a click found its box, if it did."""
        left_s = self._request.timeout_s - (time.perf_counter() - job.began)
        max_s = min(asked.options.get("max_s", math.inf), max(_LEAST_S, left_s))
        arguments, via = self._with_known_box(asked.arguments)
        return Question(asked.task, (), {**arguments, **asked.options, "max_s": max_s, "cancel": job.cancel}), via

    def _with_known_box(self, arguments: Mapping[str, Any]) -> tuple[Mapping[str, Any], str | None]:
        """Return arguments with the smallest box that is known around their point, instead of that; and "box"."""
        box = self._core.results.box_at(self._image.id, arguments["point"]) if "point" in arguments else None
        if box is None:
            return arguments, None
        return {name: value for name, value in arguments.items() if name != "point"} | {"box": box}, "box"

    def _keep(self, asked: TaskQuestion, value: Result, via: str | None, job: Job[Any]) -> StoredResult:
        job.note(asked.task, value)
        if value.finish not in ("cancelled", "time"):
            self._image.was_read = True
        total_s = time.perf_counter() - job.began
        return self._core.results.add(
            StoredResult(value, asked.task, self._image.id, job.id, via, job.queue_s, total_s)
        )


def _told(question: Question, index: int, job: Job[Any]) -> Question:
    """Return a question whose progress is told; that of generating, which its pieces show, only now and then."""

    def progress(stage: str, done: int, total: int) -> None:
        if stage != "generate" or done % _TOKENS == 0:
            job.emit(Progress(index, stage, done, total))

    return Question(question.task, question.arguments, {**question.options, "progress": progress})
