"""Endless answers that never repeat exactly, and correct ones that nearly do; scripts/soak/repetition.py tries more."""

from __future__ import annotations

import re
import tracemalloc
from collections.abc import Iterable
from itertools import chain
from random import Random

import pytest

from scripts.soak._correct import CORRECT
from scripts.soak._endless import ENDLESS, PIECES, tokens
from scripts.soak.repetition import ended_after, false_alarms
from youtu_gguf.engines.diversity import CREEPING, DiversityDetector

LATE = ("a cycle of 9 to 20 words, 5 % noise",)
"""Kinds that are ended late or not at all: so much noise is also what a table holds."""


def tripped(pieces: Iterable[str]) -> bool:
    detector = DiversityDetector()
    return any(detector.add(piece) for piece in pieces)


@pytest.mark.parametrize("name", CORRECT)
def test_correct_answers_are_never_ended(name: str) -> None:
    assert false_alarms(name, 3, seed=1)[0] == 0


@pytest.mark.parametrize("name", [name for name in ENDLESS if name not in LATE])
def test_endless_answers_are_ended_within_a_quarter_of_their_limit(name: str) -> None:
    end = ended_after(tokens(name, Random(name)))
    assert end is not None
    assert end < PIECES / 4


def test_two_spellings_of_a_word_with_noise_are_ended_as_soon_as_the_window_is_full_of_them() -> None:
    draw = Random(0)
    pieces = [draw.choice(("red", " red", " red", " red", "<ref>")) for _ in range(1200)]
    assert not tripped(pieces[:1000])
    assert tripped(pieces)


def test_marks_and_numbers_are_not_words() -> None:
    draw = Random(0)
    assert not tripped(draw.choice((" |", " 0", " 1", "x")) for _ in range(1500))


@pytest.mark.parametrize("step", [1, 8])
def test_boxes_that_creep_are_ended_and_boxes_side_by_side_are_not(step: int) -> None:
    def row(step: int) -> list[str]:
        return [f"<box><x_{n * step}><y_3><x_{n * step + 7}><y_90></box>" for n in range(200)]

    assert tripped(row(step))
    assert not tripped(row(9))


def test_coordinates_in_pairs_of_their_own_are_points_and_do_not_stray() -> None:
    draw = Random(0)
    assert not tripped(f"{n}. <x_{draw.randrange(2000)}><y_{draw.randrange(2000)}>\n" for n in range(600))


def test_an_outline_of_sixty_points_does_not_stray_and_one_without_an_end_does() -> None:
    draw = Random(0)

    def outline(n: int) -> list[str]:
        return ["<poly>", *(f"<x_{draw.randrange(2000)}><y_{draw.randrange(2000)}>" for _ in range(n)), "</poly>"]

    assert not tripped(chain.from_iterable(outline(60) for _ in range(30)))
    assert tripped(outline(400))


@pytest.mark.parametrize("pattern", [r"<[^>]*>|[^<]+", r"<[^>]*>|.", r"."])
def test_tags_and_numbers_count_the_same_however_they_are_cut(pattern: str) -> None:
    text = "".join(f"<box><x_{n}><y_3><x_{n + 30}><y_190></box> 12{n}.50 " for n in range(140))
    detector, read = DiversityDetector(), 0
    for piece in re.findall(pattern, text):
        read += len(piece)
        if detector.add(piece):
            break
    assert text[:read].endswith("<y_190>")
    assert text[:read].count("<y_190>") == 1 + CREEPING // 4


def test_memory_does_not_grow_with_the_answer() -> None:
    draw = Random(0)
    detector = DiversityDetector()
    tracemalloc.start()
    try:
        for _ in range(4000):
            detector.add(f" {draw.randrange(10**6)}")
        size, _ = tracemalloc.get_traced_memory()
        for _ in range(8000):
            detector.add(f" {draw.randrange(10**6)}")
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size < 400_000
    assert after - size < 20_000
