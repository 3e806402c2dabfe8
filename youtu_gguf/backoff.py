"""Retries: pauses that double up to a longest one, and longer ones where the other side asks for them."""

from __future__ import annotations

import random
from collections.abc import Callable

LONGEST_ASKED_S = 300.0
"""A server that asks for a longer pause than this is not tried again."""


class Backoff:
    """Counts failures in a row and pauses after each. For one thread; any thread may reset it.

    Args:
        first_s: The first pause; each further one is twice as long.
        longest_s: The longest pause.
        sleep: Waits for that many seconds, or fewer: `time.sleep`, or `wait` of an event that ends the pause.
        retries: Failures in a row that are followed by another try.
        at_once: Failures in a row that are not followed by a pause.
        jitter: Share of a pause that is random, so that callers that fail together do not retry together.

    Attributes:
        failures: Number of failures in a row.
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
        """Start again from the first pause: a try was successful, in part at least."""
        self.failures = 0
        self._next_s = self._first_s

    def pause(self, asked_s: float = 0.0) -> bool:
        """Count a failure; pause and return True, or return False if there must be no further try.

        Args:
            asked_s: The pause that the other side asks for.
        """
        self.failures += 1
        if self.failures > self._retries or asked_s > LONGEST_ASKED_S:
            return False
        if self.failures > self._at_once:
            self._sleep(max(asked_s, self._next_s * random.uniform(1.0 - self._jitter, 1.0)))
            self._next_s = min(2.0 * self._next_s, self._longest_s)
        return True
