"""Drafts: tokens that probably come next in an answer, learned from the answer itself.

Answers repeat their structure: the tags around the numbers of a box, the separators of a table. One decode checks
several drafted tokens at little more than the cost of one, and what it refutes is dropped, so drafts change how many
decodes an answer takes and not what it says. What follows what is learned anew in every answer: no grammar is built in,
and an answer does not depend on those before it.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from dataclasses import dataclass

WIDEST = 8
"""Most tokens that a decode with drafts has, of all answers together: more are rarely right. llama.cpp's kernels for
processors take four at a time."""

LENGTHS = (4, 2, 1)
"""Numbers of preceding tokens that a guess is based on. One and two learn from a single occurrence; four tell the
second point of a box from its first."""

LEAST_CHANCE = 0.6
"""Least probability that a whole draft is right, as far as it has been counted."""

PRIOR = 0.5
"""Added to the times that a guess was right, and to the times that it was wrong: after one occurrence, 0.75."""

MAX_CONTEXTS = 20_000
"""Most contexts that are remembered, about 5 MB. Structure takes a few hundred; only prose goes beyond."""

_NUMBER = re.compile(r"\d+")
_NUMBERED = re.compile(r"<[a-z]+_\d+>")
"""A tag that is a number, such as a coordinate."""


@dataclass(slots=True)
class _Follower:
    """What followed one context: the token, its kind, and how often it did and did not, recent times counting more."""

    token: int
    kind: Hashable
    numbered: bool
    right: float = 1.0
    wrong: float = 0.0

    @property
    def chance(self) -> float:
        return (self.right + PRIOR) / (self.right + self.wrong + 2 * PRIOR)


class Drafter:
    """Learns the tokens of one answer and drafts what comes next. Takes about 10 microseconds a token.

    Contexts are made of the kinds of tokens: tokens whose texts differ in their numbers only are of one kind. A tag
    that is a number, such as a coordinate, is expected but never drafted.
    """

    def __init__(self) -> None:
        self._followers: dict[tuple[Hashable, ...], _Follower] = {}
        self._recent: tuple[Hashable, ...] = ()

    def add(self, token: int, text: str) -> None:
        """Add the next token of the answer, and what it writes."""
        kind: Hashable = _NUMBER.sub("#", text) if any(map(str.isdigit, text)) else token
        numbered = kind is not token and _NUMBERED.fullmatch(text) is not None
        for context in self._contexts(self._recent):
            self._learn(context, token, kind, numbered)
        self._recent = (*self._recent, kind)[-LENGTHS[0] :]

    def _learn(self, context: tuple[Hashable, ...], token: int, kind: Hashable, numbered: bool) -> None:
        known = self._followers.get(context)
        if known is None:
            if len(self._followers) < MAX_CONTEXTS:
                self._followers[context] = _Follower(token, kind, numbered)
        elif known.token == token or (numbered and known.kind == kind):
            known.right += 1
        else:
            known.right, known.wrong = known.right / 2, known.wrong / 2 + 1
            if known.right < known.wrong:
                known.token, known.kind, known.numbered, known.right = token, kind, numbered, 1.0

    def draft(self, most: int) -> tuple[int, ...]:
        """Return at most `most` tokens that probably come next, in order; none where that is uncertain."""
        drafted: list[int] = []
        recent, chance = self._recent, 1.0
        while len(drafted) < most:
            known = [self._followers[c] for c in self._contexts(recent) if c in self._followers]
            likeliest = max(known, key=lambda follower: follower.chance, default=None)
            if likeliest is None or likeliest.numbered:
                break
            chance *= likeliest.chance
            if chance < LEAST_CHANCE:
                break
            drafted.append(likeliest.token)
            recent = (*recent, likeliest.kind)[-LENGTHS[0] :]
        return tuple(drafted)

    @staticmethod
    def _contexts(recent: tuple[Hashable, ...]) -> list[tuple[Hashable, ...]]:
        return [recent[-n:] for n in LENGTHS if n <= len(recent)]
