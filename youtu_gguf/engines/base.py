"""What an engine is, and the values that cross its boundary.

An engine turns one prepared image and text into text and, where it can, into the hidden states of the image
tokens. It knows nothing of tasks or answer grammars. Every engine passes `tests/engine_contract.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np

from youtu_gguf.config import Sampling
from youtu_gguf.errors import CapabilityError, YoutuError
from youtu_gguf.facts import DEFAULT_SYSTEM
from youtu_gguf.types import F32, Finish, Grid, PreparedImage, checked

if TYPE_CHECKING:
    import threading


@dataclass(frozen=True)
class Prefix:
    """Everything before the question: the system prompt, the user's text before the image, and the image."""

    image: PreparedImage
    before: str = ""
    system: str = DEFAULT_SYSTEM


@dataclass(frozen=True)
class Piece:
    """A stretch of the answer, always whole UTF-8 characters. Only the last piece has a `finish`.

    `probability` is that of its token among all, before temperature and penalties; None when not asked for or unknown.
    """

    text: str
    n_tokens: int = 0
    finish: Finish | None = None
    probability: float | None = None


@dataclass(frozen=True)
class TokenScore:
    """A token of an answer: the characters `start` to `stop` that it wrote, none for a part of a character, and its
    probability, 0 to 1."""

    start: int
    stop: int
    probability: float


@dataclass(frozen=True)
class Answer:
    """A finished generation. `tokens` is empty unless scores were asked for and the engine knows them.

    `offset` is where its text begins in `Result.raw`, behind the earlier answers of the same run.
    """

    text: str
    finish: Finish
    n_tokens: int
    seconds: float = 0.0
    tokens: tuple[TokenScore, ...] = ()
    offset: int = 0


class Collector:
    """Joins pieces into an answer; one that never sees a finish counts as cancelled."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._tokens: list[TokenScore] = []
        self._length = self._n_tokens = 0
        self._finish: Finish = "cancelled"

    def add(self, piece: Piece) -> bool:
        """Append a piece; return whether it was the last."""
        stop = self._length + len(piece.text)
        if piece.probability is not None:
            self._tokens.append(TokenScore(self._length, stop, piece.probability))
        self._text.append(piece.text)
        self._length = stop
        self._n_tokens += piece.n_tokens
        self._finish = piece.finish or self._finish
        return piece.finish is not None

    def answer(self) -> Answer:
        """Return what came so far."""
        return Answer("".join(self._text), self._finish, self._n_tokens, tokens=tuple(self._tokens))


def collect(pieces: Iterable[Piece]) -> Answer:
    """Join `pieces` into one answer; a stream that ends without a finish counts as cancelled."""
    collector = Collector()
    for piece in pieces:
        collector.add(piece)
    return collector.answer()


class HeadRows(Protocol):
    """Rows of the language model's head, one per token id."""

    def rows(self, ids: Sequence[int]) -> F32:
        """Return (len(ids), dim) float32 rows; `hidden @ rows.T` are the logits of those tokens."""
        ...


@dataclass(frozen=True, eq=False)
class PatchStates:
    """Final hidden states of the image tokens: `hidden` (rows, cols, dim) float32, after the last norm.

    `before` (dim,) is the state of the position before the first of them, which holds `<|vision_start|>`; None where
    the engine does not tell, or where there is no one such position, as in states put together from tiles.
    """

    hidden: F32
    head: HeadRows = field(repr=False)
    before: F32 | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "hidden", checked("hidden", self.hidden, (None, None, None), np.float32))
        if self.before is not None:
            object.__setattr__(self, "before", checked("before", self.before, self.hidden.shape[2:], np.float32))

    @property
    def grid(self) -> Grid:
        """Rows and columns of image tokens."""
        return Grid(*self.hidden.shape[:2])

    def logits(self, ids: Sequence[int]) -> F32:
        """Score tokens at every image token.

        Args:
            ids: k token ids of the model's vocabulary.

        Returns:
            (rows, cols, k) raw logits.
        """
        return self.hidden @ self.head.rows(ids).T

    def moved(self, shift: int) -> PatchStates:
        """Return the states with that of position i + `shift` where that of position i was; `shift` is 0 or -1.

        Raises:
            CapabilityError: `shift` is -1 and the state before the first image token is not known.
        """
        if not shift:
            return self
        if self.before is None:
            raise CapabilityError(
                "this model's calibration reads each image token's state one position earlier, and the engine does not "
                'give the state before the first one. Use engine="native".'
            )
        flat = self.hidden.reshape(-1, self.hidden.shape[-1])
        earlier = np.concatenate([self.before[None], flat[:-1]])
        return PatchStates(earlier.reshape(self.hidden.shape), self.head)


def no_states(what: str, engine: str) -> str:
    """Say that `what` cannot be had from an engine without states, and which engine gives it."""
    return f'{what} needs the states of image tokens, which the engine "{engine}" does not give. Use engine="native".'


@dataclass(frozen=True)
class PrefixCost:
    """Seconds an engine spent on a prefix so far; zero where it did nothing or cannot tell."""

    encode_s: float = 0.0
    prefill_s: float = 0.0


@dataclass(frozen=True)
class Request:
    """A question put after the image, and how to answer it. Setting `cancel` ends the answer where it is."""

    question: str
    sampling: Sampling
    cancel: threading.Event | None = field(default=None, repr=False)


class ParallelGeneration(Protocol):
    """Answers to several questions on one prefix, all moved on by each step. Close it when done."""

    def add(self, request: Request) -> int:
        """Take a question, also between steps; return its number, counted from 0. Errors come when it is stepped."""
        ...

    def step(self) -> Sequence[tuple[int, Piece | YoutuError]]:
        """Move answers on by about a token each; return the pieces by number. An error ends its answer, not the others.

        Returns nothing when no answer is under way.
        """
        ...

    def close(self) -> None:
        """End what is unfinished. Safe to call twice."""
        ...


class Session(Protocol):
    """One prefix, encoded at most once, asked any number of questions. Close it when done."""

    @property
    def prefix(self) -> Prefix:
        """What the session was opened with."""
        ...

    @property
    def cost(self) -> PrefixCost:
        """What encoding and prefilling took; grows from zero when the first question pays for it."""
        ...

    def patches(self, *, aside: bool = False) -> PatchStates:
        """Return the states of the image tokens; runs no generation.

        `aside` says that no question will follow: an engine that holds another session's prefix may leave it in place.

        Raises:
            CapabilityError: This engine cannot give them.
        """
        ...

    def generate(self, question: str, sampling: Sampling, cancel: threading.Event | None = None) -> Iterator[Piece]:
        """Answer `question`, put after the image; yields text as it comes and ends with a piece that has a finish."""
        ...

    def parallel(self) -> ParallelGeneration:
        """Return a way to answer several questions at once."""
        ...

    def close(self) -> None:
        """Release what the session holds. Safe to call twice."""
        ...


class Vocabulary(Protocol):
    """The model's tokens."""

    def tokenize(self, text: str) -> tuple[int, ...]:
        """Return the ids of `text`; control tokens such as `<|end_of_text|>` in it are taken as plain text."""
        ...

    def token_id(self, token: str) -> int | None:
        """Return the id of the single token whose text is exactly `token`, or None where there is none."""
        ...


class Engine(Protocol):
    """A loaded model that can look at images. Close it when done."""

    @property
    def name(self) -> str:
        """Short name for messages, such as "native"."""
        ...

    @property
    def image_max_tokens(self) -> int:
        """Most image tokens one image may take."""
        ...

    @property
    def n_parallel(self) -> int:
        """Images worth asking about at the same time; 1 where that would gain nothing."""
        ...

    @property
    def has_states(self) -> bool:
        """Whether it gives the states of image tokens, which maps are computed from."""
        ...

    @property
    def vocabulary(self) -> Vocabulary:
        """The model's tokens.

        Raises:
            CapabilityError: This engine cannot see them.
        """
        ...

    def open(self, prefix: Prefix) -> Session:
        """Start a session; the expensive work may be put off until the first question."""
        ...

    def close(self) -> None:
        """Release the model. Safe to call twice; sessions are closed first."""
        ...
