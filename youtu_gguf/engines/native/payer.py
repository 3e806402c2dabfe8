"""A request while the prefix that it needs is found, waited for or read: its limits, its listener, and its costs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from youtu_gguf.engines.base import PrefixCost, PromptCost
from youtu_gguf.types import Found, ProgressFn

if TYPE_CHECKING:
    from youtu_gguf.engines.native.limits import Limits
    from youtu_gguf.engines.native.session import NativeSession
    from youtu_gguf.engines.native.tally import Tally


class Payer:
    """A request, to which what is done for it is charged. Its time runs from here on.

    Args:
        session: Whose prefix it needs; what the request pays adds to the cost of that too.
        limits: When it is to end.
        report: Called with its steps, outside any turn, in the thread that does its work.
        tally: Told what it pays, and where its prefix was found.

    Attributes:
        n_decoded: Positions of the prefix that were decoded for this request.
    """

    def __init__(self, session: NativeSession, limits: Limits, report: ProgressFn, tally: Tally) -> None:
        self.session, self.limits, self.report = session, limits, report
        self._tally = tally
        self._found: Found | None = None
        self._from_disk = False
        self.n_decoded = 0
        self._cost = PrefixCost()
        self._asked = time.perf_counter()
        self._supplied: float | None = None

    @property
    def key(self) -> str:
        """Names the prefix that it needs."""
        return self.session.key

    def pay(self, cost: PrefixCost, n_decoded: int = 0, n_encoded: int = 0) -> None:
        """Add to its cost, to the positions that were decoded for it, and to the image tokens that were encoded."""
        self._cost += cost
        self.n_decoded += n_decoded
        self.session.pay(cost)
        self._tally.pay(cost, n_encoded)

    def load_file(self) -> None:
        """Note that its prefix was read from disk into memory."""
        self._from_disk = True

    def find(self, where: Found) -> None:
        """Note where its prefix was when it was looked for; the first time counts."""
        if self._found is None:
            self._found = "disk" if where == "memory" and self._from_disk else where

    def supply(self) -> None:
        """Note that the prefix is there, so that waiting ends here."""
        self._supplied = time.perf_counter()
        self._tally.find(self._found or "context")

    def prompt(self, n_question: int = 0, n_shared: int = 0) -> PromptCost:
        """Return what it has cost; no tokens if it ended before the prefix was there.

        Args:
            n_question: Tokens of the question.
            n_shared: Those of them that it shares with another question.
        """
        cost, until = self._cost, self._supplied or time.perf_counter()
        wait_s = max(0.0, until - self._asked - cost.encode_s - cost.prefill_s)
        if self._supplied is None:
            return PromptCost(0, 0, cost.encode_s, cost.prefill_s, wait_s)
        n = self.session.length + n_question
        # A prefix that found no room at its end was decoded twice.
        n_cached = max(0, self.session.length - self.n_decoded) + n_shared
        return PromptCost(n, n_cached, cost.encode_s, cost.prefill_s, wait_s)
