"""One run of one task: what it asked, and what that cost. It knows no task."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar
from weakref import WeakSet

from youtu_gguf.calibration.assumptions import Calibration
from youtu_gguf.config import Sampling
from youtu_gguf.engines.base import (
    Answer,
    PatchStates,
    PromptCost,
    Request,
    Session,
    Vocabulary,
    collect,
    no_states,
    stream_answer,
)
from youtu_gguf.errors import CapabilityError, DecodeError, Stopped
from youtu_gguf.facts import DEFAULT_SYSTEM
from youtu_gguf.prompts import Wording
from youtu_gguf.scene.options import RunOptions
from youtu_gguf.tasks.base import find_tokens
from youtu_gguf.types import U8, Finish, Issue, Result, Timings, Transform

if TYPE_CHECKING:
    from youtu_gguf.scene.scene import Scene

R = TypeVar("R", bound=Result)

AnswerFn = Callable[[Request], Answer]
"""How a question on the scene is answered."""

CUT_SHORT = {
    "length": "the answer was cut off at the token limit; raise max_tokens or n_ctx for the rest, "
    "or the context of a server that has its own",
    "time": "the answer was cut off at the time limit; raise max_s for the rest",
    "loop": "the answer repeated itself or went on without saying anything new, and was ended there",
    "cancelled": "the answer was cancelled before its end",
}
"""The issue of an answer that did not end by itself."""


class RunLog:
    """The answers of one run, and what they and the states cost, over the scene and every crop of it."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.notes: list[Issue] = []
        self.began = time.perf_counter()
        self._seen: list[Scene] = []
        self._read: WeakSet[Session] = WeakSet()
        self.spent = PromptCost()

    def note(self, answer: Answer) -> Answer:
        """Keep an answer; return it with its place in `raw`."""
        self.spent += answer.prompt
        noted = replace(answer, offset=sum(len(earlier.text) + 1 for earlier in self.answers))
        self.answers.append(noted)
        return noted

    @property
    def raw(self) -> str:
        """All answers, each but the last followed by a line break."""
        return "\n".join(answer.text for answer in self.answers)

    @property
    def finish(self) -> Finish:
        """Why the first answer ended that did not end by itself; "stop" where all did, "none" where there are none."""
        ends = [answer.finish for answer in self.answers]
        return next((end for end in ends if end != "stop"), "stop" if ends else "none")

    def see(self, scene: Scene) -> None:
        """Note that the run needed the image tokens of `scene`."""
        if scene not in self._seen:
            self._seen.append(scene)

    def read(self, session: Session, prompt: PromptCost | None = None) -> None:
        """Note that what precedes the questions of `session` was read, for the cost `prompt` if not for a question.

        Its tokens count once.
        """
        if prompt is not None:
            counted = replace(prompt, n_tokens=0, n_cached=0) if session in self._read else prompt
            self.spent += counted
        self._read.add(session)

    def timings(self, seconds: float) -> Timings:
        """Return where the `seconds` of the run went."""
        generate_s = sum(answer.seconds for answer in self.answers)
        return Timings(
            encode_s=self.spent.encode_s,
            prefill_s=self.spent.prefill_s,
            generate_s=generate_s,
            decode_s=max(0.0, seconds - self.spent.seconds - generate_s),
            n_image_tokens=sum(scene.grid.n_tokens for scene in self._seen),
            n_generated=sum(answer.n_tokens for answer in self.answers),
            n_prompt=self.spent.n_tokens,
            n_cached=self.spent.n_cached,
            wait_s=self.spent.wait_s,
        )


class TaskRun:
    """A scene, or a crop of it, as one run of a task sees it. Implements `tasks.base.View`."""

    def __init__(
        self, scene: Scene, options: RunOptions, answer: AnswerFn | None = None, log: RunLog | None = None
    ) -> None:
        self._scene = scene
        self._options = options
        self._answer = answer  # None, not a method of its own: in a cycle, a dropped model would stay for a while
        self._log = log or RunLog()
        self._is_crop = log is not None

    @property
    def scores(self) -> bool:
        """Whether this run wants confidences."""
        return self._options.sampling.scores

    @property
    def rgb(self) -> U8:
        """The upright source image."""
        return self._scene.rgb

    @property
    def transform(self) -> Transform:
        """Its source and prepared frame."""
        return self._scene.transform

    @property
    def calibration(self) -> Calibration:
        """What is assumed about the weights."""
        return self._scene.model.calibration

    @property
    def vocabulary(self) -> Vocabulary:
        """The model's tokens."""
        return self._scene.model.engine.vocabulary

    @property
    def wording(self) -> Wording:
        """What is asked for every task, in the language of this run."""
        return self._options.wording

    @property
    def focal_px(self) -> float | None:
        """Focal length in source pixels that the image's file tells of, or None."""
        return self._scene.focal_px

    @property
    def max_tokens(self) -> int:
        """Most image tokens that the model may be shown at a time."""
        return self._scene.model.engine.image_max_tokens

    @property
    def stopped(self) -> Stopped | None:
        """Why this run is to end with what there is, or None; `max_s` counts from its beginning."""
        if self._options.cancel is not None and self._options.cancel.is_set():
            return "cancelled"
        return "time" if time.perf_counter() - self._log.began >= self._options.sampling.max_s else None

    def report(self, stage: str, done: int, total: int) -> None:
        """Report progress."""
        self._scene.model.progress(stage, done, total)
        self._options.progress(stage, done, total)

    def note(self, issue: Issue) -> None:
        """Add to the issues of this run, once."""
        if issue not in self._log.notes:
            self._log.notes.append(issue)

    def remembered(self, name: str) -> Result | None:
        """Return what an earlier run with the same options has kept under `name`, or None."""
        options, value = self._scene.memory.get(name, (None, None))
        return value if options == self._shaping() else None

    def remember(self, name: str, value: Result) -> None:
        """Keep a value for later runs, unless an answer of this one did not end by itself."""
        if self._log.finish == "stop":
            self._scene.memory[name] = self._shaping(), value

    def _shaping(self) -> tuple[Sampling, Wording]:
        """Return the options that an answer depends on which ended by itself."""
        return replace(self._options.sampling, max_s=math.inf), self._options.wording

    def require_states(self, what: str) -> None:
        """Refuse an engine without states of image tokens."""
        engine = self._scene.model.engine
        if not engine.has_states:
            raise CapabilityError(no_states(what, engine.name))

    def answer(self, question: str, system: str = DEFAULT_SYSTEM) -> Answer:
        """Generate the answer to `question`, and note what it cost."""
        self._log.see(self._scene)
        started = time.perf_counter()
        options = self._options
        request = Request(question, options.sampling, options.cancel, progress=options.progress)
        session = self._scene.session(system=system)
        self._log.read(session)
        if self._answer is None or system != DEFAULT_SYSTEM:
            answer = collect(stream_answer(session, request))
        else:
            answer = self._answer(request)
        seconds = time.perf_counter() - started - answer.prompt.seconds
        return self._log.note(replace(answer, seconds=max(0.0, seconds)))

    def patches(self, before: str = "") -> PatchStates:
        """Return the image tokens' states, with the text `before` in front of the image.

        Raises:
            CancelledError: The run was ended before the image was read.
        """
        self._log.see(self._scene)
        # A crop, and an image with text before it, are looked at once; the next question is about the image itself.
        aside = self._is_crop or bool(before)
        options, session = self._options, self._scene.session(before)
        left_s = options.sampling.max_s - (time.perf_counter() - self._log.began)
        states = session.patches(aside=aside, cancel=options.cancel, max_s=left_s, progress=options.progress)
        self._log.read(session, states.prompt)
        return states.moved(self.calibration.position_shift)

    def open_crop(self, rgb: U8) -> AbstractContextManager[TaskRun]:
        """Give a context of another image; it counts for this run."""
        return self._aside(self._scene.beside(rgb))

    def zoomed(self, zoom: float) -> AbstractContextManager[TaskRun]:
        """Give a context of this image prepared larger; it counts for this run."""
        return nullcontext(self) if zoom == 1 else self._aside(self._scene.zoomed(zoom))

    @contextmanager
    def _aside(self, scene: Scene) -> Iterator[TaskRun]:
        with closing(scene):
            yield TaskRun(scene, self._options, log=self._log)

    def require_tokens(self, tokens: Sequence[str], task: str) -> None:
        """Refuse a model whose vocabulary lacks `tokens`, which `task` needs."""
        try:
            vocabulary = self.vocabulary
        except CapabilityError:  # a remote model, whose vocabulary cannot be seen: its answer will show
            return
        find_tokens(vocabulary, tokens, task)

    def settle(self, value: R, seconds: float) -> R:
        """Return `value` with the raw answers, finish, issues and timings of this run of `seconds`.

        A task that ended itself between two steps says so in the `finish` of its value.

        Raises:
            DecodeError: The run is strict and there are flaws; names the first, its place, and how many there are.
        """
        issues = (*value.issues, *self._cut_short())
        if issues and self._options.strict:
            first = issues[0]
            raise DecodeError(
                f"expected a flawless answer; found {len(issues)} issue(s), the first at characters "
                f"{first.start}-{first.end}: {first.message}. Decode with strict=False to keep the good items."
            )
        finish = self._log.finish if value.finish == "none" else value.finish
        timings = self._log.timings(seconds)
        return replace(value, raw=self._log.raw, finish=finish, issues=(*self._log.notes, *issues), timings=timings)

    def _cut_short(self) -> tuple[Issue, ...]:
        return tuple(
            Issue(CUT_SHORT[answer.finish], answer.offset + len(answer.text), answer.offset + len(answer.text))
            for answer in self._log.answers
            if answer.finish in CUT_SHORT
        )
