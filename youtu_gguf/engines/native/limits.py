"""When a request ends before its answer does: it was cancelled, or has taken all of its time."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from youtu_gguf.errors import CancelledError, Stopped

if TYPE_CHECKING:
    import threading


class Limits:
    """The cancel event of a request and its time, which runs from here on: while it waits and reads an image too.

    Args:
        cancel: Setting this event, from any thread, ends the request.
        max_s: Seconds that it may take.
    """

    def __init__(self, cancel: threading.Event | None = None, max_s: float = math.inf) -> None:
        self._cancel = cancel
        self._deadline = time.monotonic() + max_s

    @property
    def reached(self) -> Stopped | None:
        """Why the request is to end now, or None."""
        if self._cancel is not None and self._cancel.is_set():
            return "cancelled"
        return "time" if time.monotonic() >= self._deadline else None

    def check(self) -> None:
        """Check that the request may go on.

        Raises:
            CancelledError: It is to end.
        """
        reached = self.reached
        if reached is not None:
            raise CancelledError(reached)
