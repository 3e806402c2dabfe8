"""Which lessons of an image are learned in a step, what is written before each token, and how much each one counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from scripts.nano.shards import Taught

TEXT_BUDGET = 210
"""Text tokens of an image in a step."""
SHARES = {
    "ground": 3.0, "detect": 2.5, "polygon": 3.5, "count": 3.5, "describe": 3.5, "ocr": 3.5, "names": 2.0, "ask": 2.0,
    "chat": 1.6, "click": 3.0, "classify": 1.4,
}  # fmt: skip
"""How often each kind of lesson is used; others 0.5. Poses have steps of their own."""
EMPHASIS = {
    "ocr": 2.5, "ask": 4.0, "describe": 5.0, "count": 5.0, "polygon": 4.0, "pose": 2.0, "names": 6.0, "chat": 4.0,
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


def written(lesson: Taught, known: Known, rng: np.random.Generator) -> tuple[int, ...]:
    """Return an answer as a model might have written it: outlines drift away from the right points."""
    if lesson.task != "polygon":
        return lesson.answer
    tokens, drift = [], np.zeros(2)
    scale = rng.uniform(0.0, DRIFT_PX)
    for token in lesson.answer:
        if token in known.coordinates:
            axis = (token - known.coordinates.start) % 2
            drift[axis] = DRIFT_KEPT * drift[axis] + rng.normal(0.0, scale)
            moved = token + 2 * round(drift[axis])
            tokens.append(moved if moved in known.coordinates else token)
        else:
            tokens.append(token)
    return tuple(tokens)


def weights_of(lesson: Taught, known: Known) -> npt.NDArray[np.float32]:
    """Return the weight of each token of an answer."""
    weights = np.full(len(lesson.answer), EMPHASIS.get(lesson.task, 1.0) * len(lesson.answer) ** -0.4, np.float32)
    in_a_row = 0
    for i, token in enumerate(lesson.answer):
        in_a_row = in_a_row + 1 if token in known.coordinates else 0
        if 1 <= in_a_row <= 2:
            weights[i] *= FIRST_POINT
        if lesson.task == "click" and token in known.digits:
            weights[i] *= WRITTEN_NUMBER
    return weights
