"""An answer that can be watched as it comes."""

from __future__ import annotations

from collections.abc import Generator, Iterator

from youtu_gguf.engines.base import Piece
from youtu_gguf.types import Finish


class TextStream(Iterator[str]):
    """Pieces of an answer, always whole characters. Once it is exhausted, `finish` says why it ended.

    Close it, or let it go, to end the answer early.
    """

    def __init__(self, pieces: Iterator[Piece]) -> None:
        self._pieces = pieces
        self.finish: Finish = "none"

    def __next__(self) -> str:
        for piece in self._pieces:
            self.finish = piece.finish or self.finish
            if piece.text:
                return piece.text
        raise StopIteration

    def close(self) -> None:
        """End the answer here and free what it holds. Safe to call twice."""
        if isinstance(self._pieces, Generator):
            self._pieces.close()
