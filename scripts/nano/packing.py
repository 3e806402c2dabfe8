"""Which lessons of an image are learned in a step, and how they are laid side by side in one sequence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from scripts.nano.shards import Taught

TEXT_BUDGET = 210
"""Text tokens of an image in a step."""
SHARES = {
    "ground": 3.0, "detect": 2.5, "polygon": 3.5, "count": 3.5, "describe": 2.5, "ocr": 3.5, "names": 2.2, "ask": 2.0,
    "chat": 1.2, "click": 3.0, "classify": 0.8,
}  # fmt: skip
"""How often each kind of lesson is used; others 0.5. Poses have steps of their own."""
EMPHASIS = {
    "ocr": 2.5, "ask": 4.0, "describe": 5.0, "count": 5.0, "polygon": 4.0, "pose": 2.0, "names": 3.0, "chat": 4.0,
    "refuse": 3.0,
}  # fmt: skip
"""Weight of a token in lessons that have few significant words among many coordinates; others 1."""
FIRST_POINT = 4.0
"""Weight of the first point of a box or an outline, which chooses the thing; the others follow from it."""
WRITTEN_NUMBER = 10.0
"""Weight of a digit in clicks, whose coordinates are written as numbers among fixed words."""
DRIFT_PX, DRIFT_KEPT = 4.0, 0.7
"""Most standard deviation of what is added, from point to point, to the part of an outline that is already written, and
the share of it that stays: a model that has only seen right points before the next one goes on from its own errors."""
BLOCK = 16
"""Sequences are filled up to a multiple of this, so that few lengths occur."""


class Packed(NamedTuple):
    """Lessons of a batch, side by side.

    Attributes:
        text: (batch, n) tokens.
        positions: (batch, start + n) positions of whole sequences, of which images and what is before them are `start`.
        group: (batch, start + n) 0 = all later tokens see it, -1 = filling, else the number of the lesson.
        targets: (batch, n) the token that each text token should predict; -1 = none.
        weights: (batch, n) of the targets.
    """

    text: Tensor
    positions: Tensor
    group: Tensor
    targets: Tensor
    weights: Tensor


class Known(NamedTuple):
    """Tokens that weights depend on: coordinates, and the digits 0 to 9."""

    coordinates: range
    digits: frozenset[int]


def choose(lessons: Sequence[Taught], only: str | None, rng: np.random.Generator) -> list[Taught]:
    """Draw lessons of an image until the budget is used up: those of one task, or without one all but poses."""
    able = [lesson for lesson in lessons if (lesson.task == only if only else lesson.task != "pose")]
    if not able:
        return []
    weights = np.array([SHARES.get(lesson.task, 0.5) for lesson in able])
    order = rng.choice(len(able), len(able), replace=False, p=weights / weights.sum())
    chosen: list[Taught] = []
    room = TEXT_BUDGET
    for i in order:
        length = len(able[i].question) + len(able[i].answer)
        if length <= room or not chosen:
            chosen.append(able[i])
            room -= length
    return chosen


def pack(picked: Sequence[Sequence[Taught]], start: int, known: Known, rng: np.random.Generator) -> Packed:
    """Lay the lessons of each image side by side, behind `start` tokens that all of them see."""
    longest = max((sum(len(t.question) + len(t.answer) for t in lessons) for lessons in picked), default=0)
    n = -(-longest // BLOCK) * BLOCK
    batch = len(picked)
    text = torch.zeros(batch, n, dtype=torch.long)
    positions = torch.arange(start + n).repeat(batch, 1)
    group = torch.full((batch, start + n), -1, dtype=torch.long)
    group[:, :start] = 0
    targets = torch.full((batch, n), -1, dtype=torch.long)
    weights = torch.zeros(batch, n)
    for row, lessons in enumerate(picked):
        offset = 0
        for number, lesson in enumerate(lessons, 1):
            tokens = lesson.question + lesson.answer
            end, first = offset + len(tokens), offset + len(lesson.question)
            text[row, offset:end] = torch.tensor(lesson.question + _written(lesson, known, rng))
            positions[row, start + offset : start + end] = start + torch.arange(len(tokens))
            group[row, start + offset : start + end] = number
            targets[row, first - 1 : end - 1] = torch.tensor(lesson.answer)
            weights[row, first - 1 : end - 1] = _weights(lesson, known)
            offset = end
    return Packed(text, positions, group, targets, weights)


def _written(lesson: Taught, known: Known, rng: np.random.Generator) -> tuple[int, ...]:
    """Return an answer as a model might have written it: outlines drift away from the right points."""
    if lesson.task != "polygon":
        return lesson.answer
    written, drift = [], np.zeros(2)
    scale = rng.uniform(0.0, DRIFT_PX)
    for token in lesson.answer:
        if token in known.coordinates:
            axis = (token - known.coordinates.start) % 2
            drift[axis] = DRIFT_KEPT * drift[axis] + rng.normal(0.0, scale)
            moved = token + 2 * round(drift[axis])
            written.append(moved if moved in known.coordinates else token)
        else:
            written.append(token)
    return tuple(written)


def _weights(lesson: Taught, known: Known) -> Tensor:
    """Return the weight of each token of an answer."""
    weights = torch.full((len(lesson.answer),), EMPHASIS.get(lesson.task, 1.0) * len(lesson.answer) ** -0.4)
    in_a_row = 0
    for i, token in enumerate(lesson.answer):
        in_a_row = in_a_row + 1 if token in known.coordinates else 0
        if 1 <= in_a_row <= 2:
            weights[i] *= FIRST_POINT
        if lesson.task == "click" and token in known.digits:
            weights[i] *= WRITTEN_NUMBER
    return weights


def visible(group: Tensor) -> Tensor:
    """Return (batch, 1, n, n): a token sees earlier ones of its own group and of group 0."""
    n = group.shape[1]
    seen = (group[:, None, :] == group[:, :, None]) | (group == 0)[:, None, :]
    return (seen & torch.ones(n, n, dtype=torch.bool, device=group.device).tril())[:, None]
