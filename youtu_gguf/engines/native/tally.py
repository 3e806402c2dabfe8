"""What one engine has done since it was loaded; see `types.Counts`."""

from __future__ import annotations

from types import MappingProxyType
from typing import get_args

from youtu_gguf.engines.base import PrefixCost
from youtu_gguf.forks import forkable_lock
from youtu_gguf.types import Counts, Found


class Tally:
    """Adds up what requests have taken. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = forkable_lock(self, "_lock")
        self._cost = PrefixCost()
        self._image_tokens = 0
        self._prefixes: dict[Found, int] = dict.fromkeys(get_args(Found), 0)

    def pay(self, cost: PrefixCost, n_encoded: int = 0) -> None:
        """Add the cost of a prefix, and the number of image tokens that were encoded for it."""
        with self._lock:
            self._cost += cost
            self._image_tokens += n_encoded

    def find(self, where: Found) -> None:
        """Note where a prefix was when it was needed."""
        with self._lock:
            self._prefixes[where] += 1

    def counts(self, decodes: int, generated_tokens: int) -> Counts:
        """Return what was added up, with what is counted elsewhere."""
        with self._lock:
            prefixes, cost = MappingProxyType(self._prefixes.copy()), self._cost
            return Counts(decodes, generated_tokens, self._image_tokens, cost.encode_s, cost.prefill_s, prefixes)
