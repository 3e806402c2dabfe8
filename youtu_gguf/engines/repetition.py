"""Detects an endless answer: a block of tokens that repeats, or tokens that say nothing new, up to the token limit.

An engine passes every generated token to the `LoopGuard` of that answer and ends the answer when it says so.
"""

from __future__ import annotations

import numpy as np

from youtu_gguf.engines.diversity import DiversityDetector

MAX_PERIOD = 256
"""Longest block that is detected, in tokens. A box takes 6, an outline of 20 points 44, a person with 16 joints about
90, or about 200 if the vocabulary has no token for a visibility tag and spells it. Sentences and paragraphs are in
between."""

MIN_STRETCH = 256
"""Fewest tokens that a repetition must cover. Correct answers repeat as well: the blanks of a form, rows of dots or
zeros, empty rows of a table, a few equal boxes. Ending one of those loses its rest, while ending an endless answer late
costs 2 % of the longest answer (12,280 tokens). So the limit lies beyond what is likely to be correct: 42 equal boxes,
or table rows of 6 tokens, still pass."""

MIN_ROUNDS = 6
"""Fewest times that a block must occur in a row; this limit decides for blocks of more than 42 tokens. An image may
well show a refrain, or the same label several times."""


class RepetitionDetector:
    """Checks the tokens of one answer. Takes about 3 microseconds per token and 20 KB, whatever the length.

    An answer is endless if its end is one block of n <= `MAX_PERIOD` tokens, repeated for at least `MIN_STRETCH` tokens
    and `MIN_ROUNDS` rounds. Repetition with a change in it, such as advancing coordinates or a numbered list, does not
    count.
    """

    def __init__(self) -> None:
        periods = np.arange(1, MAX_PERIOD + 1)
        self._needed = np.maximum(MIN_STRETCH, MIN_ROUNDS * periods) - periods  # the first round repeats nothing
        self._runs = np.zeros(MAX_PERIOD, np.int64)  # at n-1: how many of the last tokens equal the token n before them
        # Filled from its end, so that `_buffer[_newest + n - 1]` is the token n back; -1 stands before the first token.
        self._buffer = np.full(8 * MAX_PERIOD, -1, np.int64)
        self._newest = len(self._buffer) - MAX_PERIOD

    def add(self, token: int) -> bool:
        """Add the next token of the answer; return whether the answer is endless.

        Args:
            token: Its id, not negative.
        """
        back = self._buffer[self._newest : self._newest + MAX_PERIOD]
        self._runs += 1
        self._runs *= back == token
        if not self._newest:
            self._newest = len(self._buffer) - MAX_PERIOD
            self._buffer[self._newest :] = back
        self._newest -= 1
        self._buffer[self._newest] = token
        return bool((self._runs >= self._needed).any())


class LoopGuard:
    """Checks the tokens of one answer for exact repetition, and its text for want of anything new."""

    def __init__(self) -> None:
        self._tokens, self._text = RepetitionDetector(), DiversityDetector()

    def add(self, token: int, text: str) -> bool:
        """Add the next token of the answer; return whether the answer is endless.

        Args:
            token: Its id, not negative; any number that stands for it and for no other token will do.
            text: What it writes.
        """
        return self._tokens.add(token) | self._text.add(text)
