"""Which prefixes a context holds, and which answers were forked from them.

llama.cpp puts tokens into the lowest free cells, and attention adds up in the order of the cells: a sequence whose
tokens fill holes that others left is rounded differently, and now and then draws another token. So nothing is freed
while an answer is under way, unless room runs out: cells of what has ended go to a sequence of their own and are freed
together. That makes answers got side by side on one scene those got one by one. It is no promise where several threads
bring images in and out meanwhile, or where llama.cpp splits single tokens among processors (docs/architecture.md).

A question that goes on as another one on its prefix does, as questions of one task do, shares those tokens. When
nothing is under way the last question stays for that, if it lies right behind its prefix: whatever is then asked comes
to lie where it would in an empty context.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from youtu_gguf.engines.native.batching import MIN_SHARED, n_common
from youtu_gguf.engines.native.llama.handles import N_ANSWERS, PADDING, LlamaContext
from youtu_gguf.types import F32


@dataclass(eq=False)
class Resident:
    """A prefix in the context: `length` positions in `sequence`, and the states of the position before its image and of
    its image tokens."""

    key: str
    sequence: int
    length: int
    hidden: F32
    n_forks: int = 0


@dataclass(eq=False)
class Fork:
    """A question and its answer in the context, behind the positions of their prefix.

    Attributes:
        n_done: Tokens behind the prefix that are there.
        n_own: Those of them that are not shared with a question that owns them.
        adjacent: Whether the question lies right behind its prefix.
    """

    resident: Resident
    sequence: int
    asked: Sequence[int]
    n_done: int = 0
    n_own: int = 0
    adjacent: bool = False
    thread: int = field(default_factory=threading.get_ident)


ENDED = 0
"""The sequence that keeps the cells of answers that have ended."""


class Residents:
    """Bookkeeping of one context's sequences. Not thread-safe: its engine uses it in turns."""

    def __init__(self, context: LlamaContext) -> None:
        self._context = context
        self._free = list(range(ENDED + 1, PADDING))
        self._n_ended = 0
        self._by_key: dict[str, Resident] = {}
        self._forks: dict[int, Fork] = {}
        self._last: Fork | None = None

    @property
    def n_answers(self) -> int:
        """Answers under way."""
        return len(self._forks)

    @property
    def full(self) -> bool:
        """Whether there are as many answers under way as there may be."""
        return len(self._forks) >= N_ANSWERS

    @property
    def n_positions(self) -> int:
        """Positions of the context that are taken."""
        own = sum(fork.n_own for fork in self._forks.values())
        last = 0 if self._last is None else self._last.n_own
        return sum(resident.length for resident in self._by_key.values()) + own + last + self._n_ended

    def has_room(self, n: int) -> bool:
        """Whether a further prefix of `n` positions, and one more token, fits."""
        return len(self._by_key) < N_ANSWERS and self.n_positions + n + 1 <= self._context.n_ctx

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
        if self._last is not None and self._last.resident is resident:
            self._retire_last()
        del self._by_key[resident.key]
        self.give(resident.sequence)

    def fork(self, resident: Resident, asked: Sequence[int]) -> int:
        """Return a sequence for a question that begins as a copy of the prefix. There must be room: see `full`."""
        sequence = self.take()
        self._context.share(resident.sequence, sequence)
        resident.n_forks += 1
        self._forks[sequence] = Fork(resident, sequence, asked)
        return sequence

    def share(self, sequence: int) -> int:
        """Let a question take over what another on its prefix goes on with alike; return how many tokens.

        Call it right before the question is decoded.
        """
        fork = self._forks[sequence]
        others = [other for other in self._forks.values() if other is not fork and other.n_done]
        if not fork.n_done and not others and not self._n_ended and len(self._by_key) == 1:
            fork.adjacent = True
            return self._inherit(fork)
        if self._last is not None:
            others.append(self._last)
        had = best = fork.n_done
        source = fork
        for other in others:
            n = _n_alike(other, fork)
            if other.resident is fork.resident and n > best:
                best, source = n, other
        if best - had < MIN_SHARED or fork.n_own:
            return 0
        start = fork.resident.length
        self._context.share(source.sequence, sequence, start + had, start + best)
        fork.n_done = best
        return best - had

    def _inherit(self, fork: Fork) -> int:
        """Take the beginning over from the last question, and free the rest of it."""
        last = self._last
        if last is None:
            return 0
        self._last = None
        n = _n_alike(last, fork)
        if n >= MIN_SHARED:
            start = fork.resident.length
            self._context.share(last.sequence, fork.sequence, start, start + n)
            fork.n_done = fork.n_own = n
        self.give(last.sequence)
        return fork.n_done

    def grow(self, sequence: int, n: int) -> None:
        """Note that a question or its answer took `n` more positions."""
        self._forks[sequence].n_done += n
        self._forks[sequence].n_own += n

    def join(self, sequence: int) -> None:
        """Forget an answer got from `fork`; its question stays if it is of use to the next one."""
        fork = self._forks.pop(sequence)
        fork.resident.n_forks -= 1
        n_answer = fork.n_done - len(fork.asked)
        if fork.adjacent and n_answer >= 0 and self._last is None and self._context.handle:
            start = fork.resident.length + len(fork.asked)
            if n_answer:
                self._end(fork, start, n_answer)
            self._context.drop(sequence, start)
            fork.n_done, fork.n_own = len(fork.asked), fork.n_own - n_answer
            self._last = fork
        else:
            self._end(fork, fork.resident.length, fork.n_own)
            self.give(sequence)
        if not self._forks:
            self._free_ended()

    def _end(self, fork: Fork, start: int, n: int) -> None:
        """Keep the `n` cells of `fork` from position `start` on."""
        if self._context.handle:
            self._context.share(fork.sequence, ENDED, start)
            self._n_ended += n

    def _retire_last(self) -> None:
        if self._last is not None:
            self._end(self._last, self._last.resident.length, self._last.n_own)
            self.give(self._last.sequence)
            self._last = None

    def _free_ended(self) -> None:
        self._context.drop(ENDED)
        # What answers under way have taken over from others is not freed.
        self._n_ended = sum(fork.n_done - fork.n_own for fork in self._forks.values())

    def sweep(self) -> bool:
        """Free what has ended, the last question too; return whether there was anything."""
        self._retire_last()
        freed = self._n_ended > 0
        self._free_ended()
        return freed

    def owned_by(self, thread: int) -> bool:
        """Whether an answer under way was started by `thread`."""
        return any(fork.thread == thread for fork in self._forks.values())


def _n_alike(other: Fork, fork: Fork) -> int:
    """Return how many decoded tokens of `other` are those of `fork`, whose last token's logits will be wanted."""
    return n_common(other.asked[: other.n_done], fork.asked[:-1])
