"""An engine without a network, for tests of code that uses this package (and for our own).

```python
engine = FakeEngine(answers={"How many cups": "3"})
model = youtu_gguf.load(engine=engine)
```
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import get_args

import numpy as np

from youtu_gguf.config import Sampling
from youtu_gguf.engines.base import PatchStates, Piece, PrefixCost, PromptCost, Request
from youtu_gguf.engines.prefix import Prefix, answered_key
from youtu_gguf.engines.sequential import Sequential
from youtu_gguf.engines.stops import until_stop
from youtu_gguf.errors import CancelledError, EngineError
from youtu_gguf.facts import MAX_IMAGE_TOKENS
from youtu_gguf.types import F32, Counts, Found, PreparedImage, ProgressFn, no_progress

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

    A word counts as a token, and what it has read it remembers, so `Timings.n_prompt` and `n_cached` are as those of
    other engines. An answer takes a decode for every word.

    Args:
        answers: Answer by a stretch of the question; the longest match wins, no match answers "".
        states: States of the image tokens.
        head: (n_vocab, dim) rows; by default one row per token that never scores.
        vocabulary: Token id by text. Plain text tokenises into its whitespace-separated words.
        image_max_tokens: Most image tokens an image may take.
        probability: That of every token of an answer, where scores are asked for.

    Attributes:
        questions: What was asked.
        prefixes: What preceded each of them.
        memory: What it has read.
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
        self.prefixes: list[Prefix] = []
        self.closed = False
        self.memory = FakeMemory()
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

    def counts(self) -> Counts:
        """Return what was done so far; none of it takes time."""
        return self.memory.counts()

    def open(self, prefix: Prefix) -> FakeSession:
        """Start a session."""
        if self.closed:
            raise EngineError("this model is closed. Load it again.")
        return FakeSession(self, prefix)

    def close(self) -> None:
        """Refuse further sessions."""
        self.closed = True


class FakeMemory:
    """What a `FakeEngine` has read, and what it has done. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lengths: dict[str, int] = {}
        self._images: dict[str, int] = {}
        self._prefixes: dict[Found, int] = dict.fromkeys(get_args(Found), 0)
        self._n_decodes = self._n_generated = 0

    def n_known(self, prefix: Prefix) -> int:
        """Return how many tokens at the beginning of a prefix are known."""
        keys = (prefix.key, *(key for key, _ in prefix.earlier))
        return next((self._lengths[key] for key in keys if key in self._lengths), 0)

    def read(self, prefix: Prefix, question: str = "") -> PromptCost:
        """Read what is not known of a prefix, and a question after it."""
        with self._lock:
            n, n_known = n_tokens(prefix), self.n_known(prefix)
            self._lengths[prefix.key] = n
            self._images |= {image.digest: image.grid.n_tokens for image in prefix.images}
            self._prefixes["context" if n_known else "none"] += 1
            self._n_decodes += n_known < n
        return PromptCost(n + n_words(question), n_known)

    def generate(self) -> None:
        """Note a token of an answer."""
        with self._lock:
            self._n_decodes += 1
            self._n_generated += 1

    def keep(self, prefix: Prefix, question: str, answer: str) -> None:
        """Remember a question and its answer for the next turn."""
        with self._lock:
            length = n_tokens(prefix) + n_words(question) + n_words(answer)
            self._lengths[answered_key(prefix.key, question)] = length

    def counts(self) -> Counts:
        """Return what was done so far."""
        with self._lock:
            prefixes = MappingProxyType(self._prefixes.copy())
            return Counts(self._n_decodes, self._n_generated, sum(self._images.values()), prefixes=prefixes)


def n_words(text: str) -> int:
    """Return the number of words, which are a fake's tokens."""
    return len(text.split())


def n_tokens(prefix: Prefix) -> int:
    """Return the number of words and image tokens."""
    return sum(map(n_words, prefix.texts)) + sum(image.grid.n_tokens for image in prefix.images)


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

    def patches(
        self,
        *,
        image: int = 0,
        aside: bool = False,  # noqa: ARG002
        cancel: threading.Event | None = None,
        max_s: float = math.inf,
        progress: ProgressFn = no_progress,
    ) -> PatchStates:
        """Return the states made from the pixels."""
        if cancel is not None and cancel.is_set():
            raise CancelledError("cancelled")
        if max_s <= 0:
            raise CancelledError("time")
        states = self._engine.states(self._prefix.image(image))
        self.report(progress)
        prompt = self._engine.memory.read(self._prefix)
        return PatchStates(states, self._engine, np.zeros(states.shape[-1], np.float32), prompt)

    def report(self, progress: ProgressFn) -> None:
        """Report that the prefix is read, unless it is known."""
        n, n_known = n_tokens(self._prefix), self._engine.memory.n_known(self._prefix)
        for done in (n_known, n) if n_known < n else ():
            progress("prefill", done, n)

    def generate(self, question: str, sampling: Sampling, cancel: threading.Event | None = None) -> Iterator[Piece]:
        """Yield the scripted answer word by word, a token each."""
        prompt = self._engine.memory.read(self._prefix, question)
        text = ""
        for piece in until_stop(self._words(question, sampling, cancel), sampling.stop):
            text += piece.text
            if piece.finish in ("stop", "length"):
                self._engine.memory.keep(self._prefix, question, text)
            yield piece if piece.finish is None else replace(piece, prompt=prompt)

    def _words(self, question: str, sampling: Sampling, cancel: threading.Event | None) -> Iterator[Piece]:
        self._engine.questions.append(question)
        self._engine.prefixes.append(self._prefix)
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
            self._engine.memory.generate()
            yield Piece(word if n == len(words) - 1 else f"{word} ", n_tokens=1, probability=probability)
        yield Piece("", finish="stop")

    def parallel(self) -> Sequential:
        """Answer in turn."""
        return FakeParallel(self)

    def close(self) -> None:
        """Nothing to release."""


class FakeParallel(Sequential):
    """Answers one question after the other, and reports that a prefix is read."""

    def __init__(self, session: FakeSession) -> None:
        super().__init__(session)
        self._report = session.report

    def _begin(self, request: Request) -> Iterator[Piece]:
        self._report(request.progress)
        return super()._begin(request)
