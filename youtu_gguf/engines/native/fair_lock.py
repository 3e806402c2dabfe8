"""A lock that serves threads in the order in which they asked for it, and that Ctrl-C cannot leave taken."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import get_ident
from typing import Self

from youtu_gguf.engines.native.interrupts import Deferral, open_to_interrupts
from youtu_gguf.forks import Owner

POLL_S = 0.05
"""How often a thread that waits looks at what may end its waiting."""


class FairLock:
    """A lock that passes to the thread that has waited longest. Use it as `with lock:`; it is not reentrant.

    Python's own lock lets a thread that releases it acquire it again at once, so that one long answer would keep every
    other thread waiting. Ctrl-C ends the waiting; what the main thread does with the lock it ends only afterwards, or
    where that is `open_to_interrupts`.

    Attributes:
        owner: The process that made it.

    Raises:
        EngineError: On entering, in a forked process.
    """

    def __init__(self) -> None:
        self.owner = Owner("this model")
        self._guard = threading.Lock()
        self._waiting: deque[threading.Lock] = deque()
        self._holder: threading.Lock | None = None
        self._thread: int | None = None
        self._deferral = Deferral()

    def __enter__(self) -> Self:
        self._enter(None)
        return self

    @contextmanager
    def waiting(self, check: Callable[[], None]) -> Iterator[None]:
        """Hold the lock within a `with` block; `check` is called again and again before, and may raise to end that."""
        check()
        self._enter(check)
        try:
            yield
        finally:
            self.__exit__()

    def _enter(self, check: Callable[[], None] | None) -> None:
        self.owner.check()  # in a forked process, the thread that has the lock does not exist
        gate, deferral = threading.Lock(), Deferral()
        deferral.begin()
        if not self._try_acquire(gate):
            try:
                with open_to_interrupts():
                    _wait(gate, check)  # the thread that releases the lock releases this gate
            except BaseException:  # Ctrl-C while waiting
                self._leave(gate)
                deferral.end()
                raise
        self._deferral, self._thread = deferral, get_ident()

    def __exit__(self, *_: object) -> None:
        deferral, self._thread = self._deferral, None
        with self._guard:
            self._pass_on()
        deferral.end()

    @property
    def is_taken(self) -> bool:
        """Whether a thread has the lock."""
        return self._holder is not None

    @property
    def is_mine(self) -> bool:
        """Whether this thread has the lock."""
        return self._thread == get_ident()

    def run_last(self, function: Callable[[], object]) -> None:
        """Call `function` and keep the lock for good; do nothing if a thread has the lock, or in a forked process."""
        if self.owner.is_here and self.enter_if_free():
            function()

    def enter_if_free(self) -> bool:
        """Take the lock, if nothing has it, for good."""
        if not self._try_acquire(threading.Lock(), queue=False):
            return False
        self._thread = get_ident()
        return True

    def _try_acquire(self, gate: threading.Lock, *, queue: bool = True) -> bool:
        """Take the lock if it is free, else queue for it."""
        with self._guard:
            if self._holder is None:
                self._holder = gate
                return True
            if queue:
                gate.acquire()
                self._waiting.append(gate)
            return False

    def _leave(self, gate: threading.Lock) -> None:
        with self._guard:
            if gate in self._waiting:
                self._waiting.remove(gate)
            else:  # the lock was passed to this thread at the same moment
                self._pass_on()

    def _pass_on(self) -> None:
        self._holder = self._waiting.popleft() if self._waiting else None
        if self._holder is not None:
            self._holder.release()


def _wait(gate: threading.Lock, check: Callable[[], None] | None) -> None:
    if check is None:
        gate.acquire()
        return
    while not gate.acquire(timeout=POLL_S):
        check()
