"""Answers that end before a stop string, wherever that falls in their pieces."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest

from youtu_gguf.config import Sampling
from youtu_gguf.engines.base import Answer, Piece, Prefix, TokenScore, collect
from youtu_gguf.engines.stops import StopSearch, until_stop
from youtu_gguf.testing import FakeEngine

END = Piece("", finish="length")


def answer(texts: Sequence[str], *stops: str) -> Answer:
    return collect(until_stop([*(Piece(text, 1) for text in texts), END], stops))


@pytest.mark.parametrize(
    ("text", "stops", "left"),
    [
        ("a stop b", ["stop"], "a "),
        ("stop", ["stop"], ""),
        ("a sto", ["stop"], None),
        ("a sststop", ["stop"], "a sst"),
        ("abcd", ["bcd", "c"], "ab"),  # "c" is complete first
        ("abcd", ["bc", "abc"], ""),  # complete at once: the longest
        ("abab", ["abb", "aba"], ""),
        ("ababc", ["abc"], "ab"),
        ("one\ntwo", ["\n", "three"], "one"),
        ("一二三四", ["三"], "一二"),
        ("anything", [], None),
    ],
)
def test_the_answer_ends_before_the_first_stop_string_however_it_is_cut(
    text: str, stops: list[str], left: str | None
) -> None:
    for cuts in itertools.product([False, True], repeat=len(text) - 1):
        pieces = [""]
        for character, cut in zip(text, [False, *cuts], strict=True):
            if cut:
                pieces.append("")
            pieces[-1] += character
        found = answer(pieces, *stops)
        assert (found.text, found.finish) == ((text, "length") if left is None else (left, "stop"))


def test_only_what_may_begin_a_stop_string_is_held_back() -> None:
    search = StopSearch(["</box>", "."])
    passed = ["".join(piece.text for piece in search.add(Piece(text))) for text in ("a ", "b<", "/b", "a", "<", "/bo")]
    assert passed == ["a ", "", "", "b</ba", "", ""]
    assert "".join(piece.text for piece in search.rest()) == "</bo"
    assert search.rest() == []


def test_every_token_keeps_its_place_and_its_score() -> None:
    pieces = [Piece(text, 1, probability=p) for text, p in (("a", 0.1), ("bs", 0.2), ("t", 0.3), ("op!", 0.4))]
    found = collect(until_stop([*pieces, END], ["stop"]))
    scores = TokenScore(0, 1, 0.1), TokenScore(1, 2, 0.2), TokenScore(2, 2, 0.3), TokenScore(2, 2, 0.4)
    assert found == Answer("ab", "stop", 4, tokens=scores)
    undecided = collect(until_stop([*pieces[:3], END], ["stop"]))
    assert undecided.tokens == (scores[0], TokenScore(1, 3, 0.2), TokenScore(3, 4, 0.3))


def test_nothing_follows_the_end() -> None:
    pieces = list(until_stop([Piece("a."), Piece("b"), END], ["."]))
    assert pieces == [Piece("a"), Piece("", finish="stop")]


def test_an_engine_without_a_network_ends_there_too() -> None:
    session = FakeEngine({"Why": "one two. three"}).open(Prefix())
    assert collect(session.generate("Why?", Sampling(stop=("o.", "x")))).text == "one tw"
