"""What leaves the context to make room: the cells of ended answers, then prefixes that no answer is using."""

from __future__ import annotations

from typing import TYPE_CHECKING

from youtu_gguf.engines.native.cache import ByteCache, PrefixStates, Sized

if TYPE_CHECKING:
    from youtu_gguf.engines.native.llama.handles import LlamaContext
    from youtu_gguf.engines.native.prefill import Readings
    from youtu_gguf.engines.native.prefixes import PrefixEntry, Prefixes


class Eviction:
    """Frees cells of one context. Not thread-safe: the engine holds its lock while using it.

    Args:
        context: What is in the cells.
        prefixes: Whose cells they are.
        readings: Prefixes that are being read.
        cache: Takes the prefixes that leave.
    """

    def __init__(self, context: LlamaContext, prefixes: Prefixes, readings: Readings, cache: ByteCache[Sized]) -> None:
        self._context, self._prefixes, self._readings, self._cache = context, prefixes, readings, cache

    def make_room(self, wanted: int, beside: PrefixEntry | None = None) -> bool:
        """Free cells until `wanted` positions fit: first those of ended answers, then those of unused prefixes.

        The prefixes move to the cache. When no answer is in progress all of them do, because attention passes over
        every used cell; only `beside`, which is to be continued, stays. Returns whether anything was freed.
        """
        prefixes = self._prefixes
        freed = (not prefixes.n_answers or not prefixes.has_room(wanted, beside)) and prefixes.collect()
        if prefixes.n_answers and prefixes.has_room(wanted, beside):
            return freed
        freed |= self._readings.drop_idle()
        idle = prefixes.idle(beside)
        for entry in idle:
            self._put_away(entry)
        return freed or bool(idle)

    def has_room(self, wanted: int, beside: PrefixEntry | None = None) -> bool:
        """Return whether there is room for a prefix with `wanted` more positions, once what may leave has left."""
        self.make_room(wanted, beside)
        return self._prefixes.has_room(wanted, beside)

    def has_place(self, sequence: int) -> bool:
        """Return whether an answer that has ended can stay as a prefix; an unused prefix may leave for it."""
        idle = self._prefixes.idle()
        if self._prefixes.crowded_by(sequence) and idle:
            self._put_away(idle[0])
        return not self._prefixes.crowded_by(sequence)

    def _put_away(self, entry: PrefixEntry) -> None:
        cached = self._cache.get(entry.key)
        # What is kept of an ended answer may be of another answer to the same question.
        if entry.continued or not (isinstance(cached, PrefixStates) and cached.cache):
            states = PrefixStates(entry.hidden, self._context.save(entry.sequence), entry.segments)
            self._cache.put(entry.key, states)
        self._prefixes.remove(entry)
