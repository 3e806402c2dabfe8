"""Trying again: pauses that double up to a longest one, and what the other side asks for where that is longer."""

from __future__ import annotations

import random
from collections.abc import Callable

LONGEST_ASKED_S = 300.0
"""Who asks to be left alone for longer than this is not tried again."""


class Backoff:
    """Counts failures in a row and pauses after each. For one thread; any thread may reset it.

    Args:
        first_s: The first pause; each further one is twice as long.
        longest_s: The longest pause.
        sleep: Waits for so many seconds, or less: `time.sleep`, or `wait` of an event that ends the waiting.
        retries: Failures in a row that are followed by another try.
        at_once: Failures in a row that are not followed by a pause.
        jitter: Share of a pause that is left to chance, so that those who fail together do not come back together.

    Attributes:
        failures: How many there have been in a row.
    """

    def __init__(
        self,
        first_s: float,
        longest_s: float,
        sleep: Callable[[float], object],
        *,
        retries: int,
        at_once: int = 0,
        jitter: float = 0.0,
    ) -> None:
        self._first_s, self._longest_s, self._sleep = first_s, longest_s, sleep
        self._retries, self._at_once, self._jitter = retries, at_once, jitter
        self.reset()

    def reset(self) -> None:
        """Begin anew: a try has brought something."""
        self.failures = 0
        self._next_s = self._first_s

    def pause(self, asked_s: float = 0.0) -> bool:
        """Count a failure; pause and return True, or return False where there is to be no further try.

        Args:
            asked_s: How long the other side wants to be left alone.
        """
        self.failures += 1
        if self.failures > self._retries or asked_s > LONGEST_ASKED_S:
            return False
        if self.failures > self._at_once:
            self._sleep(max(asked_s, self._next_s * random.uniform(1.0 - self._jitter, 1.0)))
            self._next_s = min(2.0 * self._next_s, self._longest_s)
        return True
