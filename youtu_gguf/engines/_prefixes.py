"""Which prefixes a context holds, and which answers were forked from them.

llama.cpp puts tokens into the lowest free cells, and attention adds up in the order of the cells: a sequence whose
tokens fill holes that others left is rounded differently, and now and then draws another token. So nothing is freed
while an answer is under way, unless room runs out: cells of what has ended go to a sequence of their own and are freed
together. That makes answers got side by side on one scene those got one by one. It is no promise where several threads
bring images in and out meanwhile, or where llama.cpp splits single tokens among processors (docs/architecture.md).
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from youtu_gguf.engines._llama.handles import N_ANSWERS, N_SEQUENCES, LlamaContext
from youtu_gguf.types import F32


@dataclass(eq=False)
class Resident:
    """A prefix in the context: `length` positions in `sequence`, and the states of its image tokens."""

    key: str
    sequence: int
    length: int
    hidden: F32
    n_forks: int = 0


@dataclass(eq=False)
class Fork:
    """An answer in the context: it shares its prefix's positions and has `n_own` of its own."""

    resident: Resident
    sequence: int
    n_own: int = 0
    thread: int = field(default_factory=threading.get_ident)


ENDED = 0
"""The sequence that keeps the cells of answers that have ended."""


class Residents:
    """Bookkeeping of one context's sequences. Not thread-safe: its engine uses it in turns."""

    def __init__(self, context: LlamaContext) -> None:
        self._context = context
        self._free = list(range(ENDED + 1, N_SEQUENCES))
        self._n_ended = 0
        self._by_key: dict[str, Resident] = {}
        self._forks: dict[int, Fork] = {}

    @property
    def n_answers(self) -> int:
        """Answers under way."""
        return len(self._forks)

    @property
    def n_positions(self) -> int:
        """Positions of the context that are taken."""
        own = sum(fork.n_own for fork in self._forks.values())
        return sum(resident.length for resident in self._by_key.values()) + own + self._n_ended

    def has_room(self, n: int) -> bool:
        """Whether a further sequence of `n` positions, and one more token, fits."""
        return bool(self._free) and self.n_positions + n + 1 <= self._context.n_ctx

    def find(self, key: str) -> Resident | None:
        """Return the prefix if the context holds it."""
        return self._by_key.get(key)

    def idle(self) -> list[Resident]:
        """Return the prefixes that no answer needs."""
        return [resident for resident in self._by_key.values() if not resident.n_forks]

    def take(self) -> int:
        """Return an empty sequence. There must be one: see `has_room`."""
        return self._free.pop()

    def give(self, sequence: int) -> None:
        """Empty a sequence got from `take`."""
        self._context.drop(sequence)
        self._free.append(sequence)

    def place(self, key: str, sequence: int, length: int, hidden: F32) -> Resident:
        """Note that `sequence`, got from `take`, holds a prefix."""
        self._by_key[key] = Resident(key, sequence, length, hidden)
        return self._by_key[key]

    def remove(self, resident: Resident) -> None:
        """Take a prefix out of the context."""
        del self._by_key[resident.key]
        self.give(resident.sequence)

    def fork(self, resident: Resident) -> int | None:
        """Return a sequence that begins as a copy of the prefix, or None if there are as many answers as can be."""
        if len(self._forks) >= N_ANSWERS or not self._free:
            return None
        sequence = self.take()
        self._context.fork(resident.sequence, sequence)
        resident.n_forks += 1
        self._forks[sequence] = Fork(resident, sequence)
        return sequence

    def grow(self, sequence: int, n: int) -> None:
        """Note that an answer took `n` more positions."""
        self._forks[sequence].n_own += n

    def join(self, sequence: int) -> None:
        """Forget an answer got from `fork`."""
        fork = self._forks.pop(sequence)
        fork.resident.n_forks -= 1
        if self._forks and self._context.handle:
            self._context.hand_over(sequence, fork.resident.length, ENDED)
            self._n_ended += fork.n_own
        self.give(sequence)
        if not self._forks:
            self.sweep()

    def sweep(self) -> bool:
        """Free what has ended; return whether there was anything."""
        self._context.drop(ENDED)
        swept, self._n_ended = self._n_ended > 0, 0
        return swept

    def owned_by(self, thread: int) -> bool:
        """Whether an answer under way was started by `thread`."""
        return any(fork.thread == thread for fork in self._forks.values())
