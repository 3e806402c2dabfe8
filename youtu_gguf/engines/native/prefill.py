"""How a prefix comes into the context: images are encoded outside the turn, and then it is decoded in slices.

A slice is a turn of its own (`fair_lock.py`), so other threads' answers proceed between two of them; `cancel`, the time
limit and Ctrl-C are looked at there too. One prefix is decoded at a time, in the order of asking: two at once would
take the same time together, and the first would be ready later. What was decoded before a reading was ended stays in
the context while there is room for it, and the next thread that needs the prefix continues there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from youtu_gguf.engines.base import PrefixCost
from youtu_gguf.engines.native.beginnings import NOTHING, Beginning
from youtu_gguf.engines.native.cache import ByteCache, Sized
from youtu_gguf.engines.native.fair_lock import FairLock
from youtu_gguf.engines.native.limits import Limits
from youtu_gguf.engines.native.llama.compute import release_team
from youtu_gguf.engines.native.llama.handles import TILE, FullError, LlamaContext
from youtu_gguf.engines.native.prefixes import Prefixes
from youtu_gguf.engines.native.room import Room
from youtu_gguf.engines.native.segments import Segment, after, length
from youtu_gguf.engines.native.vision.base import VisionTower
from youtu_gguf.errors import EngineError
from youtu_gguf.types import F32, PreparedImage, no_progress

if TYPE_CHECKING:
    from youtu_gguf.engines.native.payer import Payer

SLICE = 64
"""Positions of a slice on processors, at least, where a segment has so many: with 64 and more, llama.cpp's attention
there gives every token the numbers, to the last bit, that it gets in one long batch (in Q8_0, up to where n_batch cuts
that). Fewer go to another kernel, which rounds differently (`handles.SHORT`). On a GPU a slice is a whole batch."""

T = TypeVar("T")
C = TypeVar("C", F32, Sequence[int])


def cuts(n: int, most: int, *, fine: bool) -> list[int]:
    """Return where the slices of `n` positions begin and end; they are about equally long.

    Args:
        n: 1 or more.
        most: Positions of a batch.
        fine: Whether they are to be short: from `SLICE` positions on, on processors.
    """
    n_slices = -(-n // most)
    tile = 1
    if fine and most >= 2 * SLICE:
        n_slices, tile = max(n_slices, n // SLICE), TILE  # each has at least SLICE, since that is a multiple of TILE
    return [*(n * i // n_slices // tile * tile for i in range(n_slices)), n]


class Reading:
    """A prefix on its way into a sequence of the context. Not thread-safe: `Readings` says who may advance it.

    Args:
        context: Where the sequence is.
        sequence: It is empty, or holds the positions before the segments.
        segments: What to decode.
        known: What precedes the segments, already in the sequence.
        fine: Whether slices are to be short; see `cuts`.

    Attributes:
        done: Positions decoded so far, those before the segments included.
        length: Positions of the whole prefix.
        hidden: Final states, once all is decoded: for each image those of the position before it and of its tokens,
            (1 + n_tokens, n_embd), one image after the other.
        aside: Whether no question will follow, so that the prefix need not stay in the context.
        reader: Identifier of the thread that is reading it; None where that was ended.
    """

    def __init__(
        self, context: LlamaContext, sequence: int, segments: Sequence[Segment], known: Beginning = NOTHING, *,
        fine: bool,
    ) -> None:  # fmt: skip
        self.sequence, self.segments = sequence, segments
        self.done = known.n
        self.length = self.done + length(segments)
        self.hidden: F32 | None = None if segments else known.hidden
        self._known = known
        self.aside = False
        self.reader: int | None = None
        self._context, self._fine = context, fine
        self._slices: Iterator[None] | None = None

    @property
    def images(self) -> list[PreparedImage]:
        """The images among its segments; none once it has begun, since it then has their embeddings."""
        if self._slices is not None:
            return []
        return [segment for segment in self.segments if isinstance(segment, PreparedImage)]

    def advance(self, embeddings: Sequence[F32]) -> bool:
        """Decode the next slice; return whether that was the last. `embeddings` are those of `images`.

        Raises:
            EngineError: llama.cpp failed; the sequence holds an unknown part of the prefix then.
        """
        if self._slices is None:
            self._slices = self._decode(iter(embeddings))
        next(self._slices, None)
        return self.done == self.length

    def _decode(self, embeddings: Iterator[F32]) -> Iterator[None]:
        states: list[F32] = [self._known.hidden] if len(self._known.hidden) else []
        for segment, following in zip(self.segments, (*self.segments, None)[1:], strict=True):
            if isinstance(segment, PreparedImage):
                for part in self._parts(next(embeddings)):
                    states.append(self._context.decode_states(part, self.done, no_progress, self.sequence))
                    self._note(len(part), states)
                    yield
                continue
            last: F32 | None = None
            for words in self._parts(segment):
                if isinstance(following, PreparedImage):
                    last = self._context.decode_last_state(words, self.done, self.sequence)
                else:
                    self._context.decode_prefix_tokens(words, self.done, self.sequence)
                self._note(len(words), states)
                yield
            states += [] if last is None else [last]

    def _parts(self, content: C) -> Iterator[C]:
        for first, stop in pairwise(cuts(len(content), self._context.slice, fine=self._fine)):
            yield content[first:stop]

    def _note(self, n: int, states: Sequence[F32]) -> None:
        self.done += n
        if self.done == self.length:
            self.hidden = np.concatenate(states) if states else np.empty((0, 0), np.float32)
            self.hidden.setflags(write=False)  # they are kept, and given to callers


class Readings:
    """Prefixes that are being read. Its attributes are used with the engine's lock held.

    Args:
        lock: The engine's turn.
        room: Told when a thread has ended its reading.
        context: Where prefixes are decoded.
        prefixes: Which sequences are free.
        vision: Encodes images.
        cache: Keeps embeddings.
        fine: Whether slices are to be short; see `cuts`.
    """

    def __init__(
        self,
        lock: FairLock,
        room: Room,
        context: LlamaContext,
        prefixes: Prefixes,
        vision: VisionTower,
        cache: ByteCache[Sized],
        *,
        fine: bool,
    ) -> None:
        self._lock, self._room, self._context, self._prefixes = lock, room, context, prefixes
        self._vision, self._cache, self._fine = vision, cache, fine
        self._by_key: dict[str, Reading] = {}
        self._queue = FairLock()
        self._closing = False
        self.tower_lock = FairLock()

    def close(self) -> None:
        """Let what is being read end with an error at its next step. The tower is unused once `tower_lock` is free."""
        self._closing = True

    def _check_open(self) -> None:
        if self._closing:
            raise EngineError("this model was closed while it was reading an image. Load it again.")

    def find(self, key: str) -> Reading | None:
        """Return the reading of a prefix that has begun and has not ended, or None."""
        return self._by_key.get(key)

    def begin(self, key: str, segments: Sequence[Segment], known: Beginning = NOTHING) -> Reading:
        """Reserve room for a prefix, of which a beginning may be known; there must be enough (`Prefixes.has_room`)."""
        if known.entry is not None:
            sequence = self._prefixes.proceed(known.entry, known.n, length(segments))
        else:
            sequence = self._prefixes.reserve(length(segments))
            if known.saved and self._context.restore(sequence, known.saved):
                self._prefixes.cut(sequence, known.n)
            else:
                known = NOTHING
        self._by_key[key] = Reading(self._context, sequence, after(segments, known.n), known, fine=self._fine)
        return self._by_key[key]

    def wait_for(self, reading: Reading, limits: Limits) -> None:
        """Wait, without the lock, until another thread has ended its reading.

        Raises:
            CancelledError: The request is to end.
        """
        self._room.wait_until(lambda: reading.reader is None, limits.check)

    def drop_idle(self) -> bool:
        """Drop what was read of prefixes that no thread is reading; return whether there was any."""
        idle = [key for key, reading in self._by_key.items() if reading.reader is None]
        for key in idle:
            self._drop(key)
        return bool(idle)

    def _drop(self, key: str) -> None:
        reading = self._by_key.pop(key)
        self._prefixes.abandon(reading.sequence, reading.done)

    def read(
        self, payer: Payer, reading: Reading, place: Callable[[Reading], None], end: Callable[[Reading], T]
    ) -> T | None:
        """Read a prefix to its end; return what `end` returns in the turn of its last slice.

        Returns None where the answers of others left no room; nothing of it is kept then.

        Args:
            payer: Whose prefix it is. Its limits are looked at between slices, and between layers of the vision tower;
                its progress is reported there too, outside the turn. It is told the cost.
            reading: It is `find(payer.key)`, and this thread is its `reader`.
            place: Called with the lock held when all is decoded. It takes over the sequence.
            end: Called after that, with the lock still held.

        Ctrl-C must be held back (`interrupts.Deferral`): it arrives at progress reports and while this waits.

        Raises:
            CancelledError: The request is to end.
            EngineError: llama.cpp failed, or the model was closed.
        """
        try:
            embeddings = [self._embeddings(payer, image) for image in reading.images]
            with self._queue.waiting(payer.limits.check):
                started, before = time.perf_counter(), reading.done
                try:
                    result = self._read_slices(payer, reading, embeddings, place, end)
                finally:
                    payer.pay(PrefixCost(prefill_s=time.perf_counter() - started), reading.done - before)
        finally:
            reading.reader = None
            self._room.changed()
        if result is not None:
            payer.report("prefill", reading.length, reading.length)
        return result

    def _read_slices(
        self, payer: Payer, reading: Reading, embeddings: Sequence[F32],
        place: Callable[[Reading], None], end: Callable[[Reading], T],
    ) -> T | None:  # fmt: skip
        while True:
            payer.limits.check()
            payer.report("prefill", reading.done, reading.length)
            with self._lock:
                try:
                    done = self._advance(payer.key, reading, embeddings)
                except FullError:  # answers in progress have grown into the room that was reserved
                    if not self._prefixes.n_answers:
                        raise
                    return None
                if done:
                    del self._by_key[payer.key]
                    place(reading)
                    return end(reading)

    def _advance(self, key: str, reading: Reading, embeddings: Sequence[F32]) -> bool:
        self._check_open()
        try:
            return reading.advance(embeddings)
        except BaseException:
            self._drop(key)
            raise

    def _embeddings(self, payer: Payer, image: PreparedImage) -> F32:
        """Return the (n_tokens, n_embd) embeddings of an image, from the cache or the vision tower; needs no turn."""
        key = ("embeddings", image.digest)
        cached = self._cache.get(key)
        if isinstance(cached, np.ndarray):
            return cached
        with self.tower_lock.waiting(payer.limits.check):
            cached = self._cache.get(key)  # another thread may have had the same image encoded
            if isinstance(cached, np.ndarray):
                return cached
            started = time.perf_counter()

            def between(done: int, total: int) -> None:
                payer.limits.check()
                self._check_open()
                payer.report("encode", done, total)

            between(0, 0)
            n_encoded = 0
            try:
                embeddings = self._vision.encode(image, make_room=self._cache.clear, between=between)
                n_encoded = len(embeddings)
            finally:
                release_team()
                payer.pay(PrefixCost(encode_s=time.perf_counter() - started), n_encoded=n_encoded)
            self._cache.put(key, embeddings)
            return embeddings
