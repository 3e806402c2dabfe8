"""A lock that serves threads in the order in which they asked for it."""

from __future__ import annotations

import threading
from collections import deque
from typing import Self


class FairLock:
    """A lock that passes to the thread that has waited longest. Use it as `with lock:`; it is not reentrant.

    Python's own lock lets a thread that releases it acquire it again at once, so that one long answer would keep every
    other thread waiting.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._waiting: deque[threading.Lock] = deque()
        self._taken = False

    def __enter__(self) -> Self:
        gate = threading.Lock()
        with self._guard:
            if not self._taken:
                self._taken = True
                return self
            gate.acquire()
            self._waiting.append(gate)
        try:
            gate.acquire()  # the thread that releases the lock releases this gate
        except BaseException:  # Ctrl-C while waiting
            self._leave(gate)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        with self._guard:
            self._pass_on()

    def _leave(self, gate: threading.Lock) -> None:
        with self._guard:
            if gate in self._waiting:
                self._waiting.remove(gate)
            else:  # the lock was passed to this thread at the same moment
                self._pass_on()

    def _pass_on(self) -> None:
        if self._waiting:
            self._waiting.popleft().release()
        else:
            self._taken = False
