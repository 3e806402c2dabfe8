"""A question: a task, its arguments, and the options of one run of any task."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypedDict

import numpy as np

from youtu_gguf.arguments import checked_lang, short_repr, switch
from youtu_gguf.config import Sampling, Settings
from youtu_gguf.errors import InputError
from youtu_gguf.prompts import ENGLISH, WORDINGS, Wording
from youtu_gguf.tasks import TASKS
from youtu_gguf.types import Lang, ProgressFn, no_progress


class Options(TypedDict, total=False):
    """Keywords that every task takes.

    - `strict`: raise `DecodeError` at the first flaw of the answer. False keeps what is good and lists the flaws.
    - `scores`: give every item the confidence that its tokens had (docs/scores.md). False leaves scores None.
    - `cancel`: setting this event, from any thread, ends the answer where it is; the result says so in `finish`. A map
      whose image has not been read ends with `CancelledError`, also where `max_s` have passed.
    - `progress`: called with (stage, done, total) for the steps of this run alone, beside the model's own listener: the
      stages "encode", "prefill", "generate" and "instances", in whichever thread does the work of this run, never for
      another's. An exception that it raises ends the run, as Ctrl-C does.
    - `lang`: the language that the question is put in, "en" or another of `youtu_gguf.prompts.WORDINGS`; phrases and
      class names are passed on unchanged. Without it, that of the model's settings.
    - `max_tokens`, `max_s`, `temperature`, `top_p`, `repeat_penalty`, `seed`, `stop`, `json_schema`,
      `loop_guard`: as in `config.Sampling`, for this run alone.
    """

    strict: bool
    scores: bool
    cancel: threading.Event
    progress: ProgressFn
    lang: Lang
    max_tokens: int
    max_s: float
    temperature: float
    top_p: float
    repeat_penalty: float
    seed: int
    stop: Sequence[str]
    json_schema: str | Mapping[str, Any] | None
    loop_guard: bool


@dataclass(frozen=True)
class RunOptions:
    """`Options` with everything filled in."""

    sampling: Sampling
    strict: bool = False
    cancel: threading.Event | None = None
    wording: Wording = ENGLISH
    progress: ProgressFn = no_progress


_OWN = ("strict", "cancel", "progress", "lang")
_SAMPLING = tuple(field.name for field in fields(Sampling))
NAMES = (*_OWN, *_SAMPLING)


def run_options(given: Mapping[str, object], settings: Settings) -> RunOptions:
    """Fill in what was not given by what the model was loaded with.

    Raises:
        InputError: An unknown name, or a value out of range.
    """
    unknown = sorted(given.keys() - set(NAMES))
    if unknown:
        raise InputError(f"unknown option {', '.join(unknown)}. A task takes: {', '.join(NAMES)}.")
    cancel = given.get("cancel")
    if cancel is not None and not isinstance(cancel, threading.Event):
        raise InputError(f"cancel must be a threading.Event; got {cancel!r}.")
    progress = given.get("progress", no_progress)
    if not callable(progress):
        raise InputError(f"progress must be a function of stage, done and total; got {short_repr(progress)}.")
    strict = switch("strict", given.get("strict", False))
    lang = checked_lang(given.get("lang", settings.lang))
    drawing: dict[str, Any] = {name: value for name, value in given.items() if name in _SAMPLING}
    return RunOptions(replace(settings.sampling, **drawing), strict, cancel, WORDINGS[lang], progress)


@dataclass(frozen=True)
class Question:
    """A task's name, its arguments in order, and by name those that have names and the options of this run."""

    task: str
    arguments: tuple[object, ...] = ()
    options: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.arguments, tuple | list) or not isinstance(self.options, Mapping):
            raise InputError(
                'a question takes a tuple of arguments and a mapping of options, such as Question("ask", ("Why?",), '
                f'{{"max_tokens": 9}}); got {self.arguments!r} and {self.options!r}.'
            )
        object.__setattr__(self, "arguments", tuple(map(_kept, self.arguments)))
        object.__setattr__(self, "options", {name: _kept(value) for name, value in self.options.items()})


def _kept(value: object) -> object:
    """Return a list or an array as it is now: it may change before the question is asked."""
    return value.copy() if isinstance(value, list | np.ndarray) else value


Asked = Question | tuple[object, ...]
"""A question, or a tuple of a task's name and its arguments."""


def split_options(question: Question) -> tuple[dict[str, object], dict[str, object]]:
    """Return the options of `question` that are its task's, and those that every run takes.

    Raises:
        InputError: There is no such task, or the arguments do not fit it.
    """
    task = TASKS.get(question.task) if isinstance(question.task, str) else None
    if task is None:
        raise InputError(f"expected a task among {', '.join(TASKS)}; got {short_repr(question.task)}.")
    own = {name: value for name, value in question.options.items() if name not in NAMES}
    try:
        inspect.signature(task.run).bind(None, *question.arguments, **own)
    except TypeError as exc:
        raise InputError(f"the arguments do not fit the task {question.task}: {exc}.") from None
    return own, {name: value for name, value in question.options.items() if name in NAMES}
