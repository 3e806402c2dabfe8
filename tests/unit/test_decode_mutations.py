"""Answers written from known values, whole and damaged: no exception, nothing invented, and nothing lost in silence."""

import random
from collections.abc import Callable
from typing import Protocol

import pytest

from scripts.soak._judging import JUDGES, places
from scripts.soak._mutating import KINDS, MUTATORS, Written, mutated
from youtu_gguf.decode.boxes import parse_boxes
from youtu_gguf.decode.classes import parse_classes
from youtu_gguf.decode.polygons import parse_polygons
from youtu_gguf.decode.poses import parse_poses
from youtu_gguf.types import Issue, Size

N_WHOLE = 300
N_DAMAGED = 700
N_OF_A_MISHAP = 50


class Found(Protocol):
    @property
    def issues(self) -> tuple[Issue, ...]: ...


def assert_places(issues: tuple[Issue, ...], text: str) -> None:
    assert places(text, issues) == ""


@pytest.mark.parametrize("kind", KINDS)
def test_whole_answers_come_back_exactly(kind: str) -> None:
    rng = random.Random(5)
    for _ in range(N_WHOLE):
        written = KINDS[kind](rng)

        assert JUDGES[kind].misread(written) == "", written.text


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_answers_never_raise_and_never_invent(kind: str) -> None:
    rng = random.Random(1)
    for _ in range(N_DAMAGED):
        text = mutated(rng, KINDS[kind](rng).text)

        assert JUDGES[kind].invented(text) == "", text


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mishap", MUTATORS, ids=lambda mishap: mishap.__name__)
def test_no_single_mishap_makes_a_parser_invent(mishap: Callable[[random.Random, str], str], kind: str) -> None:
    rng = random.Random(2)
    for _ in range(N_OF_A_MISHAP):
        text = mishap(rng, KINDS[kind](rng).text)

        assert JUDGES[kind].invented(text) == "", text


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("boxes", "<ref>a</ref><box><x_1><y_2><x_3><y_5></box>", [("a", (1, 2, 3, 4))]),
        ("classes", "<ref>a</ref>", (("b",), False)),
        ("counts", "3", 4),
        ("runs", "(1, 2)", (Size(1, 2), [(2, 2)])),
        ("actions", '<tool_call>{"name":"computer_use","arguments":{"action":"key"}}</tool_call>', ("key", (0, 0), {})),
    ],
)
def test_the_judge_notices_another_value(kind: str, text: str, value: object) -> None:
    assert JUDGES[kind].misread(Written(text, value)) != ""


@pytest.mark.parametrize(
    ("parse", "piece"),
    [
        (parse_boxes, "<"),
        (parse_boxes, "<box>"),
        (parse_boxes, "<ref><box><x_1>"),
        (parse_polygons, "<ins><poly><x_1><y_2>"),
        (parse_polygons, "<poly>"),
        (parse_poses, "<person><kpt>"),
        (parse_poses, "<x_"),
        (parse_classes, "<ref>"),
        (parse_classes, "<ref>a"),
        (parse_boxes, "< "),
        (parse_boxes, "<BOX>"),
        (parse_poses, "</"),
    ],
)
def test_a_hostile_megabyte_is_survived(parse: Callable[[str], Found], piece: str) -> None:
    text = piece * (1_000_000 // len(piece))
    assert_places(parse(text).issues, text)


def test_a_megabyte_inside_one_block_is_survived() -> None:
    parse_poses("<person><kpt>" + "<v_1>" * 200_000)
    parse_polygons("<poly>" + "<x_" * 300_000)
