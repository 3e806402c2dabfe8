"""Detects an endless answer that never repeats exactly: few words in any order, phrases that stay the same but for a
word here and there, and coordinates that creep or belong to nothing.

Works on an answer's text, so it is the same for every engine. `repetition.LoopGuard` puts it beside the exact detector.
The constants were chosen with `scripts/soak/repetition.py`, which tries answers that are correct and answers that are
endless; docs/benchmarks.md has its figures.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter, deque
from heapq import nlargest

import numpy as np

FEW = 8
WORDS_WINDOW = 1024
WORDS_SHARE = 2 / 3
"""An answer is endless if `FEW` words make up this share of its last `WORDS_WINDOW` symbols. A word has two letters or
more, or one that is not ASCII; its case does not count. Numbers and marks are not words, for tables may well consist of
a few of those. Correct answers come to one half (a table of "yes" and "no", with what separates its cells); the small
model of this package comes to 0.75 and more when it is stuck on a photograph."""

PHRASE = 8
PHRASES_WINDOW = 2048
NEW_SHARE = 0.1
"""An answer is endless if less than this share of its last `PHRASES_WINDOW` symbols completes a phrase, of `PHRASE`
symbols, that stands nowhere before in it."""

NEAR_PX = 8
MAX_LAG = 64
PENALTY = 32
CREEPING = 512
"""An answer is endless if its last `CREEPING` coordinates each lie within `NEAR_PX` of the one n <= `MAX_LAG` before,
on the same axis; one that does not costs `PENALTY`. So many are 128 boxes, or 14 persons of 18 points, each almost in
the place of one before it; what stands side by side in an image is further apart. Coordinates alone are compared,
whatever labels or counters stand between them."""

OUTLINE = 128
RUN = 4
STRAY = 512
"""An answer is endless if it holds this many more coordinates that stray than such that do not. A coordinate strays if
it directly follows `RUN` others, as many as a box has, and stands more than `OUTLINE` after the tag that opened a box,
a joint or an outline. Outlines have 20 points at most (facts: answers by task); 64 are allowed here."""

_SYMBOL = re.compile(r"<[^<>\s]{1,24}>|[^\W\d_]+|\d{1,16}|\s+|.", re.DOTALL)
_UNFINISHED = re.compile(r"(?:<[^<>\s]{0,24}|(?<!\d)\d{1,15})\Z")
_COORDINATE = re.compile(r"<([xy])_(\d{1,6})>")
_OPENERS = ("<box>", "<kpt>", "<poly>")
_SEEN_BITS = 18  # 32 KB; of the longest answer's phrases, 5 % are then taken for others
_CHECK_EVERY = 32  # symbols: finding the most frequent words takes longer than counting


class DiversityDetector:
    """Checks the text of one answer. Takes about 10 microseconds per token and 0.2 MB, whatever the length.

    Its symbols are words, numbers, tags, single other characters, and white space other than a single space; numbers
    and tags are whole, in however many pieces they come.
    """

    def __init__(self) -> None:
        self._detectors = _FewWords(), _OldPhrases(), _Coordinates()
        self._unfinished = ""

    def add(self, text: str) -> bool:
        """Add the next piece of the answer; return whether the answer is endless."""
        text = self._unfinished + text
        unfinished = _UNFINISHED.search(text)
        self._unfinished = unfinished[0] if unfinished else ""
        endless = False
        for symbol in _SYMBOL.findall(text, 0, len(text) - len(self._unfinished)):
            if symbol != " ":
                for detector in self._detectors:
                    endless |= detector.add(symbol)
        return endless


class _FewWords:
    def __init__(self) -> None:
        self._window: deque[str] = deque(maxlen=WORDS_WINDOW)
        self._counts: Counter[str] = Counter()
        self._n_added = 0

    def add(self, symbol: str) -> bool:
        word = symbol.casefold() if symbol.isalpha() and (len(symbol) > 1 or not symbol.isascii()) else ""
        full = len(self._window) == WORDS_WINDOW
        if full:
            self._counts[self._window[0]] -= 1
        self._window.append(word)
        self._counts[word] += 1
        self._n_added += 1
        if not full or self._n_added % _CHECK_EVERY:
            return False
        self._counts = +self._counts  # without words that are gone
        most = nlargest(FEW, (n for word, n in self._counts.items() if word))
        return sum(most) >= WORDS_SHARE * WORDS_WINDOW


class _OldPhrases:
    def __init__(self) -> None:
        self._phrase: deque[str] = deque(maxlen=PHRASE)
        self._seen = bytearray(1 << _SEEN_BITS - 3)
        self._window: deque[bool] = deque(maxlen=PHRASES_WINDOW)
        self._n_new = 0

    def add(self, symbol: str) -> bool:
        self._phrase.append(symbol)
        place = zlib.crc32("\0".join(self._phrase).encode("utf-8", "surrogatepass")) & (1 << _SEEN_BITS) - 1
        byte, bit = place >> 3, 1 << (place & 7)
        new = not self._seen[byte] & bit
        self._seen[byte] |= bit
        full = len(self._window) == PHRASES_WINDOW
        self._n_new += new - (full and self._window[0])
        self._window.append(new)
        return full and self._n_new < NEW_SHARE * PHRASES_WINDOW


class _Coordinates:
    def __init__(self) -> None:
        self._past = np.full(MAX_LAG, np.inf)  # the newest first; y as numbers far from those of x
        self._creeping = np.zeros(MAX_LAG, np.int64)
        self._since_opener = self._run = self._stray = 0

    def add(self, symbol: str) -> bool:
        found = _COORDINATE.fullmatch(symbol)
        if found is None:
            self._run = 0
            if symbol in _OPENERS:
                self._since_opener = 0
            return False
        place = int(found[2]) + (found[1] == "y") * 1e7
        near = np.abs(self._past - place) <= NEAR_PX
        self._creeping = np.maximum(self._creeping + np.where(near, 1, -PENALTY), 0)
        self._past[1:] = self._past[:-1]
        self._past[0] = place
        strays = self._run >= RUN and self._since_opener >= OUTLINE
        self._stray = max(0, self._stray + (1 if strays else -1))
        self._run += 1
        self._since_opener += 1
        return bool(self._creeping.max() >= CREEPING or self._stray >= STRAY)
