"""What is decoded together in one go, and which questions begin alike."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import TYPE_CHECKING

from youtu_gguf.engines.native.llama.handles import SHORT

if TYPE_CHECKING:
    from youtu_gguf.engines.native.generation import Generation

MIN_SHARED = 4
"""Fewest tokens worth sharing with another question."""

Group = list[tuple["Generation", int]]
"""What is decoded in one go: the first n pending tokens of each answer."""


def n_common(a: Sequence[int], b: Sequence[int]) -> int:
    """Return how many tokens two questions begin with alike."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(a, b, strict=False)))


def followers(newcomers: Sequence[Generation]) -> list[Generation]:
    """Return the new questions that go on as another of them does, and had better wait until that one is decoded."""
    leaders: list[Generation] = []
    found: list[Generation] = []
    for one in newcomers:
        done = len(one.asked) - len(one.pending)
        alike = max((n_common(one.asked, other.asked) for other in leaders), default=0)
        (found if alike - done >= MIN_SHARED else leaders).append(one)
    return found


def pack(answers: Sequence[Generation], most: int) -> list[Group]:
    """Lay all pending tokens out, at most `most` and at most `SHORT` at a time.

    Up to that length llama.cpp gives every token the same numbers whatever is decoded beside it, so questions may be
    cut and mixed at will.
    """
    most = min(most, SHORT)
    groups: list[Group] = []
    room = 0
    for answering in answers:
        left = len(answering.pending)
        while left:
            if not room:
                groups.append([])
                room = most
            n = min(left, room)
            groups[-1].append((answering, n))
            left, room = left - n, room - n
    return groups
