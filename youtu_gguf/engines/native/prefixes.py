"""Which prefixes a context holds, and which answers were branched from them.

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
class PrefixEntry:
    """A prefix in the context: `length` positions in `sequence`, and the states of the position before its image and of
    its image tokens."""

    key: str
    sequence: int
    length: int
    hidden: F32
    n_branches: int = 0


@dataclass(eq=False)
class Branch:
    """A question and its answer in the context, behind the positions of their prefix.

    Attributes:
        n_done: Tokens behind the prefix that are there.
        n_own: Those of them that are not shared with a question that owns them.
        adjacent: Whether the question lies right behind its prefix.
    """

    entry: PrefixEntry
    sequence: int
    asked: Sequence[int]
    n_done: int = 0
    n_own: int = 0
    adjacent: bool = False
    thread: int = field(default_factory=threading.get_ident)


ENDED = 0
"""The sequence that keeps the cells of answers that have ended."""


class Prefixes:
    """Bookkeeping of one context's sequences. Not thread-safe: its engine uses it in turns."""

    def __init__(self, context: LlamaContext) -> None:
        self._context = context
        self._free = list(range(ENDED + 1, PADDING))
        self._n_ended = 0
        self._by_key: dict[str, PrefixEntry] = {}
        self._branches: dict[int, Branch] = {}
        self._last: Branch | None = None

    @property
    def n_answers(self) -> int:
        """Answers under way."""
        return len(self._branches)

    @property
    def full(self) -> bool:
        """Whether there are as many answers under way as there may be."""
        return len(self._branches) >= N_ANSWERS

    @property
    def n_positions(self) -> int:
        """Positions of the context that are taken."""
        own = sum(branch.n_own for branch in self._branches.values())
        last = 0 if self._last is None else self._last.n_own
        return sum(entry.length for entry in self._by_key.values()) + own + last + self._n_ended

    def has_room(self, n: int) -> bool:
        """Whether a further prefix of `n` positions, and one more token, fits."""
        return len(self._by_key) < N_ANSWERS and self.n_positions + n + 1 <= self._context.n_ctx

    def find(self, key: str) -> PrefixEntry | None:
        """Return the prefix if the context holds it."""
        return self._by_key.get(key)

    def idle(self) -> list[PrefixEntry]:
        """Return the prefixes that no answer needs."""
        return [entry for entry in self._by_key.values() if not entry.n_branches]

    def acquire(self) -> int:
        """Return an empty sequence. There must be one: see `has_room`."""
        return self._free.pop()

    def release(self, sequence: int) -> None:
        """Empty a sequence got from `acquire`."""
        self._context.drop(sequence)
        self._free.append(sequence)

    def place(self, key: str, sequence: int, length: int, hidden: F32) -> PrefixEntry:
        """Note that `sequence`, got from `acquire`, holds a prefix."""
        self._by_key[key] = PrefixEntry(key, sequence, length, hidden)
        return self._by_key[key]

    def remove(self, entry: PrefixEntry) -> None:
        """Take a prefix out of the context."""
        if self._last is not None and self._last.entry is entry:
            self._retire_last()
        del self._by_key[entry.key]
        self.release(entry.sequence)

    def branch(self, entry: PrefixEntry, asked: Sequence[int]) -> int:
        """Return a sequence for a question that begins as a copy of the prefix. There must be room: see `full`."""
        sequence = self.acquire()
        self._context.share(entry.sequence, sequence)
        entry.n_branches += 1
        self._branches[sequence] = Branch(entry, sequence, asked)
        return sequence

    def share(self, sequence: int) -> int:
        """Let a question take over what another on its prefix goes on with alike; return how many tokens.

        Call it right before the question is decoded.
        """
        branch = self._branches[sequence]
        others = [other for other in self._branches.values() if other is not branch and other.n_done]
        if not branch.n_done and not others and not self._n_ended and len(self._by_key) == 1:
            branch.adjacent = True
            return self._inherit(branch)
        if self._last is not None:
            others.append(self._last)
        had = best = branch.n_done
        source = branch
        for other in others:
            n = _n_alike(other, branch)
            if other.entry is branch.entry and n > best:
                best, source = n, other
        if best - had < MIN_SHARED or branch.n_own:
            return 0
        start = branch.entry.length
        self._context.share(source.sequence, sequence, start + had, start + best)
        branch.n_done = best
        return best - had

    def _inherit(self, branch: Branch) -> int:
        """Take the beginning over from the last question, and free the rest of it."""
        last = self._last
        if last is None:
            return 0
        self._last = None
        n = _n_alike(last, branch)
        if n >= MIN_SHARED:
            start = branch.entry.length
            self._context.share(last.sequence, branch.sequence, start, start + n)
            branch.n_done = branch.n_own = n
        self.release(last.sequence)
        return branch.n_done

    def grow(self, sequence: int, n: int) -> None:
        """Note that a question or its answer took `n` more positions."""
        self._branches[sequence].n_done += n
        self._branches[sequence].n_own += n

    def finish(self, sequence: int) -> None:
        """Forget an answer got from `branch`; its question stays if it is of use to the next one."""
        branch = self._branches.pop(sequence)
        branch.entry.n_branches -= 1
        n_answer = branch.n_done - len(branch.asked)
        if branch.adjacent and n_answer >= 0 and self._last is None and self._context.handle:
            start = branch.entry.length + len(branch.asked)
            if n_answer:
                self._end(branch, start, n_answer)
            self._context.drop(sequence, start)
            branch.n_done, branch.n_own = len(branch.asked), branch.n_own - n_answer
            self._last = branch
        else:
            self._end(branch, branch.entry.length, branch.n_own)
            self.release(sequence)
        if not self._branches:
            self._free_ended()

    def _end(self, branch: Branch, start: int, n: int) -> None:
        """Keep the `n` cells of `branch` from position `start` on."""
        if self._context.handle:
            self._context.share(branch.sequence, ENDED, start)
            self._n_ended += n

    def _retire_last(self) -> None:
        if self._last is not None:
            self._end(self._last, self._last.entry.length, self._last.n_own)
            self.release(self._last.sequence)
            self._last = None

    def _free_ended(self) -> None:
        self._context.drop(ENDED)
        # What answers under way have taken over from others is not freed.
        self._n_ended = sum(branch.n_done - branch.n_own for branch in self._branches.values())

    def collect(self) -> bool:
        """Free what has ended, the last question too; return whether there was anything."""
        self._retire_last()
        freed = self._n_ended > 0
        self._free_ended()
        return freed

    def owned_by(self, thread: int) -> bool:
        """Whether an answer under way was started by `thread`."""
        return any(branch.thread == thread for branch in self._branches.values())


def _n_alike(other: Branch, branch: Branch) -> int:
    """Return how many decoded tokens of `other` are those of `branch`, whose last token's logits will be wanted."""
    return n_common(other.asked[: other.n_done], branch.asked[:-1])
