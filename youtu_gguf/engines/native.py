"""llama.cpp in this process: encode an image once, keep it as a shared prefix, fork it for every question."""

from __future__ import annotations

import codecs
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import cached_property
from typing import TYPE_CHECKING
from weakref import WeakSet

from youtu_gguf import prompts
from youtu_gguf.config import DEFAULT_CONTEXT
from youtu_gguf.engines._llama import bindings
from youtu_gguf.engines._llama.handles import N_SEQUENCES, PREFIX_SEQUENCE, LlamaContext, LlamaModel, Sampler
from youtu_gguf.engines._llama.vision import VisionTower
from youtu_gguf.engines.base import PatchStates, Piece, Prefix, PrefixCost, Sampling
from youtu_gguf.errors import EngineError, InputError
from youtu_gguf.files.head import Head
from youtu_gguf.files.header import GGUFArray
from youtu_gguf.types import F32, Finish, ProgressFn, no_progress

if TYPE_CHECKING:
    import threading

    from youtu_gguf.config import Settings
    from youtu_gguf.files.pair import ModelPair


class NativeEngine:
    """A model pair loaded into this process.

    The cache holds one prefix at a time; asking a session whose prefix was displaced decodes it again, but never
    encodes the image again. Not thread-safe: use one engine from one thread at a time. Answers of the same session may
    be streamed side by side.

    Args:
        pair: A checked model and projector.
        settings: Context, threads, GPU layers and how hidden states are read.
        progress: Told of loading, encoding, prefilling and generating.

    Raises:
        InputError: The context is longer than the model was made for.
        EngineError: llama.cpp refuses the files or runs out of memory.
        CapabilityError: The wanted way of reading hidden states is missing.
    """

    name = "native"
    new_sampler: Callable[[Sampling, int, Sequence[int]], Sampler] = staticmethod(Sampler)
    """Makes the sampler of one answer; a subclass may draw tokens in its own way."""

    def __init__(self, pair: ModelPair, settings: Settings, progress: ProgressFn = no_progress) -> None:
        own = pair.language.n_ctx_train
        n_ctx = min(DEFAULT_CONTEXT, own) if settings.n_ctx is None else settings.n_ctx
        if n_ctx > own:  # far beyond, llama.cpp's own tables exhaust the memory
            raise InputError(f"n_ctx must be at most {own}, the model's own context; got {n_ctx}. Lower it.")
        self.pair = pair
        self.settings = settings
        self.progress = progress
        self.hidden_way = bindings.choose_way(settings.hidden_way)
        self.head = Head(pair.model)
        self._owned = ExitStack()
        self._sessions: WeakSet[NativeSession] = WeakSet()
        self._resident: NativeSession | None = None
        self._free_sequences = list(range(PREFIX_SEQUENCE + 1, N_SEQUENCES))
        progress("load", 0, 100)
        with ExitStack() as stack:  # frees what was made so far if a later step fails
            self.model = LlamaModel(pair.model.path, settings, progress)
            stack.callback(self.model.close)
            self.context = LlamaContext(self.model, settings, n_ctx, self.hidden_way)
            stack.callback(self.context.close)
            self.vision = VisionTower(pair.projector.path, self.model, settings)
            stack.callback(self.vision.close)
            self._owned = stack.pop_all()
        progress("load", 100, 100)

    @property
    def image_max_tokens(self) -> int:
        """Most image tokens one image may take."""
        return self.settings.image_max_tokens

    @property
    def vocabulary(self) -> NativeEngine:
        """The model's tokens."""
        return self

    def tokenize(self, text: str) -> tuple[int, ...]:
        """Return the ids of `text`; control tokens in it are taken as plain text."""
        return tuple(self.model.tokenize(text, special=False))

    def token_id(self, token: str) -> int | None:
        """Return the id of the token whose text is exactly `token`, or None."""
        return self._ids.get(token)

    @cached_property
    def _ids(self) -> dict[str, int]:
        # llama.cpp has no look-up by text, and tokenising searches the text for every special token there is.
        tokens = self.pair.model.metadata["tokenizer.ggml.tokens"]
        assert isinstance(tokens, GGUFArray)
        return {token: i for i, token in enumerate(tokens.strings())}

    def open(self, prefix: Prefix) -> NativeSession:
        """Start a session; nothing is encoded before its first question.

        Raises:
            InputError: The prefix leaves no room for a question in the context.
        """
        self._check_open()
        session = NativeSession(self, prefix)
        self._sessions.add(session)
        return session

    def take_sequence(self, session: NativeSession) -> int:
        """Make `session` resident and return a free sequence forked from its prefix."""
        self._check_open()
        if self._resident is not session:
            self._displace(session)
        if not self._free_sequences:
            raise EngineError(
                f"{N_SEQUENCES - 1} answers are already being streamed, the most at a time. Finish or close one first."
            )
        sequence = self._free_sequences.pop()
        self.context.fork(sequence)
        return sequence

    def give_back(self, sequence: int) -> None:
        """Forget a sequence got from `take_sequence`."""
        self.context.drop(sequence)
        self._free_sequences.append(sequence)

    def _displace(self, session: NativeSession) -> None:
        if len(self._free_sequences) < N_SEQUENCES - 1:
            raise EngineError("an answer about another image is still being streamed. Finish or close it first.")
        self._resident = None  # stays so if prefilling fails half-way
        self.context.clear()
        session.prefill(PREFIX_SEQUENCE)
        self._resident = session

    def look(self, session: NativeSession, *, aside: bool) -> None:
        """Decode the prefix of `session` for its states; with `aside`, beside the resident one if there is room."""
        self._check_open()
        if not (aside and self._has_room_beside(session)):
            self.give_back(self.take_sequence(session))
            return
        sequence = self._free_sequences.pop()
        try:
            session.prefill(sequence)
        finally:
            self.give_back(sequence)

    def _has_room_beside(self, session: NativeSession) -> bool:
        answering = len(self._free_sequences) < N_SEQUENCES - 1
        resident = self._resident
        return resident is not None and not answering and resident.length + session.length <= self.context.n_ctx

    def reusable_embeddings(self, digest: str) -> F32 | None:
        """Return the embeddings of the image with `digest` if an open session has them."""
        return next((s.embeddings for s in self._sessions if s.has_encoded(digest)), None)

    def forget(self, session: NativeSession) -> None:
        """Drop `session` from the cache if it is there."""
        self._sessions.discard(session)
        if self._resident is session:
            self._resident = None

    def _check_open(self) -> None:
        if self.model.handle is None:
            raise EngineError("this model is closed. Load it again.")

    def close(self) -> None:
        """Close the sessions, then free projector, context and model."""
        for session in list(self._sessions):
            session.close()
        self._owned.close()


class NativeSession:
    """One prefix on a native engine. See `engines.base.Session`."""

    def __init__(self, engine: NativeEngine, prefix: Prefix) -> None:
        self._engine = engine
        self._prefix = prefix
        self._opening = engine.model.tokenize(prompts.opening(prefix.system, prefix.before), special=True)
        self._image_end = engine.model.tokenize(prompts.VISION_END, special=True)
        self._cost = PrefixCost()
        self._hidden: F32 | None = None
        self._closed = False
        self.embeddings: F32 | None = None
        self._check_room(0)

    @property
    def prefix(self) -> Prefix:
        """What the session was opened with."""
        return self._prefix

    @property
    def cost(self) -> PrefixCost:
        """What encoding and prefilling took so far."""
        return self._cost

    @property
    def length(self) -> int:
        """Positions of the prefix."""
        return len(self._opening) + self._prefix.image.grid.n_tokens + len(self._image_end)

    def has_encoded(self, digest: str) -> bool:
        """Whether this session holds the embeddings of the image with `digest`."""
        return self.embeddings is not None and self._prefix.image.digest == digest

    def prefill(self, sequence: int) -> None:
        """Decode the prefix into the empty `sequence`, encoding the image first if nobody has."""
        started = time.perf_counter()
        embeddings = self._encode()
        encoded = time.perf_counter()
        context = self._engine.context
        after_image = len(self._opening) + len(embeddings)
        context.decode_prefix_tokens(self._opening, 0, sequence)
        self._hidden = context.decode_states(embeddings, len(self._opening), self._engine.progress, sequence)
        context.decode_prefix_tokens(self._image_end, after_image, sequence)
        self._cost = PrefixCost(
            self._cost.encode_s + encoded - started, self._cost.prefill_s + time.perf_counter() - encoded
        )

    def _encode(self) -> F32:
        if self.embeddings is None:
            image = self._prefix.image
            self._engine.progress("encode", 0, 0)
            self.embeddings = self._engine.reusable_embeddings(image.digest)
            if self.embeddings is None:
                self.embeddings = self._engine.vision.encode(image)
            self._engine.progress("encode", 1, 1)
        return self.embeddings

    def patches(self, *, aside: bool = False) -> PatchStates:
        """Return the states of the image tokens, encoding and prefilling if nobody has."""
        self._check_open()
        if self._hidden is None:
            self._engine.look(self, aside=aside)
        if self._hidden is None:
            raise EngineError("the prefix was decoded without leaving hidden states.")
        grid = self._prefix.image.grid
        return PatchStates(self._hidden.reshape(*grid, -1), self._engine.head)

    def generate(self, question: str, sampling: Sampling, cancel: threading.Event | None = None) -> Iterator[Piece]:
        """Answer `question`; see `engines.base.Session.generate`.

        Raises:
            InputError: The question does not fit into the context.
            EngineError: llama.cpp failed, or too many answers are being streamed.
        """
        self._check_open()
        asked = self._tokens_of(question)
        self._check_room(len(asked))
        sequence = self._engine.take_sequence(self)
        try:
            yield from self._stream(asked, sequence, sampling, cancel)
        finally:
            self._engine.give_back(sequence)

    def last_logits(self, question: str) -> F32:
        """Return the (n_vocab,) logits of the token that would follow `question`; for tests and measurements."""
        sequence = self._engine.take_sequence(self)
        try:
            self._engine.context.decode_tokens(self._tokens_of(question), self.length, sequence)
            return self._engine.context.last_logits()
        finally:
            self._engine.give_back(sequence)

    def prompt_tokens(self, question: str) -> tuple[list[int], list[int]]:
        """Return the token ids before the image and after it, as `question` would be asked; for tests."""
        return list(self._opening), self._image_end + self._tokens_of(question)

    def _tokens_of(self, question: str) -> list[int]:
        return self._engine.model.tokenize(prompts.closing(question), special=True)

    def _stream(
        self, asked: Sequence[int], sequence: int, sampling: Sampling, cancel: threading.Event | None
    ) -> Iterator[Piece]:
        context, model = self._engine.context, self._engine.model
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        sampler = self._engine.new_sampler(sampling, model.n_vocab, [*self._opening, *self._image_end, *asked])
        position = self.length
        pending: Sequence[int] = asked
        n_generated = 0
        finish: Finish = "stop"
        try:
            while True:
                if cancel is not None and cancel.is_set():
                    finish = "cancelled"
                    break
                if not context.decode_tokens(pending, position, sequence):
                    finish = "length"
                    break
                position += len(pending)
                token = sampler.next(context)
                n_generated += 1
                if model.ends(token):
                    break
                yield Piece(decoder.decode(model.piece(token)), n_tokens=1)
                self._engine.progress("generate", n_generated, sampling.max_tokens)
                if n_generated >= sampling.max_tokens:
                    finish = "length"
                    break
                pending = (token,)
        finally:
            sampler.close()
        yield Piece(decoder.decode(b"", final=True), finish=finish)

    def _check_room(self, n_question: int) -> None:
        needed = self.length + n_question + 1
        n_ctx = self._engine.context.n_ctx
        if needed > n_ctx:
            grid = self._prefix.image.grid
            raise InputError(
                f"the prompt needs {needed} positions, {grid.n_tokens} of them for the {grid.rows}x{grid.cols} image "
                f"tokens; the context has n_ctx={n_ctx}. Raise n_ctx or lower image_max_tokens."
            )

    def _check_open(self) -> None:
        if self._closed:
            raise EngineError("this scene is closed. Open the image again.")

    def close(self) -> None:
        """Release the embeddings and states."""
        if not self._closed:
            self._closed = True
            self._engine.forget(self)
            self.embeddings = self._hidden = None
