"""The tasks of a request, run in a worker thread: what is told meanwhile, and results that are kept."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from youtu_gguf.atomic import json_bytes
from youtu_gguf.errors import YoutuError
from youtu_gguf.scene.options import Question
from youtu_gguf.serve.errors import ApiError, as_api_error
from youtu_gguf.serve.events import Failed, Finished, Piece, Progress
from youtu_gguf.serve.reading import begins_with_image
from youtu_gguf.serve.results import StoredResult, source_of
from youtu_gguf.serve.values import File, answer_file, answer_form, event_json
from youtu_gguf.types import Mask, ProgressFn, Result, no_progress

if TYPE_CHECKING:
    from youtu_gguf.scene.many import Update
    from youtu_gguf.scene.scene import Scene
    from youtu_gguf.serve.core import Core
    from youtu_gguf.serve.images import StoredImage
    from youtu_gguf.serve.jobs import Job
    from youtu_gguf.serve.task_requests import TaskQuestion, TaskRequest

LOG = logging.getLogger("youtu_gguf.serve")

_COORDINATES = 2

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
                question = self._question(asked, job)
                kept = self._keep(asked, scene, scene.run(question.task, **question.options), job)
                return answer_file(kept, form, replace(kept.source, rgb=scene.rgb), asked.output)

        return work

    def all(self, job: Job[bytes]) -> bytes:
        """Run the tasks together; return the JSON of their results, or of their errors, in order."""
        ends: dict[int, dict[str, Any]] = {}
        for index, update in self._together(job):
            if isinstance(update, dict):
                ends[index] = update
            elif update.error is not None:
                ends[index] = {"error": _answer_to(update.error, job).body()}
        return json_bytes({"results": [ends[index] for index in sorted(ends)], "request_id": job.id})

    def told(self, job: Job[None]) -> None:
        """Run the tasks together; tell of pieces, progress, errors and results, which are JSON as text."""
        for index, update in self._together(job, tells=True):
            if isinstance(update, dict):
                job.emit(Finished(index, event_json({"index": index, **update})))
            elif update.error is not None:
                job.emit(Failed(index, _answer_to(update.error, job)))
            elif update.text:
                job.emit(Piece(index, update.text))

    def _together(self, job: Job[Any], *, tells: bool = False) -> Iterator[tuple[int, Update | dict[str, Any]]]:
        """Yield the index of a task with news of it, or with the JSON of its result."""
        with self._scene() as scene:
            questions = [self._question(asked, job) for asked in self._request.questions]
            if tells:
                questions = [_told(question, i, job) for i, question in enumerate(questions)]
            for update in scene.many(questions, stream=True):
                if update.result is None:
                    yield update.index, update
                    continue
                asked = self._request.questions[update.index]
                yield update.index, answer_form(self._keep(asked, scene, update.result, job), asked.output)

    @contextmanager
    def _scene(self) -> Iterator[Scene]:
        with self._core.holder.use() as model, self._image.open(model) as scene:
            yield scene

    def _question(self, asked: TaskQuestion, job: Job[Any]) -> Question:
        """Return what is asked of the scene."""
        limits = {"max_s": min(asked.options.get("max_s", math.inf), max(_LEAST_S, job.left_s)), "cancel": job.cancel}
        arguments = self._with_known_box(asked.arguments)
        listening = {"progress": self._image.note_step} if begins_with_image(arguments) else {}
        return Question(asked.task, (), {**arguments, **asked.options, **limits, **listening})

    def _with_known_box(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return arguments with the smallest box that was found around their point before, instead of that."""
        point = arguments.get("point", ())
        box = self._core.results.box_at(self._image.id, point) if len(point) == _COORDINATES else None
        if box is None:
            return arguments
        return {name: value for name, value in arguments.items() if name != "point"} | {"box": box}

    def _keep(self, asked: TaskQuestion, scene: Scene, value: Result, job: Job[Any]) -> StoredResult:
        job.note(asked.task, value)
        if value.finish not in ("cancelled", "time"):
            self._image.note_read()
        via = value.found_by if isinstance(value, Mask) and "point" in asked.arguments else None
        total_s = time.perf_counter() - job.began
        source = source_of(scene, self._image.id, asked.task, asked.arguments)
        kept = StoredResult(value, asked.task, self._image.id, job.id, via, job.queue_s, total_s, source)
        return self._core.results.add(kept)


def _answer_to(error: YoutuError, job: Job[Any]) -> ApiError:
    """Return what is said of the error of one task; the log has what the answer does not say."""
    answer = as_api_error(error)
    if answer.code == "internal":
        LOG.error("%s: a task failed", job.id, exc_info=error)
    return answer


def _told(question: Question, index: int, job: Job[Any]) -> Question:
    """Return a question whose progress is told; that of generating, which its pieces show, only now and then."""
    listener = cast("ProgressFn", question.options.get("progress", no_progress))

    def progress(stage: str, done: int, total: int) -> None:
        if stage != "generate" or done % _TOKENS == 0:
            job.emit(Progress(index, stage, done, total))
        listener(stage, done, total)

    return Question(question.task, question.arguments, {**question.options, "progress": progress})
