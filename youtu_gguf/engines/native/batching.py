"""Which tokens are decoded in one batch, and which questions begin with the same tokens."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import TYPE_CHECKING

from youtu_gguf.engines.native.llama.handles import SHORT

if TYPE_CHECKING:
    from youtu_gguf.engines.native.generation import Generation

MIN_SHARED = 4
"""Fewest tokens that are worth sharing with another question."""

Group = list[tuple["Generation", int]]
"""One batch: the first n pending tokens of each answer."""


def n_common(a: Sequence[int], b: Sequence[int]) -> int:
    """Return how many tokens at the beginning of two questions are equal."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(a, b, strict=False)))


def followers(newcomers: Sequence[Generation]) -> list[Generation]:
    """Return the new questions that can share tokens with another new question, once that one is decoded."""
    leaders: list[Generation] = []
    found: list[Generation] = []
    for newcomer in newcomers:
        n_done = len(newcomer.asked) - len(newcomer.pending)
        n_shared = max((n_common(newcomer.asked, leader.asked) for leader in leaders), default=0)
        (found if n_shared - n_done >= MIN_SHARED else leaders).append(newcomer)
    return found


def pack(answers: Sequence[Generation], most: int) -> list[Group]:
    """Divide all pending tokens into batches of at most `most` and at most `SHORT` tokens.

    Up to `SHORT` tokens, llama.cpp computes the same numbers for a token whatever else is in the batch, so a batch may
    mix questions and hold parts of them.
    """
    most = min(most, SHORT)
    groups: list[Group] = []
    room = 0
    for generation in answers:
        left = len(generation.pending)
        while left:
            if not room:
                groups.append([])
                room = most
            n = min(left, room)
            groups[-1].append((generation, n))
            left, room = left - n, room - n
    return groups
