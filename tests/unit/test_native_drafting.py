"""Drafts without a model: what is learned from an answer, and what is left open."""

from __future__ import annotations

import re
from collections.abc import Iterable
from random import Random

import pytest

from youtu_gguf.engines.native.drafting import MAX_CONTEXTS, Drafter

PIECE = re.compile(r"<[^<>]+>|\d|\w+|.", re.DOTALL)


class Reader:
    """Feeds text to a drafter, a piece a token, and gives drafts as text."""

    def __init__(self) -> None:
        self.drafter = Drafter()
        self.ids: dict[str, int] = {}

    def read(self, text: str) -> Reader:
        for piece in PIECE.findall(text):
            self.drafter.add(self.ids.setdefault(piece, len(self.ids)), piece)
        return self

    def draft(self, most: int = 8) -> str:
        texts = list(self.ids)
        return "".join(texts[token] for token in self.drafter.draft(most))


def box(*corners: int) -> str:
    a, b, c, d = corners
    return f"<box><x_{a}><y_{b}><x_{c}><y_{d}></box>"


def test_nothing_is_drafted_before_anything_repeats() -> None:
    reader = Reader()
    assert reader.draft() == ""
    assert reader.read("<ref>cat</ref><box><x_1><y_2><x_3><y_4></box>").draft() == ""


def test_the_tags_between_two_boxes_are_drafted_after_the_first_pair() -> None:
    reader = Reader().read("<ref>cat</ref>" + box(1, 2, 3, 4) + box(5, 6, 7, 8))
    assert reader.read("<box><x_9>").draft() == ""
    assert reader.read("<y_10><x_11>").draft() == ""
    assert reader.read("<y_12>").draft() == "</box><box>"


def test_a_joint_is_drafted_from_its_visibility_to_the_next_one() -> None:
    joints = "".join(f"<kpt><x_{n}><y_{n + 3}><v_1.0></kpt>" for n in range(5))
    reader = Reader().read("<person>" + joints)
    assert reader.draft() == "<kpt>"
    assert reader.read("<kpt><x_70><y_80>").draft() == "<v_1.0></kpt><kpt>"


def test_coordinates_are_never_drafted_though_all_are_alike() -> None:
    reader = Reader().read(box(1, 1, 1, 1) * 9)
    assert reader.draft() == "<box>"
    assert reader.read("<box>").draft() == ""


def test_other_numbers_are_drafted_where_they_repeat() -> None:
    assert Reader().read("a 7 b\n" * 5 + "a").draft(4) == " 7 b"
    assert Reader().read("a 7 b\na 1 b\na 5 b\na 3 b\na").draft(4) == " "


def test_what_follows_at_random_is_mostly_left_open() -> None:
    reader, random = Reader(), Random(0)
    n_drafted = sum(reader.read(random.choice("abcdefgh") + "-").draft(1) != "" for _ in range(400))
    assert n_drafted < 120


def test_a_change_of_structure_is_learned() -> None:
    reader = Reader().read("a-" * 50 + "a+" * 4)
    assert reader.draft(1) == "a"
    assert reader.read("a").draft(1) == "+"


@pytest.mark.parametrize("most", [0, 1, 2])
def test_a_draft_is_no_longer_than_asked(most: int) -> None:
    assert len(Reader().read("one two three " * 9).drafter.draft(most)) == most


def test_a_long_answer_takes_bounded_memory() -> None:
    drafter, random = Drafter(), Random(1)

    def remembered() -> int:
        return max(len(value) for value in vars(drafter).values() if isinstance(value, dict))

    def learn(tokens: Iterable[int]) -> None:
        for token in tokens:
            drafter.add(token, "word")

    learn(random.randrange(100_000) for _ in range(12_280))
    assert remembered() == MAX_CONTEXTS
