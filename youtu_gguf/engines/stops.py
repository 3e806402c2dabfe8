"""Ends an answer before the first of the stop strings of its sampling, however they fall across pieces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from youtu_gguf.engines.base import Piece


class StopSearch:
    """Passes on the pieces of one answer, except those that may belong to a stop string, until that is decided.

    The first stop string is the one that is complete first; of those complete at once, the longest.

    Args:
        stops: Stop strings, none of them empty.

    Attributes:
        found: Whether the answer has come to a stop string.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = stops
        self._held: list[Piece] = []
        self.found = False

    def add(self, piece: Piece) -> list[Piece]:
        """Add a piece without a finish; return the pieces that are decided.

        Of pieces that hold a stop string, what stands before it stays; their tokens and scores do too.
        """
        if not self._stops:
            return [piece]
        self._held.append(piece)
        text = "".join(held.text for held in self._held)
        ends = [(start + len(stop), start) for stop in self._stops if (start := text.find(stop)) >= 0]
        self.found = bool(ends)
        stop = min(ends)[1] if ends else len(text) - self._n_undecided(text)
        decided, self._held = self._held, []
        passed = 0
        for n, held in enumerate(decided):
            passed += len(held.text)
            if passed > stop and not ends:
                decided, self._held = decided[:n], decided[n:]
                break
        return list(_cut(decided, stop)) if ends else decided

    def _n_undecided(self, text: str) -> int:
        """Return how many characters at the end of `text` may begin a stop string."""
        longest = max(map(len, self._stops), default=0) - 1
        tails = (text[-n:] for n in range(min(longest, len(text)), 0, -1))
        return next((len(tail) for tail in tails if any(stop.startswith(tail) for stop in self._stops)), 0)

    def rest(self) -> list[Piece]:
        """Return the pieces that are undecided, because the answer has ended."""
        held, self._held = self._held, []
        return held


def _cut(pieces: Iterable[Piece], n: int) -> Iterator[Piece]:
    """Yield the pieces with the first `n` characters of their text."""
    for piece in pieces:
        yield replace(piece, text=piece.text[:n])
        n = max(0, n - len(piece.text))


def until_stop(pieces: Iterable[Piece], stops: Sequence[str]) -> Iterator[Piece]:
    """Yield the pieces of an answer up to the first of `stops`; the last then says that it ended there."""
    search = StopSearch(stops)
    for piece in pieces:
        if piece.finish is not None:
            yield from search.rest()
            yield piece
            return
        yield from search.add(piece)
        if search.found:
            yield Piece("", finish="stop")
            return
