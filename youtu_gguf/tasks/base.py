"""What a task sees: the context of one scene, and the checks and helpers that tasks share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from youtu_gguf.arguments import short_repr
from youtu_gguf.calibration.assumptions import Calibration
from youtu_gguf.engines.base import Answer, PatchStates, Vocabulary
from youtu_gguf.errors import InputError, ModelFileError, Stopped
from youtu_gguf.facts import DEFAULT_SYSTEM, N_COORDINATES
from youtu_gguf.images.load import prepared_size
from youtu_gguf.images.zoom import Zoom, chosen_zoom, sayable_zoom
from youtu_gguf.prompts import Wording
from youtu_gguf.types import U8, Issue, Result, Spans, Transform, placed_spans

if TYPE_CHECKING:
    from contextlib import AbstractContextManager


class TaskContext(Protocol):
    """One scene as one run of a task sees it. What the task asks through it is recorded and timed.

    A task is a function from this and its arguments to a value. It never sees a concrete engine.
    """

    @property
    def rgb(self) -> U8:
        """The upright source image, (H, W, 3)."""
        ...

    @property
    def transform(self) -> Transform:
        """Source and prepared frame."""
        ...

    @property
    def calibration(self) -> Calibration:
        """What is assumed about the weights."""
        ...

    @property
    def vocabulary(self) -> Vocabulary:
        """The model's tokens; CapabilityError where the engine cannot see them."""
        ...

    @property
    def wording(self) -> Wording:
        """What is asked for every task, in the language of this run."""
        ...

    @property
    def focal_px(self) -> float | None:
        """Focal length in source pixels that the image's file tells of, or None."""
        ...

    @property
    def max_tokens(self) -> int:
        """Most image tokens that the model may be shown at a time."""
        ...

    @property
    def stopped(self) -> Stopped | None:
        """Why this run is to end with what there is, or None; a task of many steps asks it between them."""
        ...

    def report(self, stage: str, done: int, total: int) -> None:
        """Report progress: `done` of `total` steps of `stage` are done."""
        ...

    def note(self, issue: Issue) -> None:
        """Add to the issues of this run what is no flaw of an answer; it is listed once, and strict runs accept it."""
        ...

    def remembered(self, name: str) -> Result | None:
        """Return what `remember` was given under `name` by a run with the same options on this scene, or None."""
        ...

    def remember(self, name: str, value: Result) -> None:
        """Keep a value for later runs on this scene, unless an answer of this run did not end by itself."""
        ...

    def require_states(self, what: str) -> None:
        """Refuse an engine without states of image tokens before anything is generated; `what` needs them.

        Raises:
            CapabilityError: It has none.
        """
        ...

    def require_tokens(self, tokens: Sequence[str], task: str) -> None:
        """Refuse a model whose vocabulary can be seen and lacks `tokens`, which `task` needs.

        Raises:
            ModelFileError: It lacks some.
        """
        ...

    @property
    def scores(self) -> bool:
        """Whether this run is to say how sure its values are. Answers then carry the probabilities of their tokens."""
        ...

    def answer(self, question: str, system: str = DEFAULT_SYSTEM) -> Answer:
        """Generate the answer to `question`, put after the image. Another `system` text reads the image anew."""
        ...

    def patches(self, before: str = "") -> PatchStates:
        """Return the states that score the image tokens, with the text `before` in front of the image.

        Raises:
            CancelledError: The run was ended before the image was read.
        """
        ...

    def zoomed(self, zoom: float) -> AbstractContextManager[TaskContext]:
        """Give a context of this image prepared `zoom` times as large; boxes stay in source pixels.

        Where that takes more tokens than `max_tokens` the zoom is less. What is asked there counts for this run.
        """
        ...

    def open_crop(self, rgb: U8) -> AbstractContextManager[TaskContext]:
        """Give a context of another image on the same model, such as a crop of this one.

        What is asked there counts for this run. The engine keeps this scene's prefix where it has room for both.
        """
        ...


def phrase(text: str, what: str) -> str:
    """Return `text` stripped.

    Raises:
        InputError: Nothing is left, or it is not valid Unicode.
    """
    if not isinstance(text, str) or not text.strip():
        raise InputError(f"{what} must be words; got {short_repr(text)}.")
    try:
        text.encode()
    except UnicodeEncodeError as exc:  # half of a surrogate pair, as undecodable command lines have
        raise InputError(f"{what} must be valid Unicode; got {short_repr(text)}. Pass it as UTF-8.") from exc
    return text.strip()


def thing(text: str, what: str) -> str:
    """Return what names a thing, stripped.

    Raises:
        InputError: It is no phrase, or has no letter and no digit of any script, as "," has none.
    """
    words = phrase(text, what)
    if not any(map(str.isalnum, words)):
        raise InputError(f"{what} must have a letter or a digit; got {short_repr(text)}. Name the thing in words.")
    return words


def class_names(classes: Sequence[str]) -> tuple[str, ...]:
    """Return the class names stripped, in order.

    Raises:
        InputError: There are none, one is no name or twice there, or a string came in place of a list.
    """
    if isinstance(classes, str):
        raise InputError(f'classes must be a list of names; got the string {classes!r}. Pass ["{classes}"].')
    if not isinstance(classes, Iterable) or (np.ndim(classes) == 0 and isinstance(classes, np.ndarray)):
        raise InputError(f"classes must be a list of names; got {short_repr(classes)}.")
    names = tuple(thing(name, "a class name") for name in classes)
    if not names:
        raise InputError("expected at least one class name; got none.")
    if len(set(names)) < len(names):
        raise InputError(f"class names must differ; got {', '.join(names)}.")
    return names


def issues_of(answer: Answer, issues: Sequence[Issue], n_found: int, what: str) -> tuple[Issue, ...]:
    """Return the `issues` found in an answer, placed; one more where it holds no whole `what`."""
    if not n_found:
        issues = (*issues, Issue(f"the answer holds no whole {what}", 0, len(answer.text)))
    return placed(issues, answer)


def placed(issues: Sequence[Issue], answer: Answer) -> tuple[Issue, ...]:
    """Return `issues`, whose places are characters of `answer`, with the same places in `Result.raw`."""
    return tuple(replace(issue, start=issue.start + answer.offset, end=issue.end + answer.offset) for issue in issues)


def spans_of(answer: Answer, items: Sequence[Spans]) -> tuple[Spans, ...]:
    """Return where in `Result.raw` each item is written, from its characters of `answer`."""
    return tuple(placed_spans(spans, answer.offset) for spans in items)


def written_zoom(context: TaskContext, zoom: Zoom) -> float:
    """Return the zoom to prepare this image at for an answer with coordinates, and note it where that is less.

    Args:
        context: The scene.
        zoom: As `youtu_gguf.images.zoom.chosen_zoom` takes it.

    Raises:
        InputError: `zoom` is out of range, or the image does not fit at it.
    """
    size, max_tokens = context.transform.source, context.max_tokens
    wanted = chosen_zoom(zoom, size, max_tokens)
    given = sayable_zoom(wanted, size, max_tokens)
    asked = prepared_size(size, max_tokens, 1.0 if isinstance(zoom, str) else wanted)  # "auto" asks for what fits
    lowered = prepared_size(size, max_tokens, given)
    if max(lowered) < max(asked):
        context.note(
            Issue(
                f"the image was shown at {lowered.width}x{lowered.height} instead of {asked.width}x{asked.height}: "
                f"coordinates end at {N_COORDINATES - 1}"
            )
        )
    return given


def at_zoom(context: TaskContext, zoom: Zoom) -> AbstractContextManager[TaskContext]:
    """Give a context of this image to ask for coordinates in, prepared larger; `zoom` is as `written_zoom` takes it.

    Raises:
        InputError: `zoom` is out of range, or the image does not fit at it.
    """
    return context.zoomed(written_zoom(context, zoom))


def find_tokens(vocabulary: Vocabulary, tokens: Sequence[str], task: str) -> list[int]:
    """Return the ids of special `tokens` that `task` needs.

    Raises:
        ModelFileError: One is missing.
    """
    found = [vocabulary.token_id(token) for token in tokens]
    ids = [token_id for token_id in found if token_id is not None]
    if len(ids) < len(found):
        missing = [token for token, token_id in zip(tokens, found, strict=True) if token_id is None]
        raise ModelFileError(
            f"{task} needs the special tokens of Youtu-VL; this model's vocabulary lacks {', '.join(missing[:4])}"
            f"{' and others' if len(missing) > 4 else ''}. "  # noqa: PLR2004
            "Use a GGUF converted from Youtu-VL-4B-Instruct."
        )
    return ids
