"""One prefix on the native engine, which answers one question at a time or several at once."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from youtu_gguf import prompts
from youtu_gguf.config import Sampling
from youtu_gguf.engines.base import PatchStates, Piece, PrefixCost, Request, stream_answer
from youtu_gguf.engines.native.limits import Limits
from youtu_gguf.engines.native.llama.batch import Run
from youtu_gguf.engines.native.llama.handles import SHORT
from youtu_gguf.engines.native.segments import Segment, extended, length, n_state_rows, read_prefix
from youtu_gguf.engines.prefix import Prefix
from youtu_gguf.errors import CancelledError, EngineError, InputError, YoutuError
from youtu_gguf.forks import forkable_lock
from youtu_gguf.types import F32, PreparedImage, ProgressFn, no_progress

if TYPE_CHECKING:
    import threading

    from youtu_gguf.engines.native.engine import NativeEngine
    from youtu_gguf.engines.native.generation import Generation
    from youtu_gguf.engines.native.payer import Payer


class NativeSession:
    """One prefix on a native engine. See `engines.base.Session`."""

    def __init__(self, engine: NativeEngine, prefix: Prefix) -> None:
        self._engine = engine
        self._prefix = prefix
        self.segments, self._last_words = read_prefix(prefix, engine.prompt_tokens)
        self._cost = PrefixCost()
        self._paying = forkable_lock(self, "_paying")
        self._hidden: F32 | None = None
        self._closed = False
        self.key = prefix.key
        self.check_room(0)

    @property
    def prefix(self) -> Prefix:
        """What the session was opened with."""
        return self._prefix

    @property
    def cost(self) -> PrefixCost:
        """Seconds spent on encoding and prefilling so far."""
        return self._cost

    @property
    def length(self) -> int:
        """Number of positions of the prefix."""
        return length(self.segments)

    @property
    def file_key(self) -> str:
        """Key of what may be on disk of the prefix: the words and images before its first question."""
        *_, first = (self.key, *(key for key, _ in self._prefix.earlier))
        return first

    @property
    def prefix_tokens(self) -> list[int]:
        """Text tokens of the prefix."""
        return [token for segment in self.segments if not isinstance(segment, PreparedImage) for token in segment]

    def pay(self, cost: PrefixCost) -> None:
        """Add to the cost of the prefix."""
        with self._paying:
            self._cost += cost

    def patches(
        self, *, image: int = 0, aside: bool = False, cancel: threading.Event | None = None, max_s: float = math.inf,
        progress: ProgressFn = no_progress,
    ) -> PatchStates:  # fmt: skip
        """Return the states of an image's tokens, encoding and prefilling the prefix if needed.

        Raises:
            InputError: The prefix has no such image.
            CancelledError: `cancel` was set, or `max_s` seconds had passed, before the image was read.
            EngineError: llama.cpp failed, or unfinished answers of this thread leave no room.
        """
        self._check_open()
        grid = self._prefix.image(image).grid
        hidden = self._hidden
        payer = self._engine.payer(self, Limits(cancel, max_s), progress)
        if hidden is None:
            hidden = self._hidden = self._engine.read_states(payer, aside=aside)
        else:
            payer.find("memory")
            payer.supply()
        start = n_state_rows(self._prefix.images[:image])
        states = hidden[start : start + 1 + grid.n_tokens]
        return PatchStates(states[1:].reshape(*grid, -1), self._engine.head, states[0], payer.prompt())

    def generate(self, question: str, sampling: Sampling, cancel: threading.Event | None = None) -> Iterator[Piece]:
        """Answer `question`; see `engines.base.Session.generate`.

        Raises:
            InputError: The question does not fit into the context.
            EngineError: llama.cpp failed, or too many answers are being streamed.
        """
        return stream_answer(self, Request(question, sampling, cancel))

    def parallel(self) -> NativeParallelGeneration:
        """Return an object that answers several questions at once."""
        self._check_open()
        return NativeParallelGeneration(self._engine, self)

    def last_logits(self, question: str, answered: Sequence[int] = ()) -> F32:
        """Return the (n_vocab,) logits that follow `question` and the tokens `answered`; for measurements."""
        engine = self._engine
        generation = engine.start(engine.payer(self), Request(question, Sampling()), shared=False)
        try:
            with engine.lock:
                generation.decoded(engine.prefixes.share(generation.sequence))
                tokens = [*generation.pending, *answered]
                for first in range(0, len(tokens), SHORT):
                    run = Run(tokens[first : first + SHORT], generation.position + first, generation.sequence)
                    if not engine.context.decode_runs([run]):
                        raise EngineError("the context is full.")
                    engine.prefixes.grow(generation.sequence, len(run.content))
                return engine.context.logits(len(run.content) - 1).copy()
        finally:
            engine.finish(generation)

    def prompt_tokens(self, question: str) -> list[list[int]]:
        """Return the token ids before and after each image when `question` is asked; for tests and measurements."""
        segments = extended(self.segments, self.tokens_of(question))
        return [list(segment) for segment in segments if not isinstance(segment, PreparedImage)]

    def segments_of(self, prefix: Prefix) -> tuple[Segment, ...]:
        """Return the segments of an earlier prefix of this conversation."""
        return read_prefix(prefix, self._engine.prompt_tokens)[0]

    def tokenize(self, answer: str) -> list[int]:
        """Return the tokens of an answer; for measurements."""
        return self._engine.model.tokenize(answer, special=True)

    def tokens_of(self, question: str) -> list[int]:
        """Return the tokens that follow the prefix when `question` is asked; control tokens in it are read as text."""
        return self._engine.prompt_tokens(prompts.closing(self._last_words + question))

    def check_room(self, n_question: int) -> None:
        """Check that a question of `n_question` tokens fits into the context.

        Raises:
            InputError: It does not fit.
        """
        needed = self.length + n_question + 1
        n_ctx = self._engine.context.n_ctx
        if needed > n_ctx:
            grids = [image.grid for image in self._prefix.images]
            shown = ", ".join(f"{grid.rows}x{grid.cols}" for grid in grids)
            images = f", {sum(grid.n_tokens for grid in grids)} of them for the {shown} image tokens" if grids else ""
            raise InputError(
                f"the prompt needs {needed} positions{images}; the context has n_ctx={n_ctx}. "
                f"Raise n_ctx or lower image_max_tokens{self._prefix.instead}."
            )

    def drop_states(self) -> None:
        """Drop the states of the image tokens; the next map reads them again."""
        self._hidden = None

    def _check_open(self) -> None:
        if self._closed:
            raise EngineError("this scene is closed. Open the image again.")
        self._engine.check_open()

    def close(self) -> None:
        """Release the states; the caches of the engine keep their copies."""
        if not self._closed:
            self._closed = True
            self._engine.forget(self)
            self._hidden = None


class NativeParallelGeneration:
    """Several answers on one prefix, one token each per decode. See `engines.base.ParallelGeneration`."""

    def __init__(self, engine: NativeEngine, session: NativeSession) -> None:
        self._engine, self._session = engine, session
        self._waiting: list[tuple[int, Request, Payer]] = []
        self._active: dict[Generation, int] = {}
        self._count = 0

    def add(self, request: Request) -> int:
        """Queue a question; it starts at the next step that has room for it."""
        limits = Limits(request.cancel, request.sampling.max_s)
        payer = self._engine.payer(self._session, limits, request.progress)
        self._waiting.append((self._count, request, payer))
        self._count += 1
        return self._count - 1

    def step(self) -> Sequence[tuple[int, Piece | YoutuError]]:
        """Advance each answer by one token."""
        found: list[tuple[int, Piece | YoutuError]] = self._admit()
        if not self._active:
            return found
        try:
            written = self._engine.advance(list(self._active))
        except YoutuError as exc:
            found += [(number, exc) for number in self._active.values()]
            self._drop(list(self._active))
            return found
        for generation, news in written:
            if isinstance(news, Exception) and not isinstance(news, YoutuError):
                raise news
            found.append((self._active[generation], news))
            generation.n_read += 0 if isinstance(news, Exception) else news.n_tokens
        for generation in {generation: None for generation, _ in written if self._engine.is_heard(generation.request)}:
            generation.report()
        self._drop([generation for generation, news in written if isinstance(news, Exception) or news.finish])
        return found

    def _admit(self) -> list[tuple[int, Piece | YoutuError]]:
        failed: list[tuple[int, Piece | YoutuError]] = []
        for number, request, payer in self._waiting.copy():  # not only when there is room for them
            finish = payer.limits.reached
            if finish is not None:
                failed.append((number, Piece("", finish=finish, prompt=payer.prompt())))
                self._waiting.remove((number, request, payer))
        while self._waiting:
            number, request, payer = self._waiting[0]
            try:
                generation = self._start(request, payer)
            except CancelledError as exc:
                failed.append((number, Piece("", finish=exc.finish, prompt=payer.prompt())))
            except YoutuError as exc:
                failed.append((number, exc))
            else:
                if generation is None:
                    break
                self._active[generation] = number
            self._waiting.pop(0)
        return failed

    def _start(self, request: Request, payer: Payer) -> Generation | None:
        if not self._active:
            return self._engine.start(payer, request)
        with self._engine.lock:
            return self._engine.try_start(payer, request)

    def _drop(self, generations: Sequence[Generation]) -> None:
        for generation in generations:
            del self._active[generation]
            self._engine.finish(generation)

    def close(self) -> None:
        """End all unfinished answers."""
        self._waiting.clear()
        self._drop(list(self._active))
