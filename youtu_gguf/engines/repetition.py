"""When an answer goes round in circles: a block of tokens repeated until the limit would end it.

An engine feeds every generated token to a `RepetitionDetector` of that answer and stops where it says so.
"""

from __future__ import annotations

import numpy as np

MAX_PERIOD = 256
"""Longest block looked for, in tokens. A box is 6, an outline of 20 points 44, a person with 16 joints about 90, or
some 200 if the vocabulary has no token for a visibility tag and spells it; sentences and paragraphs lie between."""

MIN_STRETCH = 256
"""Fewest tokens that repetition must cover. Honest answers repeat as well: the blanks of a form, rows of dots or zeros,
empty rows of a table, a few equal boxes. To end one of those costs its rest, while to end a circle late costs 2 % of
the longest answer (12,280 tokens). So this is beyond what is likely to be meant: 42 equal boxes, or table rows of 6
tokens, still pass."""

MIN_ROUNDS = 6
"""Fewest times a block must stand in a row; it decides for blocks of more than 42 tokens. A refrain, or the same label
several times on a sheet, may well be read from a picture."""


class RepetitionDetector:
    """Watches the tokens of one answer. Takes some 3 microseconds a token and 20 KB, however long the answer.

    An answer goes round in circles when its end is one block of n <= `MAX_PERIOD` tokens over and over, for at least
    `MIN_STRETCH` tokens and `MIN_ROUNDS` rounds. Coordinates that march on, lists that count and other repetition with
    a change in it are no circles.
    """

    def __init__(self) -> None:
        periods = np.arange(1, MAX_PERIOD + 1)
        self._needed = np.maximum(MIN_STRETCH, MIN_ROUNDS * periods) - periods  # the first round repeats nothing
        self._runs = np.zeros(MAX_PERIOD, np.int64)  # at n-1: how many of the last tokens equal the token n before them
        # Filled from its end, so that `_buffer[_newest + n - 1]` is the token n back; -1 stands before the answer.
        self._buffer = np.full(8 * MAX_PERIOD, -1, np.int64)
        self._newest = len(self._buffer) - MAX_PERIOD

    def add(self, token: int) -> bool:
        """Take the next token of the answer; return whether it goes round in circles.

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
