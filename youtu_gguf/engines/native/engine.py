"""llama.cpp in this process: encode an image once, keep it as a shared prefix, branch from it for every question."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING
from weakref import WeakSet, WeakValueDictionary, finalize

from youtu_gguf.config import Sampling
from youtu_gguf.engines.base import Request
from youtu_gguf.engines.native.cache import ByteCache, Sized, state_files
from youtu_gguf.engines.native.decoding import Decoder, choose_drafts
from youtu_gguf.engines.native.eviction import Eviction
from youtu_gguf.engines.native.fair_lock import FairLock
from youtu_gguf.engines.native.generation import Generation
from youtu_gguf.engines.native.interrupts import Deferral, open_to_interrupts
from youtu_gguf.engines.native.limits import Limits
from youtu_gguf.engines.native.llama import bindings
from youtu_gguf.engines.native.llama.chain import new_sampler
from youtu_gguf.engines.native.llama.compute import computes_here, release_team
from youtu_gguf.engines.native.llama.devices import place_pair
from youtu_gguf.engines.native.llama.handles import LlamaContext, LlamaModel
from youtu_gguf.engines.native.payer import Payer
from youtu_gguf.engines.native.prefill import Readings
from youtu_gguf.engines.native.prefixes import Prefixes
from youtu_gguf.engines.native.prompt_tokens import PromptTokens
from youtu_gguf.engines.native.room import Room
from youtu_gguf.engines.native.sampling import Sampler
from youtu_gguf.engines.native.session import NativeSession
from youtu_gguf.engines.native.shared import News, SharedDecodes
from youtu_gguf.engines.native.supply import Supply
from youtu_gguf.engines.native.tally import Tally
from youtu_gguf.engines.native.vision.choice import open_tower
from youtu_gguf.engines.prefix import Prefix
from youtu_gguf.errors import EngineError
from youtu_gguf.gguf.lm_head import Head
from youtu_gguf.types import F32, Counts, ProgressFn, no_progress

if TYPE_CHECKING:
    from youtu_gguf.config import Settings
    from youtu_gguf.gguf.pair import ModelPair


class NativeEngine:
    """A model pair loaded into this process.

    Safe to use from many threads: they take turns in the order of asking, one decode at a time, and whoever has
    the turn advances the answers of all. The context holds the prefixes that answers are being generated from; the
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
        self.files = state_files(
            pair, settings, (bindings.VERSION, self.hidden_way, str(self.placement), settings.vision)
        )
        self._sessions: WeakSet[NativeSession] = WeakSet()
        self._generations: WeakValueDictionary[int, Generation] = WeakValueDictionary()
        self._tally = Tally()
        self._room = room = Room()
        progress("load", 0, 100)
        with Deferral() as deferral, ExitStack() as stack:  # frees the earlier handles if a later step fails
            self.model = LlamaModel(pair.model.path, settings, self.placement, deferral.lifting(progress))
            stack.callback(self.model.close)
            self.context = LlamaContext(self.model, settings, n_ctx, self.hidden_way)
            stack.callback(self.context.close)
            self.vision = open_tower(pair, self.model, settings)
            stack.callback(self.vision.close)
            self._owned = stack.pop_all()
        self.prefixes = Prefixes(self.context)
        self.readings = Readings(
            self.lock, room, self.context, self.prefixes, self.vision, self.cache, fine=not self.placement.devices
        )
        self._eviction = Eviction(self.context, self.prefixes, self.readings, self.cache)
        self._supply = Supply(
            self.lock, room, self.context, self.prefixes, self.readings, self._eviction, self.cache, self.files,
            partial(_check_open, self.lock, self.model),
        )  # fmt: skip
        close = partial(self.lock.run_last, self._owned.close)
        self._finalize = finalize(self, self.readings.tower_lock.run_last, close)  # at exit too
        self._decoder = Decoder(self.context, self.prefixes)
        self._shared = SharedDecodes(self._decoder)
        self.drafts = choose_drafts(settings.draft, self.context, on_device=bool(self.placement.devices))
        self.prompt_tokens = PromptTokens(self.model, pair.model)
        release_team()  # of the comparison of vision towers
        progress("load", 100, 100)

    def report(self, listener: ProgressFn, stage: str, done: int, total: int) -> None:
        """Report a step to the caller, and to the listener of a request; Ctrl-C arrives here in long work."""
        with open_to_interrupts():
            self._progress(stage, done, total)
            listener(stage, done, total)

    def is_heard(self, request: Request) -> bool:
        """Whether anyone listens to the steps of a request."""
        return self._progress is not no_progress or request.progress is not no_progress

    def payer(self, session: NativeSession, limits: Limits | None = None, progress: ProgressFn = no_progress) -> Payer:
        """Return a request about the prefix of `session`, which begins now.

        Args:
            session: Whose prefix it needs.
            limits: When it is to end; by default only when it is done.
            progress: Told of its steps, beside the listener of the engine.
        """
        return Payer(session, limits or Limits(), partial(self.report, progress), self._tally)

    def counts(self) -> Counts:
        """Return what was done since the model was loaded."""
        return self._tally.counts(self.context.n_decodes, self._decoder.n_generated)

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

    def start(self, payer: Payer, request: Request, *, shared: bool = True) -> Generation:
        """Start an answer: bring the prefix into the context, branch from it, and prepare the question for decoding.

        Waits for other threads if their answers take all the room. Unless the answer is `shared`, only its caller
        decodes it.

        Raises:
            InputError: The question does not fit into the context.
            CancelledError: The request is to end by its limits.
            EngineError: llama.cpp failed, or unfinished answers of this thread leave no room.
        """
        attempt = partial(self.try_start, payer, request, shared=shared)
        return self._supply.bring(payer, attempt, lambda _: attempt())

    def try_start(self, payer: Payer, request: Request, *, shared: bool = True) -> Generation | None:
        """Start an answer if its prefix is there and there is room, else return None. Call it with the lock held.

        Raises:
            InputError: The question does not fit into the context, or its JSON schema cannot be enforced.
        """
        self._finish_lost()
        if self.prefixes.full:  # checked first, because tokenising takes as long as a step of a small model
            return None
        session = payer.session
        asked = session.tokens_of(request.question)
        session.check_room(len(asked))
        sampler = self.new_sampler(request.sampling, self.model, [*session.prefix_tokens, *asked])  # or an InputError
        entry = self._supply.entry(payer)
        if entry is None:
            sampler.close()
            return None
        payer.supply()
        sequence = self.prefixes.branch(entry, asked)
        generation = Generation(request, self.model, sampler, asked, sequence, payer, drafts=self.drafts)
        self._generations[sequence] = generation
        if shared:
            self._shared.join(generation)
        return generation

    def finish(self, generation: Generation) -> None:
        """Free what an answer holds and wake the threads that wait for room. Safe to call twice."""
        if self.lock.is_mine or computes_here() or not self.lock.owner.is_here:
            return  # Python collects an abandoned stream in the middle of other work: see `_finish_lost`
        with self.lock:
            self._shared.leave(generation)
            generation.sampler.close()
            sequence = generation.sequence
            if self._generations.get(sequence, generation) is generation and sequence in self.prefixes.branches():
                self._generations.pop(sequence, None)
                if generation.continues and self._eviction.has_place(sequence):
                    self.prefixes.keep(sequence, generation.request.question, generation.done)
                    self._room.changed()
                else:
                    self._free_branch(sequence)

    def _finish_lost(self) -> None:
        """Free what answers held that never reached their callers, because of Ctrl-C or another exception."""
        for sequence in self.prefixes.branches():
            if sequence not in self._generations:
                self._free_branch(sequence)

    def _free_branch(self, sequence: int) -> None:
        self.prefixes.finish(sequence)
        self._room.changed()

    def advance(self, answers: Sequence[Generation]) -> list[tuple[Generation, News]]:
        """Return what has come for `answers`, which this thread reads; advance all until something has."""
        self.lock.owner.check()
        found = self._shared.take(answers)
        while not found:
            with self.lock:
                self._check_still_open()
                if not any(answer.unread for answer in answers):  # another thread may have had the turn meanwhile
                    self._shared.step(self._eviction.make_room)
            found = self._shared.take(answers)
        return found

    def read_states(self, payer: Payer, *, aside: bool) -> F32:
        """Return the states of the images of a prefix (`Reading.hidden`), which is read if they are not cached.

        With `aside`, the prefix is read beside those in the context if there is room, and not kept there.

        Raises:
            CancelledError: The request is to end by its limits.
            EngineError: llama.cpp failed, or unfinished answers of this thread leave no room.
        """
        states = partial(self._supply.states, payer)
        hidden = self._supply.bring(payer, states, lambda reading: reading.hidden, aside=aside)
        payer.supply()
        return hidden

    def clear(self) -> None:
        """Drop every image that no answer is using from context, cache and sessions; files on disk stay."""
        with self.lock:
            self.readings.drop_idle()
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
        _check_open(self.lock, self.model)

    def _check_still_open(self) -> None:
        if self.model.handle is None:
            raise EngineError("this model was closed while it was answering. Load it again.")

    def close(self) -> None:
        """Close all sessions and free the model when the lock is free. Does nothing twice, or in a forked process."""
        if not self.lock.owner.is_here:
            return
        for session in list(self._sessions):
            session.close()
        self.readings.close()
        with self.readings.tower_lock, self.lock:
            if self._finalize.detach() is not None:
                self._owned.close()
        self.cache.clear()


def _check_open(lock: FairLock, model: LlamaModel) -> None:
    lock.owner.check()
    if model.handle is None:
        raise EngineError("this model is closed. Load it again.")
