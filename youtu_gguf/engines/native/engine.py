"""llama.cpp in this process: encode an image once, keep it as a shared prefix, branch from it for every question."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, TypeVar
from weakref import WeakSet, WeakValueDictionary, finalize

import numpy as np

from youtu_gguf.config import Sampling
from youtu_gguf.engines.base import Piece, Prefix, PrefixCost, Request
from youtu_gguf.engines.native.cache import ByteCache, PrefixStates, Sized, state_files
from youtu_gguf.engines.native.decoding import Decoder, choose_drafts
from youtu_gguf.engines.native.fair_lock import FairLock
from youtu_gguf.engines.native.generation import Generation
from youtu_gguf.engines.native.interrupts import Deferral
from youtu_gguf.engines.native.llama import bindings
from youtu_gguf.engines.native.llama.chain import new_sampler
from youtu_gguf.engines.native.llama.devices import place_pair
from youtu_gguf.engines.native.llama.handles import LlamaContext, LlamaModel
from youtu_gguf.engines.native.llama.memory import N_ANSWERS
from youtu_gguf.engines.native.llama.vision import VisionTower
from youtu_gguf.engines.native.prefixes import PrefixEntry, Prefixes
from youtu_gguf.engines.native.prompt_tokens import PromptTokens
from youtu_gguf.engines.native.sampling import Sampler
from youtu_gguf.engines.native.session import NativeSession
from youtu_gguf.errors import EngineError
from youtu_gguf.gguf.lm_head import Head
from youtu_gguf.types import F32, PreparedImage, ProgressFn, no_progress

if TYPE_CHECKING:
    from youtu_gguf.config import Settings
    from youtu_gguf.gguf.pair import ModelPair

T = TypeVar("T")

LONGEST_WAIT_S = 600.0
"""Longest wait for answers of other threads to make room. A thread with unfinished answers of its own does not wait."""


class NativeEngine:
    """A model pair loaded into this process.

    Safe to use from many threads: they take turns in the order of asking, one decode at a time, so that answers about
    several images are generated side by side. The context holds the prefixes that answers are being generated from; the
    prefix of another image replaces those that no answer is using. Replaced prefixes are kept by content, in memory up
    to `cache_bytes` and, if `cache_dir` is set, on disk: asking about that image again does not decode it.

    Args:
        pair: A checked model and projector.
        settings: Context, threads, devices, caches and how hidden states are read.
        progress: Called during loading, encoding, prefilling and generating, in the thread that caused the work.

    Attributes:
        placement: Which device computes what.
        drafts: Whether answers draft tokens.

    Raises:
        InputError: The context is longer than the model supports, or there is no such device.
        EngineError: llama.cpp refuses the files, the device has too little memory, or it encodes images wrongly.
        CapabilityError: The requested way of reading hidden states is missing.
    """

    name = "native"
    n_parallel = 1
    has_states = True
    new_sampler: Callable[[Sampling, LlamaModel, Sequence[int]], Sampler] = staticmethod(new_sampler)
    """Creates the sampler of one answer; a subclass may replace it."""

    def __init__(self, pair: ModelPair, settings: Settings, progress: ProgressFn = no_progress) -> None:
        n_ctx = settings.context(pair.language.n_ctx_train)
        self.pair = pair
        self.settings = settings
        self._progress = progress
        self.hidden_way = bindings.choose_way(settings.hidden_way)
        self.head = Head(pair.model)
        self.lock = FairLock()
        self.cache: ByteCache[Sized] = ByteCache(settings.cache_bytes)
        self.placement = place_pair(pair, settings, n_ctx)
        self.files = state_files(pair, settings, (bindings.VERSION, self.hidden_way, str(self.placement)))
        self._sessions: WeakSet[NativeSession] = WeakSet()
        self._generations: WeakValueDictionary[int, Generation] = WeakValueDictionary()
        self._room = threading.Condition()
        self._n_freed = 0
        progress("load", 0, 100)
        with Deferral() as deferral, ExitStack() as stack:  # frees the earlier handles if a later step fails
            self.model = LlamaModel(pair.model.path, settings, self.placement, deferral.lifting(progress))
            stack.callback(self.model.close)
            self.context = LlamaContext(self.model, settings, n_ctx, self.hidden_way)
            stack.callback(self.context.close)
            self.vision = VisionTower(pair.projector.path, pair.vision.n_embd, self.model, settings)
            stack.callback(self.vision.close)
            self._owned = stack.pop_all()
        self._finalize = finalize(self, self.lock.run_last, self._owned.close)  # at exit too
        self.prefixes = Prefixes(self.context)
        self._decoder = Decoder(self.context, self.prefixes)
        self.drafts = choose_drafts(settings.draft, self.context, on_device=bool(self.placement.devices))
        self.prompt_tokens = PromptTokens(self.model, pair.model)
        progress("load", 100, 100)

    def progress(self, stage: str, done: int, total: int) -> None:
        """Report a step to the caller; Ctrl-C arrives here in the middle of long work."""
        with self.lock.open_to_interrupts():
            self._progress(stage, done, total)

    @property
    def image_max_tokens(self) -> int:
        """Most image tokens one image may take."""
        return self.settings.image_max_tokens

    @property
    def vocabulary(self) -> NativeEngine:
        """The model's tokens."""
        return self

    def tokenize(self, text: str) -> tuple[int, ...]:
        """Return the ids of `text`; control tokens in it are read as plain text."""
        return tuple(self.model.tokenize(text, special=False))

    def tokenize_all(self, texts: Sequence[str]) -> list[tuple[int, ...]]:
        """Return the ids of each of `texts`, as `tokenize` does, with fewer calls of llama.cpp."""
        return [tuple(ids) for ids in self.model.tokenizer.ids_of_all(texts)]

    def token_id(self, token: str) -> int | None:
        """Return the id of the token whose text is exactly `token`, or None."""
        return self.prompt_tokens.ids.get(token)

    def open(self, prefix: Prefix) -> NativeSession:
        """Start a session; nothing is encoded before its first question.

        Raises:
            InputError: The prefix leaves no room for a question in the context.
        """
        self.check_open()
        session = NativeSession(self, prefix)
        self._sessions.add(session)
        return session

    def start(self, session: NativeSession, request: Request) -> Generation:
        """Start an answer: bring the prefix into the context, branch from it, and prepare the question for decoding.

        Waits for other threads if their answers take all the room.

        Raises:
            InputError: The question does not fit into the context.
            EngineError: llama.cpp failed, or unfinished answers of this thread leave no room.
        """
        return self._in_turn(lambda: self.try_start(session, request))

    def try_start(self, session: NativeSession, request: Request) -> Generation | None:
        """Start an answer if there is room for it now, else return None. Call it with the lock held.

        Raises:
            InputError: The question does not fit into the context, or its JSON schema cannot be enforced.
        """
        self._finish_lost()
        if self.prefixes.full:  # checked first, because tokenising takes as long as a step of a small model
            return None
        asked = session.tokens_of(request.question)
        session.check_room(len(asked))
        sampler = self.new_sampler(request.sampling, self.model, [*session.prefix_tokens, *asked])  # or an InputError
        entry = self._entry(session)
        if entry is None:
            sampler.close()
            return None
        sequence = self.prefixes.branch(entry, asked)
        generation = Generation(request, self.model, sampler, asked, sequence, session.length, drafts=self.drafts)
        self._generations[sequence] = generation
        return generation

    def finish(self, generation: Generation) -> None:
        """Free what an answer holds and wake the threads that wait for room. Safe to call twice."""
        if self.lock.is_mine or not self.lock.owner.is_here:
            return  # Python collects an abandoned stream in the middle of other work: see `_finish_lost`
        with self.lock:
            generation.sampler.close()
            sequence = generation.sequence
            if self._generations.get(sequence, generation) is generation and sequence in self.prefixes.branches():
                self._generations.pop(sequence, None)
                self._free_branch(sequence)

    def _finish_lost(self) -> None:
        """Free what answers held that never reached their callers, because of Ctrl-C or another exception."""
        for sequence in self.prefixes.branches():
            if sequence not in self._generations:
                self._free_branch(sequence)

    def _free_branch(self, sequence: int) -> None:
        self.prefixes.finish(sequence)
        with self._room:
            self._n_freed += 1
            self._room.notify_all()

    def step(self, answers: Sequence[Generation]) -> list[tuple[Generation, Piece]]:
        """Advance each answer by one token; see `Decoder.step`. Call it with the lock held."""
        self._check_still_open()
        return self._decoder.step(answers, self._make_room)

    def read_states(self, session: NativeSession, *, aside: bool) -> F32:
        """Return the states that `prefill` of `session` returns; decodes the prefix if they are not cached.

        With `aside`, the prefix is decoded beside those in the context if there is room, and not kept there.
        """
        return self._in_turn(lambda: self._try_read_states(session, aside=aside))

    def _try_read_states(self, session: NativeSession, *, aside: bool) -> F32 | None:
        entry = self.prefixes.find(session.key)
        cached = entry or self._cached_states(session)
        if cached is not None:
            return cached.hidden
        if aside and self.prefixes.has_room(session.length) and not self.prefixes.n_answers:
            sequence = self.prefixes.acquire()
            try:
                hidden = session.prefill(sequence)
            finally:
                self.prefixes.release(sequence)
            self.cache.put(session.key, PrefixStates(hidden))
            return hidden
        entry = self._entry(session)
        return None if entry is None else entry.hidden

    def _entry(self, session: NativeSession) -> PrefixEntry | None:
        """Return the session's prefix in the context, bringing it there if needed; None if others leave no room."""
        entry = self.prefixes.find(session.key)
        if entry is not None:
            return entry
        self._make_room(session.length)
        if not self.prefixes.has_room(session.length):
            return None
        sequence = self.prefixes.acquire()
        try:
            hidden = self._restore(session, sequence)
            if hidden is None:
                hidden = session.prefill(sequence)
                if self.files is not None:
                    self.files.put(session.key, PrefixStates(hidden, self.context.save(sequence)))
        except BaseException:
            self.prefixes.release(sequence)
            raise
        return self.prefixes.place(session.key, sequence, session.length, hidden)

    def _make_room(self, wanted: int) -> bool:
        """Free cells until `wanted` positions fit: first those of ended answers, then those of unused prefixes.

        The prefixes move to the cache. When no answer is in progress all of them do, because attention passes over
        every used cell. Returns whether anything was freed.
        """
        freed = (not self.prefixes.n_answers or not self.prefixes.has_room(wanted)) and self.prefixes.collect()
        if self.prefixes.n_answers and self.prefixes.has_room(wanted):
            return freed
        idle = self.prefixes.idle()
        for entry in idle:
            cached = self.cache.get(entry.key)
            if not (isinstance(cached, PrefixStates) and cached.cache):
                self.cache.put(entry.key, PrefixStates(entry.hidden, self.context.save(entry.sequence)))
            self.prefixes.remove(entry)
        return freed or bool(idle)

    def _cached_states(self, session: NativeSession) -> PrefixStates | None:
        cached = self.cache.get(session.key)
        if isinstance(cached, PrefixStates):
            return cached
        found = self.files.get(session.key) if self.files is not None else None
        if found is not None:
            self.cache.put(session.key, found)
        return found

    def _restore(self, session: NativeSession, sequence: int) -> F32 | None:
        started = time.perf_counter()
        cached = self._cached_states(session)
        if cached is None or not cached.cache or not self.context.restore(sequence, cached.cache):
            return None
        session.pay(PrefixCost(prefill_s=time.perf_counter() - started))
        return cached.hidden

    def embeddings(self, image: PreparedImage) -> F32:
        """Return the (n_tokens, n_embd) embeddings of the image tokens, from the cache or the vision tower."""
        key = ("embeddings", image.digest)
        cached = self.cache.get(key)
        if isinstance(cached, np.ndarray):
            return cached
        embeddings = self.vision.encode(image, make_room=self.cache.clear)
        self.cache.put(key, embeddings)
        return embeddings

    def _in_turn(self, attempt: Callable[[], T | None]) -> T:
        """Return the result of `attempt`; while it is None, wait until other threads finish answers and try again."""
        self.lock.owner.check()
        deadline = time.monotonic() + LONGEST_WAIT_S
        while True:
            with self._room:
                n_freed = self._n_freed
            with self.lock:
                self.check_open()
                result = attempt()
                stuck = result is None and self.prefixes.owned_by(threading.get_ident())
            if result is not None:
                return result
            if stuck or not self._wait(n_freed, deadline - time.monotonic()):
                raise EngineError(
                    f"{self.prefixes.n_answers} answers of at most {N_ANSWERS} are being streamed and leave no room "
                    f"for another one in n_ctx={self.context.n_ctx}. Finish or close one first."
                )

    def _wait(self, n_freed: int, seconds: float) -> bool:
        """Wait until an answer ends after `n_freed` was read; return False if none does in time."""
        with self._room:
            return self._room.wait_for(lambda: self._n_freed != n_freed, seconds)

    def clear(self) -> None:
        """Drop every image that no answer is using from context, cache and sessions; files on disk stay."""
        with self.lock:
            for entry in self.prefixes.idle():
                self.prefixes.remove(entry)
            self.cache.clear()
            for session in self._sessions:
                session.drop_states()

    def forget(self, session: NativeSession) -> None:
        """Record that `session` was closed."""
        self._sessions.discard(session)

    def check_open(self) -> None:
        """Check that the model can be used.

        Raises:
            EngineError: It is closed, or belongs to another process.
        """
        self.lock.owner.check()
        if self.model.handle is None:
            raise EngineError("this model is closed. Load it again.")

    def _check_still_open(self) -> None:
        if self.model.handle is None:
            raise EngineError("this model was closed while it was answering. Load it again.")

    def close(self) -> None:
        """Close all sessions and free the model when the lock is free. Does nothing twice, or in a forked process."""
        if not self.lock.owner.is_here:
            return
        for session in list(self._sessions):
            session.close()
        with self.lock:
            if self._finalize.detach() is not None:
                self._owned.close()
        self.cache.clear()
