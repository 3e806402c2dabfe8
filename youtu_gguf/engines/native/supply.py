"""How a request gets the prefix that it needs: it is in the context, restored, read by another thread, or read now."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from youtu_gguf.engines.base import PrefixCost
from youtu_gguf.engines.native.beginnings import NOTHING, find_beginning
from youtu_gguf.engines.native.cache import ByteCache, PrefixStates, Sized, StateFiles, find_states
from youtu_gguf.engines.native.interrupts import Deferral
from youtu_gguf.engines.native.llama.memory import N_ANSWERS
from youtu_gguf.errors import EngineError

if TYPE_CHECKING:
    from youtu_gguf.engines.native.eviction import Eviction
    from youtu_gguf.engines.native.fair_lock import FairLock
    from youtu_gguf.engines.native.limits import Limits
    from youtu_gguf.engines.native.llama.handles import LlamaContext
    from youtu_gguf.engines.native.payer import Payer
    from youtu_gguf.engines.native.prefill import Reading, Readings
    from youtu_gguf.engines.native.prefixes import PrefixEntry, Prefixes
    from youtu_gguf.engines.native.room import Room
    from youtu_gguf.engines.native.session import NativeSession
    from youtu_gguf.types import F32

T = TypeVar("T")


class Supply:
    """Brings prefixes into one context.

    Args:
        lock: The engine's turn.
        room: Where threads wait for answers to end.
        context: Where prefixes are decoded.
        prefixes: What it holds.
        readings: What is being read.
        eviction: Makes room.
        cache: Prefixes that have left the context.
        files: The same on disk, if the user wants that.
        check_open: Raises if the model is closed.
    """

    def __init__(
        self, lock: FairLock, room: Room, context: LlamaContext, prefixes: Prefixes, readings: Readings,
        eviction: Eviction, cache: ByteCache[Sized], files: StateFiles | None, check_open: Callable[[], None],
    ) -> None:  # fmt: skip
        self._lock, self._room, self._context, self._prefixes = lock, room, context, prefixes
        self._readings, self._eviction, self._cache, self._files = readings, eviction, cache, files
        self._cached = partial(find_states, cache, files)
        self._check_open = check_open

    def entry(self, payer: Payer) -> PrefixEntry | None:
        """Return the prefix in the context, restored if it is cached; None if it is neither, or there is no room.

        Call it with the lock held.
        """
        session = payer.session
        entry = self._prefixes.find(session.key)
        if entry is not None:
            payer.find("context")
        cached = None if entry is not None else self._cached(session.key)
        if (
            cached is None
            or not cached.cache
            or self._readings.find(session.key)
            or not self._eviction.has_room(session.length)
        ):
            return entry
        started = time.perf_counter()
        sequence = self._prefixes.reserve(session.length)
        if not self._context.restore(sequence, cached.cache):
            self._prefixes.abandon(sequence, 0)
            return None
        payer.find("memory")
        payer.pay(PrefixCost(prefill_s=time.perf_counter() - started))
        return self._prefixes.place(session, sequence, cached.hidden)

    def states(self, payer: Payer) -> F32 | None:
        """Return the states of the images of a prefix that is in the context or cached, else None."""
        known = self._prefixes.find(payer.key) or self._cached(payer.key)
        if known is None:
            return None
        payer.find("memory" if isinstance(known, PrefixStates) else "context")
        return known.hidden

    def bring(
        self, payer: Payer, attempt: Callable[[], T | None], end: Callable[[Reading], T | None], *, aside: bool = False
    ) -> T:
        """Return what `attempt` does, called in turns until it succeeds, or `end` does of the prefix that it needed.

        With `aside`, the prefix is read beside those in the context if there is room, and not kept there.

        Raises:
            CancelledError: The request is to end by its limits.
            EngineError: llama.cpp failed, or unfinished answers of this thread leave no room.
        """

        def attempt_or_claim() -> tuple[T, None] | tuple[None, Reading] | None:
            result = attempt()
            if result is not None:
                return result, None
            reading = self._claim(payer, aside=aside)
            return None if reading is None else (None, reading)

        session = payer.session
        if self._prefixes.find(session.key) is None:
            self._read_file(payer)
        with Deferral():
            while True:
                result, reading = self._admitted(attempt_or_claim, payer.limits)
                if reading is not None and reading.reader == threading.get_ident():
                    result = self._readings.read(payer, reading, partial(self._place, session), end)
                elif reading is not None:
                    self._readings.wait_for(reading, payer.limits)
                if result is not None:
                    return result

    def _read_file(self, payer: Payer) -> None:
        """Bring what is on disk of a prefix into memory: here, and not in a turn."""
        key = payer.session.file_key
        if self._files is not None and self._cache.get(key) is None and self._cached(key) is not None:
            payer.load_file()

    def _claim(self, payer: Payer, *, aside: bool) -> Reading | None:
        """Return the reading of the prefix if it is not in the context, begun for this thread if it has no reader."""
        session = payer.session
        if self._prefixes.find(session.key):
            return None
        reading = self._readings.find(session.key)
        if reading is None:
            aside = aside and self._prefixes.has_room(session.length) and not self._prefixes.n_answers
            known = NOTHING if aside else find_beginning(session, self._prefixes, self._cache)
            if not aside and not self._eviction.has_room(session.length - known.n_resident, known.entry):
                if self._prefixes.n_answers or not self._eviction.has_room(session.length):
                    return None
                known = NOTHING
            payer.find("none" if known is NOTHING else "memory" if known.entry is None else "context")
            reading = self._readings.begin(session.key, session.segments, known)
            reading.aside = aside
        reading.aside &= aside
        reading.reader = reading.reader or threading.get_ident()
        return reading

    def _place(self, session: NativeSession, reading: Reading) -> None:
        """Place a prefix that was read, unless only its states were wanted."""
        assert reading.hidden is not None
        if reading.aside:
            self._prefixes.abandon(reading.sequence, reading.length)
            self._cache.put(session.key, PrefixStates(reading.hidden))
        else:
            self._prefixes.place(session, reading.sequence, reading.hidden)
            if self._files is not None and not session.prefix.turns:  # each turn would write all turns before it again
                self._files.put(session.key, PrefixStates(reading.hidden, self._context.save(reading.sequence)))

    def _admitted(self, attempt: Callable[[], T | None], limits: Limits) -> T:
        """Return the result of `attempt`, called in a turn; while it is None, wait for other threads and try again.

        Threads are admitted in the order of asking. One that has unfinished answers does not wait: others may be
        waiting for these to end.
        """
        limits.check()
        with self._lock:
            self._check_open()
            busy = self._prefixes.owned_by(threading.get_ident())
            result = attempt() if busy or not self._room.is_awaited else None
        if result is None and not busy:
            result = self._room.admit(partial(self._in_turn, attempt), limits.check)
        if result is None:
            raise EngineError(
                f"{self._prefixes.n_answers} answers of at most {N_ANSWERS} are being streamed and leave no room "
                f"for another one in n_ctx={self._context.n_ctx}. Finish or close one first."
            )
        return result

    def _in_turn(self, attempt: Callable[[], T | None]) -> T | None:
        with self._lock:
            self._check_open()
            return attempt()
