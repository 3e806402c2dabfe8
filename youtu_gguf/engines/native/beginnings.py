"""What is known of the beginning of a conversation: its earlier turns, in the context or as they were saved.

A turn adds a question and an answer to the prefix of the turn before. What was decoded for them stays in the context
when the answer has ended (`Prefixes.keep`), and the prefix of the next turn takes it over as far as the tokens are the
same: those of an answer's text are nearly always the tokens that were generated. Where another prefix displaced the
conversation, it is restored from the cache first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from youtu_gguf.engines.native.cache import ByteCache, PrefixStates, Sized
from youtu_gguf.engines.native.segments import after, n_shared, n_state_rows
from youtu_gguf.types import F32

if TYPE_CHECKING:
    from youtu_gguf.engines.native.prefixes import PrefixEntry, Prefixes
    from youtu_gguf.engines.native.session import NativeSession

MIN_KNOWN = 4
"""Fewest positions that are worth taking over."""


class Beginning(NamedTuple):
    """The first positions of a prefix, which need not be decoded again.

    Attributes:
        n: Number of positions.
        hidden: (n_rows, n_embd) final states of the images among them, as in `PrefixStates`.
        entry: What begins alike in the context; None if it is only saved.
        saved: Keys and values of what begins alike; b"" if it is in the context.
    """

    n: int
    hidden: F32
    entry: PrefixEntry | None = None
    saved: bytes | memoryview = b""

    @property
    def n_resident(self) -> int:
        """Number of positions that are in the context."""
        return 0 if self.entry is None else self.n


NOTHING = Beginning(0, np.empty((0, 0), np.float32))


def find_beginning(session: NativeSession, prefixes: Prefixes, cache: ByteCache[Sized]) -> Beginning:
    """Return the longest known beginning of a session's prefix.

    Of a prefix without earlier turns only the whole is looked for, at the beginning of a conversation.
    """
    n, entry = prefixes.longest(session.segments)
    if session.prefix.turns:
        saved = _saved(session, cache)
        if saved is not None and saved.n > n:
            return saved
        known = n >= MIN_KNOWN
    else:
        known = entry is not None and entry.continued and n == session.length
    return Beginning(n, _states_of(session, entry.hidden, n), entry) if entry is not None and known else NOTHING


def _saved(session: NativeSession, cache: ByteCache[Sized]) -> Beginning | None:
    for key, prefix in session.prefix.earlier:
        states = cache.get(key)
        if isinstance(states, PrefixStates) and states.cache:
            n = n_shared(states.segments or session.segments_of(prefix), session.segments)
            return Beginning(n, _states_of(session, states.hidden, n), saved=states.cache)
    return None


def _states_of(session: NativeSession, hidden: F32, n: int) -> F32:
    """Return the rows of `hidden` that belong to images among the first `n` positions."""
    return hidden[: n_state_rows(session.segments) - n_state_rows(after(session.segments, n))]
