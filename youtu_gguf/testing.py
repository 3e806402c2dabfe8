"""An engine without a network, for tests of code that uses this package (and for our own).

```python
engine = FakeEngine(answers={"How many cups": "3"})
model = youtu_gguf.load(engine=engine)
```
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from youtu_gguf.config import Sampling
from youtu_gguf.engines.base import PatchStates, Piece, Prefix, PrefixCost
from youtu_gguf.engines.sequential import Sequential
from youtu_gguf.engines.stops import until_stop
from youtu_gguf.errors import EngineError
from youtu_gguf.facts import MAX_IMAGE_TOKENS
from youtu_gguf.types import F32, PreparedImage

if TYPE_CHECKING:
    import threading

StatesFn = Callable[[PreparedImage], F32]
"""From a prepared image to (rows, cols, dim) states."""


def mean_colours(image: PreparedImage) -> F32:
    """Return (rows, cols, 3): each image token's state is the mean RGB of its cell, from -1 to 1."""
    rows, cols = image.grid
    cells = image.rgb.reshape(rows, image.rgb.shape[0] // rows, cols, image.rgb.shape[1] // cols, 3)
    means: F32 = (cells.mean(axis=(1, 3)) / 127.5 - 1).astype(np.float32)
    return means


class FakeEngine:
    """Answers from a script, and gives states computed from the pixels.

    Args:
        answers: Answer by a stretch of the question; the longest match wins, no match answers "".
        states: States of the image tokens.
        head: (n_vocab, dim) rows; by default one row per token that never scores.
        vocabulary: Token id by text. Plain text tokenises into its whitespace-separated words.
        image_max_tokens: Most image tokens an image may take.
        probability: That of every token of an answer, where scores are asked for.
    """

    name = "fake"
    n_parallel = 1
    has_states = True

    def __init__(
        self,
        answers: Mapping[str, str] | None = None,
        *,
        states: StatesFn = mean_colours,
        head: F32 | None = None,
        vocabulary: Mapping[str, int] | None = None,
        image_max_tokens: int = MAX_IMAGE_TOKENS,
        probability: float = 0.5,
    ) -> None:
        self.answers = dict(answers or {})
        self.states = states
        self.image_max_tokens = image_max_tokens
        self.probability = probability
        self.questions: list[str] = []
        self.closed = False
        self._ids = dict(vocabulary or {})
        self._head = np.zeros((max(self._ids.values(), default=0) + 1, 3), np.float32) if head is None else head

    @property
    def vocabulary(self) -> FakeEngine:
        """The fake's tokens."""
        return self

    def tokenize(self, text: str) -> tuple[int, ...]:
        """Return the ids of the known words of `text`."""
        return tuple(self._ids[word] for word in text.split() if word in self._ids)

    def tokenize_all(self, texts: Sequence[str]) -> list[tuple[int, ...]]:
        """Return the ids of each of `texts`."""
        return [self.tokenize(text) for text in texts]

    def token_id(self, token: str) -> int | None:
        """Return the id of `token`; coordinate tokens exist in every fake."""
        if token.startswith(("<x_", "<y_")):
            return 0
        return self._ids.get(token)

    def rows(self, ids: Sequence[int]) -> F32:
        """Return the head's rows for `ids`."""
        return self._head[list(ids)]

    def open(self, prefix: Prefix) -> FakeSession:
        """Start a session."""
        if self.closed:
            raise EngineError("this model is closed. Load it again.")
        return FakeSession(self, prefix)

    def close(self) -> None:
        """Refuse further sessions."""
        self.closed = True


class FakeSession:
    """One prefix on a `FakeEngine`."""

    cost = PrefixCost()

    def __init__(self, engine: FakeEngine, prefix: Prefix) -> None:
        self._engine = engine
        self._prefix = prefix

    @property
    def prefix(self) -> Prefix:
        """What the session was opened with."""
        return self._prefix

    def patches(self, *, aside: bool = False) -> PatchStates:  # noqa: ARG002
        """Return the states made from the pixels."""
        states = self._engine.states(self._prefix.image)
        return PatchStates(states, self._engine, np.zeros(states.shape[-1], np.float32))

    def generate(self, question: str, sampling: Sampling, cancel: threading.Event | None = None) -> Iterator[Piece]:
        """Yield the scripted answer word by word, a token each."""
        return until_stop(self._words(question, sampling, cancel), sampling.stop)

    def _words(self, question: str, sampling: Sampling, cancel: threading.Event | None) -> Iterator[Piece]:
        self._engine.questions.append(question)
        matches = [part for part in self._engine.answers if part in question]
        answer = self._engine.answers[max(matches, key=len)] if matches else ""
        words = answer.split(" ") if answer else []
        for n, word in enumerate(words):
            if cancel is not None and cancel.is_set():
                yield Piece("", finish="cancelled")
                return
            if n == sampling.max_tokens:
                yield Piece("", finish="length")
                return
            probability = self._engine.probability if sampling.scores else None
            yield Piece(word if n == len(words) - 1 else f"{word} ", n_tokens=1, probability=probability)
        yield Piece("", finish="stop")

    def parallel(self) -> Sequential:
        """Answer in turn."""
        return Sequential(self)

    def close(self) -> None:
        """Nothing to release."""
