"""Where threads wait for room in the context, in the order in which they asked.

Hold Ctrl-C back around it (`interrupts.Deferral`); it arrives where a thread waits.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from youtu_gguf.engines.native.fair_lock import POLL_S, FairLock
from youtu_gguf.engines.native.interrupts import open_to_interrupts

T = TypeVar("T")

LONGEST_WAIT_S = 600.0
"""Longest wait for answers of other threads to make room. A thread with unfinished answers of its own does not wait."""

RETRY_S = 1.0
"""How often room is looked for though no change was heard of: Python may collect an abandoned answer at a moment when
it cannot be freed at once."""


class Room:
    """Tells waiting threads that an answer has ended, or the reading of a prefix."""

    def __init__(self) -> None:
        self._entrance = FairLock()
        self._guard = threading.RLock()  # Python may collect an answer, which ends it, while this thread holds it
        self._gates: list[threading.Lock] = []
        self._count = 0

    @property
    def is_awaited(self) -> bool:
        """Whether a thread waits for room."""
        return self._entrance.is_taken

    def changed(self) -> None:
        """Wake the threads that wait."""
        with self._guard:
            self._count += 1
            gates, self._gates = self._gates, []
            for gate in gates:
                gate.release()

    def admit(self, attempt: Callable[[], T | None], check: Callable[[], None]) -> T | None:
        """Return the first result of `attempt` that is not None, tried after each change by one thread at a time.

        Threads are admitted in the order of asking; `check` may raise meanwhile. Returns None after `LONGEST_WAIT_S`.
        """
        with self._entrance.waiting(check):
            deadline = time.monotonic() + LONGEST_WAIT_S
            while True:
                seen = self._count
                result = attempt()
                if result is not None or time.monotonic() > deadline:
                    return result
                self._wait(seen, check)

    def wait_until(self, condition: Callable[[], bool], check: Callable[[], None]) -> None:
        """Wait for a change that makes `condition` true; `check` may raise meanwhile."""
        while True:
            seen = self._count
            if condition():
                return
            self._wait(seen, check)

    def _wait(self, seen: int, check: Callable[[], None]) -> None:
        """Wait for a change after `seen`, at most `RETRY_S`."""
        gate = threading.Lock()
        gate.acquire()
        with self._guard:
            if self._count != seen:
                return
            self._gates.append(gate)
        try:
            self._wait_at(gate, check)
        finally:
            with self._guard:
                if gate in self._gates:
                    self._gates.remove(gate)

    @staticmethod
    def _wait_at(gate: threading.Lock, check: Callable[[], None]) -> None:
        until = time.monotonic() + RETRY_S
        while time.monotonic() < until:
            check()
            with open_to_interrupts():
                if gate.acquire(timeout=POLL_S):
                    return
