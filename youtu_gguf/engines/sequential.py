"""Several answers on one prefix, one after the other, for engines that cannot generate them together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from youtu_gguf.engines.base import Piece, Request
from youtu_gguf.errors import YoutuError

if TYPE_CHECKING:
    from youtu_gguf.engines.base import Session


class Sequential:
    """A `ParallelGeneration` that answers one question after the other."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._waiting: list[tuple[int, Request]] = []
        self._count = 0
        self._current: tuple[int, Request, Iterator[Piece]] | None = None
        self._n_tokens = 0

    def add(self, request: Request) -> int:
        """Queue a question."""
        self._waiting.append((self._count, request))
        self._count += 1
        return self._count - 1

    def step(self) -> Sequence[tuple[int, Piece | YoutuError]]:
        """Return the next piece of the current answer, and report to its listener how many tokens there are."""
        if self._current is None:
            if not self._waiting:
                return ()
            number, request = self._waiting.pop(0)
            self._current, self._n_tokens = (number, request, self._begin(request)), 0
        number, request, pieces = self._current
        try:
            piece: Piece | YoutuError = next(pieces, Piece("", finish="cancelled"))
        except YoutuError as exc:
            piece = exc
        if isinstance(piece, Piece):
            self._n_tokens += piece.n_tokens
            request.progress("generate", self._n_tokens, request.sampling.max_tokens)
        if isinstance(piece, YoutuError) or piece.finish is not None:
            self._current = None
        return ((number, piece),)

    def _begin(self, request: Request) -> Iterator[Piece]:
        return iter(self._session.generate(request.question, request.sampling, request.cancel))

    def close(self) -> None:
        """Drop the current answer and all waiting questions."""
        self._waiting.clear()
        self._current = None
