"""An answer as a stream of text."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Self

from youtu_gguf.engines.base import Piece
from youtu_gguf.types import Finish

if TYPE_CHECKING:
    from types import TracebackType


class TextStream(Iterator[str]):
    """Pieces of an answer as they are generated, always whole characters; `"".join(stream)` is the whole of it.

    Nothing is generated before the first piece is asked for. Use it as a context manager to end the answer where you
    leave off, or close it yourself. Only one thread may read a stream.

    ```python
    with scene.ask("What is this?", stream=True) as pieces:
        for piece in pieces:
            print(piece, end="", flush=True)
    print(pieces.finish)
    ```

    Attributes:
        finish: Why the answer ended, once it has; "none" before that, and for an answer that was closed before its end.
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
        self._pieces = iter(())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"TextStream(finish={self.finish!r})"
