"""Where threads wait for room in the context, in the order in which they asked."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from youtu_gguf.engines.native.fair_lock import POLL_S, FairLock
from youtu_gguf.engines.native.interrupts import open_to_interrupts

RETRY_S = 1.0
"""How often room is looked for though no change was heard of: Python may collect an abandoned answer at a moment when
it cannot be freed at once."""


class Room:
    """Tells waiting threads that an answer has ended, or the reading of a prefix.

    Attributes:
        entrance: Held by the thread that gets room next.
    """

    def __init__(self) -> None:
        self.entrance = FairLock()
        self._changed = threading.Condition()
        self._count = 0

    def changed(self) -> None:
        """Wake the threads that wait."""
        with self._changed:
            self._count += 1
            self._changed.notify_all()

    def look(self) -> int:
        """Return a number to give to `wait`; read it before looking for room."""
        return self._count

    def wait(self, seen: int, check: Callable[[], None]) -> None:
        """Wait for a change after `seen`, at most `RETRY_S`; `check` may raise meanwhile."""
        until = time.monotonic() + RETRY_S
        while self._count == seen and time.monotonic() < until:
            check()
            with open_to_interrupts(), self._changed:
                self._changed.wait_for(lambda: self._count != seen, POLL_S)

    def wait_until(self, condition: Callable[[], bool], check: Callable[[], None]) -> None:
        """Wait for a change that makes `condition` true; `check` may raise meanwhile."""
        while True:
            seen = self.look()
            if condition():
                return
            self.wait(seen, check)
