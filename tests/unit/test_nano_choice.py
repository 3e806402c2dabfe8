"""Lessons of a step: which are chosen, what is written before each token, and how much the tokens count."""

from __future__ import annotations

import numpy as np
import pytest

from scripts.nano.choice import DRIFT_PX, TEXT_BUDGET, Known, choose, weights_of, written
from scripts.nano.shards import Taught

KNOWN = Known(range(100, 1100), frozenset(range(10, 20)))
POINTS = (5, *range(500, 540), 6)
"""Twenty points between two other tokens: x is even, y odd."""


def lesson(task: str, *, length: int = 20) -> Taught:
    return Taught(task, tuple(range(length)), (1, 2, 3))


def test_lessons_fill_the_budget_and_no_more() -> None:
    lessons = [lesson("count", length=n) for n in (20, 40, 60, 80, 100)]
    for seed in range(20):
        chosen = choose(lessons, None, np.random.default_rng(seed))
        used = sum(len(one.question) + len(one.answer) for one in chosen)
        left = [one for one in lessons if one not in chosen]
        assert used <= TEXT_BUDGET
        assert all(len(one.question) + len(one.answer) > TEXT_BUDGET - used for one in left)


def test_one_lesson_is_chosen_however_long() -> None:
    long = lesson("describe", length=2 * TEXT_BUDGET)
    assert choose([long, long], None, np.random.default_rng(0)) == [long]


def test_poses_and_single_tasks_have_steps_of_their_own() -> None:
    lessons = [lesson("pose"), lesson("polygon"), lesson("count")]
    rng = np.random.default_rng(0)
    assert {one.task for one in choose(lessons, None, rng)} == {"polygon", "count"}
    assert {one.task for one in choose(lessons, "pose", rng)} == {"pose"}
    assert choose(lessons, "click", rng) == []


def test_what_is_written_of_an_outline_drifts_and_keeps_its_grammar() -> None:
    right = Taught("polygon", (1,), POINTS)
    moved = np.array([written(right, KNOWN, np.random.default_rng(seed)) for seed in range(300)]) - POINTS
    assert not moved[:, [0, -1]].any()
    assert not (moved % 2).any()  # an x stays an x
    px = moved[:, 1:-1] / 2
    assert 0.5 * DRIFT_PX < px[:, -2:].std() < 1.5 * DRIFT_PX
    assert px[:, :2].std() < px[:, -2:].std()  # errors add up
    together = np.corrcoef(px[:, 20], px[:, 22])[0, 1]
    apart = np.corrcoef(px[:, 20], px[:, 21])[0, 1]
    assert together > 0.5 > abs(apart)


@pytest.mark.parametrize("edge", [100, 1099])
def test_drift_ends_where_coordinates_do(edge: int) -> None:
    right = Taught("polygon", (1,), (edge,) * 40)
    for seed in range(50):
        assert all(token in KNOWN.coordinates for token in written(right, KNOWN, np.random.default_rng(seed)))


@pytest.mark.parametrize("task", ["ground", "pose", "detect", "click"])
def test_other_answers_are_written_as_they_are(task: str) -> None:
    assert written(Taught(task, (1,), POINTS), KNOWN, np.random.default_rng(0)) == POINTS


def test_the_first_point_counts_more_than_the_next_ones() -> None:
    weights = weights_of(Taught("polygon", (1,), POINTS), KNOWN)
    first, later = weights[1:3], weights[3:-1]
    assert (first == first[0]).all()
    assert (later == later[0]).all()
    assert first[0] == 4 * later[0]
    assert weights[0] == weights[-1] == later[0]


def test_numbers_of_a_click_count_more_than_its_words() -> None:
    weights = weights_of(Taught("click", (1,), (1, 12, 2)), KNOWN)
    assert weights[1] == 10 * weights[0] == 10 * weights[2]
    assert len(set(weights_of(Taught("ocr", (1,), (1, 12, 2)), KNOWN))) == 1
