"""The protocol of an engine, and the values that cross its boundary.

An engine turns one prepared image and text into text and, if it can, into the hidden states of the image tokens. It
must not know tasks or answer grammars. Every engine passes `tests/engine_contract.py`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import astuple, dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np

from youtu_gguf.config import Sampling
from youtu_gguf.engines.prefix import Prefix
from youtu_gguf.errors import CapabilityError, YoutuError
from youtu_gguf.types import F32, Counts, Finish, Grid, ProgressFn, checked, no_progress

if TYPE_CHECKING:
    import threading


@dataclass(frozen=True)
class PromptCost:
    """What preceded one answer or one map, and what was done for it alone.

    Attributes:
        n_tokens: Tokens of the prompt: of all texts, of images and of the question.
        n_cached: Those of them that were not decoded for this request, because the engine had them: in its context,
            in memory, on disk, or since another thread read them meanwhile.
        encode_s: Seconds of encoding images.
        prefill_s: Seconds of decoding what precedes the question, or of restoring it.
        wait_s: Seconds of waiting for others: for room, for a turn to read, or for what another thread is reading.
    """

    n_tokens: int = 0
    n_cached: int = 0
    encode_s: float = 0.0
    prefill_s: float = 0.0
    wait_s: float = 0.0

    @property
    def seconds(self) -> float:
        """Seconds in all."""
        return self.encode_s + self.prefill_s + self.wait_s

    def __add__(self, other: PromptCost) -> PromptCost:
        return PromptCost(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))


@dataclass(frozen=True)
class Piece:
    """A part of an answer, always whole UTF-8 characters. Only the last piece has a `finish`.

    Attributes:
        text: The characters; may be empty.
        n_tokens: Tokens that the piece consists of.
        finish: Why the answer ended, in the last piece; otherwise None.
        probability: That of its token among all tokens, before temperature and penalties; None if not requested or
            unknown.
        prompt: What preceded the answer, in the last piece; None where the engine does not know it.
    """

    text: str
    n_tokens: int = 0
    finish: Finish | None = None
    probability: float | None = None
    prompt: PromptCost | None = field(default=None, compare=False)


@dataclass(frozen=True)
class TokenScore:
    """The probability of one token of an answer, 0 to 1.

    The token stands for the characters `start` to `stop` of the text; for none if it is a part of a character.
    """

    start: int
    stop: int
    probability: float


@dataclass(frozen=True)
class Answer:
    """A finished generation.

    Attributes:
        text: The whole answer.
        finish: Why it ended.
        n_tokens: Generated tokens.
        seconds: Time it took, without encoding and prefilling the image.
        tokens: A score for every token; empty unless scores were requested and the engine knows them.
        offset: Where the text begins in `Result.raw`, after the earlier answers of the same run.
        prompt: What preceded it.
    """

    text: str
    finish: Finish
    n_tokens: int
    seconds: float = 0.0
    tokens: tuple[TokenScore, ...] = ()
    offset: int = 0
    prompt: PromptCost = field(default=PromptCost(), compare=False)


class Collector:
    """Joins pieces into an answer; an answer without a finish counts as cancelled."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._tokens: list[TokenScore] = []
        self._length = self._n_tokens = 0
        self._finish: Finish = "cancelled"
        self._prompt = PromptCost()

    def add(self, piece: Piece) -> bool:
        """Append a piece; return whether it is the last."""
        stop = self._length + len(piece.text)
        if piece.probability is not None:
            self._tokens.append(TokenScore(self._length, stop, piece.probability))
        self._text.append(piece.text)
        self._length = stop
        self._n_tokens += piece.n_tokens
        self._finish = piece.finish or self._finish
        self._prompt = piece.prompt or self._prompt
        return piece.finish is not None

    def answer(self) -> Answer:
        """Return the answer so far."""
        text, tokens = "".join(self._text), tuple(self._tokens)
        return Answer(text, self._finish, self._n_tokens, tokens=tokens, prompt=self._prompt)


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
    """Final hidden states of the image tokens.

    Attributes:
        hidden: (rows, cols, dim) float32, after the last norm.
        head: Rows of the language model's head.
        before: (dim,) float32 state of the position before the first image token, which holds `<|vision_start|>`; None
            if the engine does not give it, or if there is no single such position, as in states joined from tiles.
        prompt: What was read for them.
    """

    hidden: F32
    head: HeadRows = field(repr=False)
    before: F32 | None = field(default=None, repr=False)
    prompt: PromptCost = field(default=PromptCost(), repr=False)

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
        flat = self.hidden.reshape(-1, self.hidden.shape[-1])  # with three axes NumPy multiplies row by row of the grid
        return (flat @ self.head.rows(ids).T).reshape(*self.grid, len(ids))

    def moved(self, shift: int) -> PatchStates:
        """Return states in which position i has the state of position i + `shift`; `shift` is 0 or -1.

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
        return PatchStates(earlier.reshape(self.hidden.shape), self.head, prompt=self.prompt)


def no_states(what: str, engine: str) -> str:
    """Return the message that `what` needs states, which `engine` does not give, and which engine to use."""
    return f'{what} needs the states of image tokens, which the engine "{engine}" does not give. Use engine="native".'


@dataclass(frozen=True)
class PrefixCost:
    """Seconds that an engine has spent on a prefix; zero if it did nothing or does not know."""

    encode_s: float = 0.0
    prefill_s: float = 0.0

    def __add__(self, other: PrefixCost) -> PrefixCost:
        return PrefixCost(self.encode_s + other.encode_s, self.prefill_s + other.prefill_s)


@dataclass(frozen=True)
class Request:
    """A question that follows a prefix, and how to answer it.

    Attributes:
        question: The last words of the user's turn.
        sampling: How to answer it.
        cancel: Setting it ends the answer at that point.
        continues: Whether the next prefix will have this question and its answer as its last turn: an engine then
            keeps what it computed for them.
        progress: Told of the steps of this request alone, in the thread that does its work. What it raises ends the
            request.
    """

    question: str
    sampling: Sampling
    cancel: threading.Event | None = field(default=None, repr=False)
    continues: bool = False
    progress: ProgressFn = field(default=no_progress, repr=False)


class ParallelGeneration(Protocol):
    """Answers to several questions on one prefix; each step advances all of them. Close it when done."""

    def add(self, request: Request) -> int:
        """Add a question, also between steps; return its number, counted from 0. `step` reports its errors."""
        ...

    def step(self) -> Sequence[tuple[int, Piece | YoutuError]]:
        """Advance each answer by about one token; return the new pieces and errors with the numbers of their questions.

        An error ends its own answer only. The result is empty when no answer is in progress.
        """
        ...

    def close(self) -> None:
        """End all unfinished answers. Safe to call twice."""
        ...


class Session(Protocol):
    """One prefix, encoded at most once, that answers any number of questions. Close it when done."""

    @property
    def prefix(self) -> Prefix:
        """What the session was opened with."""
        ...

    @property
    def cost(self) -> PrefixCost:
        """Seconds spent on encoding and prefilling; zero until the first question causes them."""
        ...

    def patches(
        self, *, image: int = 0, aside: bool = False, cancel: threading.Event | None = None, max_s: float = math.inf,
        progress: ProgressFn = no_progress,
    ) -> PatchStates:  # fmt: skip
        """Return the states of an image's tokens; generates no text.

        Args:
            image: Which of `Prefix.images`.
            aside: No question will follow, so an engine that holds the prefix of another session may keep that.
            cancel: Setting this event, from any thread, ends it.
            max_s: Seconds that it may take, waiting included.
            progress: Told of the steps of this reading, as that of a `Request`.

        Raises:
            CancelledError: It was ended before the image was read.
            CapabilityError: This engine does not give states.
            InputError: The prefix has no such image.
        """
        ...

    def generate(self, question: str, sampling: Sampling, cancel: threading.Event | None = None) -> Iterator[Piece]:
        """Answer `question`, which follows the prefix.

        Yields the text while it is generated; the last piece has a finish. Setting `cancel` ends it, as do
        `sampling.max_s` seconds from the beginning, also while the image is read.
        """
        ...

    def parallel(self) -> ParallelGeneration:
        """Return an object that answers several questions at once."""
        ...

    def close(self) -> None:
        """Release what the session holds. Safe to call twice."""
        ...


def stream_answer(session: Session, request: Request) -> Iterator[Piece]:
    """Yield the pieces of one answer; the engine is done with it when the last one is yielded.

    Raises:
        YoutuError: What ended the answer.
    """
    last: Piece | None = None
    with closing(session.parallel()) as parallel:
        parallel.add(request)
        while last is None:
            for _, piece in parallel.step():
                if isinstance(piece, YoutuError):
                    raise piece
                if piece.finish is None:
                    yield piece
                else:
                    last = piece
    yield last


class Vocabulary(Protocol):
    """The model's tokens."""

    def tokenize(self, text: str) -> tuple[int, ...]:
        """Return the ids of `text`; control tokens such as `<|end_of_text|>` in it are read as plain text."""
        ...

    def tokenize_all(self, texts: Sequence[str]) -> list[tuple[int, ...]]:
        """Return the ids of each of `texts`, as `tokenize` does; takes less time than one after the other."""
        ...

    def token_id(self, token: str) -> int | None:
        """Return the id of the token whose text is exactly `token`, or None if there is none."""
        ...


class Engine(Protocol):
    """A loaded model that answers questions about images. Close it when done."""

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
        """Number of images to ask about at the same time for the best speed; 1 if more would gain nothing."""
        ...

    @property
    def has_states(self) -> bool:
        """Whether the engine gives the states of image tokens, from which maps are computed."""
        ...

    @property
    def vocabulary(self) -> Vocabulary:
        """The model's tokens.

        Raises:
            CapabilityError: This engine does not know them.
        """
        ...

    def counts(self) -> Counts:
        """Return what the engine has done since it was loaded; zeros for what it does not know."""
        ...

    def open(self, prefix: Prefix) -> Session:
        """Start a session; the engine may defer the expensive work until the first question."""
        ...

    def close(self) -> None:
        """Close all sessions and release the model. Safe to call twice."""
        ...
