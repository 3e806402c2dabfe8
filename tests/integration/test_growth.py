"""What reading takes grows with the length alone. Times are compared within one run, so a busy machine does not matter.

For four times the length, linear work takes about 4 times as long, and work that grows with the square 16 times.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts" / "bench"))
import parsers

from youtu_gguf.decode.scores import item_scores
from youtu_gguf.engines.base import Answer, TokenScore
from youtu_gguf.engines.repetition import RepetitionDetector


@pytest.mark.parametrize("shape", parsers.SHAPES)
def test_every_parser_takes_time_in_proportion_to_hostile_text(shape: str) -> None:
    for name, parse in parsers.PARSERS.items():
        _, times = parsers.growth(parse, parsers.SHAPES[shape], 40_000)
        assert times <= parsers.MOST_GROWTH, name


def test_scores_take_time_in_proportion_to_items_and_tokens() -> None:
    def make(length: int) -> tuple[Answer, list[tuple[tuple[int, int]]]]:
        tokens = tuple(TokenScore(5 * i, 5 * i + 5, 0.5) for i in range(length))
        answer = Answer("<x_1>" * length, "stop", length, tokens=tokens)
        return answer, [((5 * i, len(answer.text)),) for i in range(0, length, 4)]

    _, times = parsers.growth(lambda case: item_scores(*case), make, 40_000)
    assert times <= parsers.MOST_GROWTH


@pytest.mark.parametrize("period", [1, 600])
def test_watching_for_circles_takes_time_in_proportion_to_the_answer(period: int) -> None:
    def watch(tokens: list[int]) -> None:
        detector = RepetitionDetector()
        for token in tokens:
            detector.add(token)

    _, times = parsers.growth(watch, lambda length: [i % period for i in range(length)], 12_000)
    assert times <= parsers.MOST_GROWTH


def test_a_ratio_shows_work_that_grows_with_the_square() -> None:
    _, times = parsers.growth(lambda text: [text.count("b") for _ in text], lambda length: "a" * length, 8_000)
    assert times > parsers.MOST_GROWTH
