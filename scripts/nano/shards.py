"""A shard: images of one grid with everything that is taught about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from scripts.nano.lessons import Lesson, after_image
from scripts.nano.targets import MAX_THINGS, N_POINTS, U8, Targets
from scripts.nano.tokenizer import Tokenizer
from youtu_gguf.facts import END

Kind = Literal["scene", "view", "core", "screen", "click", "stranger"]
"""Whole scenes; parts of enlarged ones; crops around a thing; screens with the usual questions, and with clicks, which
have a system text of their own; images that are nothing drawn."""

WORDS_PER_THING = 2


class Taught(NamedTuple):
    """A tokenised lesson."""

    task: str
    question: tuple[int, ...]
    answer: tuple[int, ...]


@dataclass
class Shard:
    """Images of one grid.

    Attributes:
        kind: What they show.
        rows: Of image tokens.
        cols: Likewise.
        rgb: (n, H, W, 3).
        labels: (n, H / 8, W / 8) classes; in a core shard 1 = target, 0 = not. Empty where none is taught.
        bins: (n, H / 16, W / 16) depth bins 1..1000, 0 = invalid. Empty where none is taught.
        owner: (n, H / 32, W / 32) index of the thing that fills most of a token, -1 = none.
        centre: (n, H / 32, W / 32) True at the token of its owner that lies nearest to the owner's middle.
        points: (n, MAX_THINGS, N_POINTS) pixels of the prepared image; NaN = does not exist.
        kinds: (n, MAX_THINGS, 4) kind, colour, first and second digit; 0 = none, so kinds count from 1.
        words: (n, MAX_THINGS, 2) tokens of what is written on a thing; 0 = none.
        taught: Lessons of each image.
        opening: Tokens before the image, if not the usual ones.
        letters: (n, H / 16, W / 16) number of the letter in the middle of each cell in `screen_words.LETTERS`, counted
            from 1; 0 = none. None where nothing is written.
    """

    kind: Kind
    rows: int
    cols: int
    rgb: U8
    labels: U8
    bins: npt.NDArray[np.uint16]
    owner: npt.NDArray[np.int8]
    centre: npt.NDArray[np.bool_]
    points: npt.NDArray[np.float32]
    kinds: U8
    words: npt.NDArray[np.int32]
    taught: list[list[Taught]]
    opening: tuple[int, ...] | None = None
    letters: U8 | None = None

    @property
    def n_tokens(self) -> int:
        """Image tokens of all images together."""
        return len(self.rgb) * self.rows * self.cols

    @classmethod
    def of(
        cls,
        kind: Kind,
        grid: tuple[int, int],
        images: Sequence[tuple[U8, Targets, list[Taught]]],
        words: npt.NDArray[np.int32] | None = None,
        opening: tuple[int, ...] | None = None,
    ) -> Self:
        """Put images together that have the same grid."""
        rgb, targets, taught = zip(*images, strict=True)
        labels, bins, owner, centre, points, kinds = (np.stack(part) for part in zip(*targets, strict=True))
        if words is None:
            words = np.zeros((len(rgb), MAX_THINGS, WORDS_PER_THING), np.int32)
        rows, cols = grid
        return cls(
            kind, rows, cols, np.stack(rgb), labels, bins, owner, centre, points, kinds, words, list(taught), opening
        )


def bare_targets(rows: int, cols: int, labels: U8, bins: npt.NDArray[np.uint16] | None = None) -> Targets:
    """Return targets of an image that has no things."""
    return Targets(
        labels,
        np.empty((0, 0), np.uint16) if bins is None else bins,
        np.full((rows, cols), -1, np.int8),
        np.zeros((rows, cols), np.bool_),
        np.full((MAX_THINGS, N_POINTS), np.nan, np.float32),
        np.zeros((MAX_THINGS, 4), np.uint8),
    )


def teach(tokenizer: Tokenizer, lesson: Lesson) -> Taught:
    """Tokenise a lesson: the text that follows the image, earlier turns included, and the answer with its end token."""
    before = [token for part in after_image(lesson) for token in tokenizer.encode(str(part))]
    return Taught(lesson.task, tuple(before), (*tokenizer.encode(lesson.answer), tokenizer.id(END)))
