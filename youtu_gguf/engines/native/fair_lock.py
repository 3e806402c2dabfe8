"""Whose turn it is: a lock that serves threads in the order in which they asked."""

from __future__ import annotations

import threading
from collections import deque
from typing import Self


class FairLock:
    """Use as `with turns:`. Not reentrant.

    Python's own lock lets a thread that gives it up take it again at once, so that one long answer would keep every
    other thread waiting; this one hands itself to the thread that has waited longest.
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
            gate.acquire()  # released by the thread before us
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
            else:  # the turn came in the same moment
                self._pass_on()

    def _pass_on(self) -> None:
        if self._waiting:
            self._waiting.popleft().release()
        else:
            self._taken = False
