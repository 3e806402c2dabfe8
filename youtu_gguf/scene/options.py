"""What may be said about one run of a task, whatever the task."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, TypedDict

from youtu_gguf.arguments import checked_lang, switch
from youtu_gguf.config import Sampling, Settings
from youtu_gguf.errors import InputError
from youtu_gguf.prompts import ENGLISH, WORDINGS, Wording
from youtu_gguf.types import Lang


class Options(TypedDict, total=False):
    """Keywords that every task takes.

    - `strict`: raise `DecodeError` at the first flaw of the answer. False keeps what is good and lists the flaws.
    - `scores`: give every item the confidence that its tokens had (docs/scores.md). False leaves scores None.
    - `cancel`: setting this event, from any thread, ends the answer where it is; the result says so in `finish`.
    - `lang`: the language that the question is put in, "en" or another of `youtu_gguf.prompts.WORDINGS`; phrases and
      class names are yours and go in as they are. Without it, that of the model's settings.
    - `max_tokens`, `max_s`, `temperature`, `top_p`, `repeat_penalty`, `seed`, `loop_guard`: as in
      `config.Sampling`, for this run alone.
    """

    strict: bool
    scores: bool
    cancel: threading.Event
    lang: Lang
    max_tokens: int
    max_s: float
    temperature: float
    top_p: float
    repeat_penalty: float
    seed: int
    loop_guard: bool


@dataclass(frozen=True)
class RunOptions:
    """`Options` with everything filled in."""

    sampling: Sampling
    strict: bool = False
    cancel: threading.Event | None = None
    wording: Wording = ENGLISH


_OWN = ("strict", "cancel", "lang")
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
    strict = switch("strict", given.get("strict", False))
    lang = checked_lang(given.get("lang", settings.lang))
    drawing: dict[str, Any] = {name: value for name, value in given.items() if name in _SAMPLING}
    return RunOptions(replace(settings.sampling, **drawing), strict, cancel, WORDINGS[lang])
