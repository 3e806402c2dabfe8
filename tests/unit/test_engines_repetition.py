"""When an answer goes round in circles: planted circles, random answers, and answers as the model writes them."""

from __future__ import annotations

import itertools
import random
import tracemalloc
from collections.abc import Callable, Iterable, Sequence

import pytest

from youtu_gguf.engines.repetition import MAX_PERIOD, MIN_ROUNDS, MIN_STRETCH, RepetitionDetector

LONGEST_ANSWER = 12_280  # facts: prompt
COORDINATES = 278_267
WORDS = range(5, 120_000)
REF, END_REF, BOX, END_BOX, POLY, END_POLY, INS, END_INS, PERSON, END_PERSON, KPT, END_KPT, VISIBLE = range(
    282_363, 282_376
)


def trip(tokens: Iterable[int]) -> int | None:
    """Return how many tokens the guard took before it called the answer a circle; None if it never did."""
    guard = RepetitionDetector()
    return next((n for n, token in enumerate(tokens, 1) if guard.add(token)), None)


def bound(period: int) -> int:
    return max(MIN_STRETCH, MIN_ROUNDS * period)


def circle(block: Sequence[int]) -> Iterable[int]:
    return itertools.islice(itertools.cycle(block), 2 * bound(len(block)))


def x(pixel: int) -> int:
    return COORDINATES + 2 * pixel


def y(pixel: int) -> int:
    return COORDINATES + 2 * pixel + 1


def box(left: int, top: int, right: int, bottom: int) -> list[int]:
    return [BOX, x(left), y(top), x(right), y(bottom), END_BOX]


def person(random_pixel: Callable[[], int]) -> list[int]:
    joints = [[KPT, x(random_pixel()), y(random_pixel()), VISIBLE, END_KPT] for _ in range(16)]
    return [PERSON, *box(*(random_pixel() for _ in range(4))), *itertools.chain(*joints), END_PERSON]


@pytest.mark.parametrize("period", range(1, MAX_PERIOD + 1))
def test_every_circle_of_different_tokens_trips_exactly_at_its_bound(period: int) -> None:
    assert trip(circle(range(period))) == bound(period)


@pytest.mark.parametrize("seed", range(40))
def test_a_random_circle_after_a_random_answer_trips_within_its_bound(seed: int) -> None:
    draw = random.Random(seed)
    before = [draw.choice(WORDS) for _ in range(draw.randrange(3000))]
    block = [draw.choice(WORDS) for _ in range(draw.randint(1, MAX_PERIOD))]
    tripped = trip(itertools.chain(before, circle(block)))
    assert tripped is not None
    # An answer that by chance ends like the block makes the stretch longer, by a token or two.
    assert len(before) + bound(len(block)) - 2 <= tripped <= len(before) + bound(len(block))


@pytest.mark.parametrize("seed", range(40))
def test_a_circle_whose_block_repeats_tokens_inside_trips_within_its_bound(seed: int) -> None:
    draw = random.Random(seed)
    block = [draw.randrange(3) for _ in range(draw.randint(1, MAX_PERIOD))]
    tripped = trip(circle(block))
    assert tripped is not None
    assert tripped <= bound(len(block))


@pytest.mark.parametrize("n_tokens", [2, 3, 10, 1000, 283_386])
def test_random_answers_never_trip_however_few_words_they_use(n_tokens: int) -> None:
    for seed in range(3):
        draw = random.Random(seed)
        assert trip(draw.randrange(n_tokens) for _ in range(LONGEST_ANSWER)) is None


def test_a_block_that_never_stands_often_enough_in_a_row_does_not_trip() -> None:
    block = list(range(60))
    stretches = ([*block * (MIN_ROUNDS - 1), 1000 + n] for n in range(100))
    assert trip(itertools.chain(*stretches)) is None


def test_a_circle_that_is_broken_is_forgotten() -> None:
    guard = RepetitionDetector()
    tokens = [7] * (MIN_STRETCH - 1) + [8] + [7] * (MIN_STRETCH - 1)
    assert not any(guard.add(token) for token in tokens)
    assert guard.add(7)


def test_a_longer_block_than_is_looked_for_is_left_alone() -> None:
    assert trip(itertools.islice(itertools.cycle(range(MAX_PERIOD + 1)), LONGEST_ANSWER)) is None


def test_memory_does_not_grow_with_the_answer() -> None:
    tracemalloc.start()
    try:
        guard = RepetitionDetector()
        for token in range(1000):
            guard.add(token)
        size, _ = tracemalloc.get_traced_memory()
        for token in range(1000, LONGEST_ANSWER):
            guard.add(token)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size < 32_768
    assert after - size < 1024


CIRCLES = {
    "one box": box(1, 2, 3, 4),
    "a named box": [REF, 400, END_REF, *box(1, 2, 3, 4)],
    "two boxes in turn": [*box(1, 2, 3, 4), *box(5, 6, 7, 8)],
    "a corner of an outline": [x(5), y(5)],
    "a square, corner by corner": [x(0), y(0), x(9), y(0), x(9), y(9), x(0), y(9)],
    "a whole outline": [POLY, *itertools.chain(*([x(i), y(i * i)] for i in range(20))), END_POLY],
    "a person": person(itertools.count(100).__next__),
    "a sentence": list(range(500, 531)),
}


@pytest.mark.parametrize("name", CIRCLES)
def test_answers_the_model_gets_stuck_in_trip(name: str) -> None:
    block = CIRCLES[name]
    assert trip(circle(block)) == bound(len(block))


def honest_answers() -> dict[str, list[int]]:
    draw = random.Random(1)

    def pixel() -> int:
        return draw.randrange(2048)

    different = [box(*(pixel() for _ in range(4))) for _ in range(100)]
    cup = [REF, 400, END_REF]
    row = [64, 9, 64, 9, 64, 10]  # | | |
    return {
        "100 boxes of one name": [*cup, *itertools.chain(*different)],
        "100 named boxes": list(itertools.chain(*([*cup, *corners] for corners in different))),
        "40 equal boxes": box(3, 3, 9, 9) * 40,
        "a tiling of boxes in rows": list(
            itertools.chain(*(box(32 * c, 32 * r, 32 * c + 32, 32 * r + 32) for r in range(30) for c in range(40)))
        ),
        "an outline of 60 points": [
            INS,
            POLY,
            *itertools.chain(*([x(pixel()), y(pixel())] for _ in range(60))),
            END_POLY,
        ],
        "an outline with a point that stays": [POLY, x(3), y(3), *[x(4), y(4)] * 100, x(5), y(5), END_POLY, END_INS],
        "coordinates that march on": list(itertools.chain(*([x(i), y(10)] for i in range(0, 2048)))),
        "10 persons": list(itertools.chain(*(person(pixel) for _ in range(10)))),
        "10 persons without a visible joint": list(
            itertools.chain(
                *([PERSON, *corners, *[KPT, x(0), y(0), VISIBLE, END_KPT] * 16] for corners in different[:10])
            )
        ),
        "ha ha ha": [300] * 60,
        "a long row of zeros": [48] * 200,
        "an empty table of 40 rows": row * 40,
        "rows of zeros with their numbers": list(itertools.chain(*([1000 + n, *[48] * 32] for n in range(200)))),
        "others named over and over": [REF, 282_380, END_REF] * 80,
        "run lengths of a disc": list(itertools.chain(*([48, 200 - n, 49, 2 * n, 48, 200 - n] for n in range(100)))),
        "a list that counts": list(itertools.chain(*([48 + n, 46, 700, 701, 10] for n in range(500)))),
        "a refrain sung four times": list(range(600, 720)) * 4,
    }


@pytest.mark.parametrize("name", honest_answers())
def test_honest_answers_that_repeat_do_not_trip(name: str) -> None:
    assert trip(honest_answers()[name]) is None
