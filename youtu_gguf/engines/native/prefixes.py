"""Which prefixes a context holds, and which answers branch from them.

llama.cpp puts tokens into the lowest free cells, and attention sums in the order of the cells. A sequence whose tokens
fill gaps that others left is rounded differently and occasionally draws another token. So no cell is freed while an
answer is in progress, unless the context is full: the cells of ended answers move to a sequence of their own and are
freed together. So do those of drafted tokens that were wrong, unless they are the last that were filled: then the next
token takes them. As a result, answers that are generated together on one scene equal those generated one by one. This
is not guaranteed if several threads bring images in and out at the same time, or if llama.cpp splits single tokens
among processors (docs/architecture.md).

A question that begins with the same tokens as another one on its prefix, as questions of one task do, shares those
tokens. When no answer is in progress, the last question stays in the context for this purpose if it directly follows
its prefix: the next question then gets the same cells as in an empty context.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from youtu_gguf.engines.native.generation import MIN_SHARED, n_common
from youtu_gguf.engines.native.llama.handles import PADDING, LlamaContext
from youtu_gguf.engines.native.llama.memory import N_ANSWERS
from youtu_gguf.types import F32


@dataclass(eq=False)
class PrefixEntry:
    """A prefix in the context.

    Attributes:
        key: Names its content.
        sequence: The sequence that holds it.
        length: Number of its positions.
        hidden: (1 + n_tokens, n_embd) final states of the position before its image and of its image tokens.
        n_branches: Answers in progress that branch from it.
    """

    key: str
    sequence: int
    length: int
    hidden: F32
    n_branches: int = 0


@dataclass(eq=False)
class Branch:
    """A question and its answer in the context, after the positions of their prefix.

    Attributes:
        entry: The prefix.
        sequence: The sequence that holds the prefix, the question and the answer.
        asked: Tokens of the question.
        n_done: Tokens after the prefix that are decoded.
        n_own: Those of them that do not belong to another question.
        adjacent: Whether the cells of the question directly follow those of its prefix.
        thread: Identifier of the thread that started the answer.
    """

    entry: PrefixEntry
    sequence: int
    asked: Sequence[int]
    n_done: int = 0
    n_own: int = 0
    adjacent: bool = False
    thread: int = field(default_factory=threading.get_ident)


ENDED = 0
"""The sequence that keeps the cells of ended answers."""


class Prefixes:
    """Keeps track of the sequences of one context. Not thread-safe: the engine holds its lock while using it."""

    def __init__(self, context: LlamaContext) -> None:
        self._context = context
        self._free = list(range(ENDED + 1, PADDING))
        self._n_ended = 0
        self._by_key: dict[str, PrefixEntry] = {}
        self._branches: dict[int, Branch] = {}
        self._last: Branch | None = None

    @property
    def n_answers(self) -> int:
        """Number of answers in progress."""
        return len(self._branches)

    @property
    def full(self) -> bool:
        """Whether as many answers are in progress as the context allows."""
        return len(self._branches) >= N_ANSWERS

    @property
    def n_positions(self) -> int:
        """Number of positions of the context that are in use."""
        own = sum(branch.n_own for branch in self._branches.values())
        last = 0 if self._last is None else self._last.n_own
        return sum(entry.length for entry in self._by_key.values()) + own + last + self._n_ended

    def has_room(self, n: int) -> bool:
        """Whether another prefix of `n` positions and one more token fit."""
        return len(self._by_key) < N_ANSWERS and self.n_positions + n + 1 <= self._context.n_ctx

    def find(self, key: str) -> PrefixEntry | None:
        """Return the prefix, or None if the context does not hold it."""
        return self._by_key.get(key)

    def idle(self) -> list[PrefixEntry]:
        """Return the prefixes that no answer is using."""
        return [entry for entry in self._by_key.values() if not entry.n_branches]

    def acquire(self) -> int:
        """Return an empty sequence. One must be free: see `has_room`."""
        return self._free.pop()

    def release(self, sequence: int) -> None:
        """Empty a sequence that `acquire` returned."""
        self._context.drop(sequence)
        self._free.append(sequence)

    def place(self, key: str, sequence: int, length: int, hidden: F32) -> PrefixEntry:
        """Record that `sequence`, which `acquire` returned, holds a prefix."""
        self._by_key[key] = PrefixEntry(key, sequence, length, hidden)
        return self._by_key[key]

    def remove(self, entry: PrefixEntry) -> None:
        """Remove a prefix from the context."""
        if self._last is not None and self._last.entry is entry:
            self._retire_last()
        del self._by_key[entry.key]
        self.release(entry.sequence)

    def branch(self, entry: PrefixEntry, asked: Sequence[int]) -> int:
        """Return a sequence for a question; it shares the cells of the prefix. There must be room: see `full`."""
        sequence = self.acquire()
        self._context.share(entry.sequence, sequence)
        entry.n_branches += 1
        self._branches[sequence] = Branch(entry, sequence, asked)
        return sequence

    def branches(self) -> list[int]:
        """Return the sequences that `branch` has given and `finish` has not taken back."""
        return list(self._branches)

    def share(self, sequence: int) -> int:
        """Share the tokens that a question has in common with another one on its prefix; return their number.

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
            n = _n_common_decoded(other, branch)
            if other.entry is branch.entry and n > best:
                best, source = n, other
        if best - had < MIN_SHARED or branch.n_own:
            return 0
        start = branch.entry.length
        self._context.share(source.sequence, sequence, start + had, start + best)
        branch.n_done = best
        return best - had

    def _inherit(self, branch: Branch) -> int:
        """Take over the common beginning of the last question and free the rest of that question."""
        last = self._last
        if last is None:
            return 0
        self._last = None
        n = _n_common_decoded(last, branch)
        if n >= MIN_SHARED:
            start = branch.entry.length
            self._context.share(last.sequence, branch.sequence, start, start + n)
            branch.n_done = branch.n_own = n
        self.release(last.sequence)
        return branch.n_done

    def grow(self, sequence: int, n: int) -> None:
        """Record that a question or its answer takes `n` more positions."""
        self._branches[sequence].n_done += n
        self._branches[sequence].n_own += n

    def reject(self, sequence: int, n: int, *, at_end: bool) -> None:
        """Remove the last `n` cells of an answer, which `grow` has not recorded.

        Args:
            sequence: That of the answer.
            n: How many; may be 0.
            at_end: Whether they are the last cells that were filled.
        """
        if not n:
            return
        branch = self._branches[sequence]
        start = branch.entry.length + branch.n_done
        if not at_end:
            self._keep_ended(branch, start, n)
        self._context.drop(sequence, start)

    def finish(self, sequence: int) -> None:
        """Remove an answer that `branch` started; its question stays if the next one can share it."""
        branch = self._branches.pop(sequence)
        branch.entry.n_branches -= 1
        n_answer = branch.n_done - len(branch.asked)
        if branch.adjacent and n_answer >= 0 and self._last is None and self._context.handle:
            start = branch.entry.length + len(branch.asked)
            if n_answer:
                self._keep_ended(branch, start, n_answer)
            self._context.drop(sequence, start)
            branch.n_done, branch.n_own = len(branch.asked), branch.n_own - n_answer
            self._last = branch
        else:
            self._keep_ended(branch, branch.entry.length, branch.n_own)
            self.release(sequence)
        if not self._branches:
            self._free_ended()

    def _keep_ended(self, branch: Branch, start: int, n: int) -> None:
        """Move the `n` cells of `branch` from position `start` on to the sequence of ended answers."""
        if self._context.handle:
            self._context.share(branch.sequence, ENDED, start)
            self._n_ended += n

    def _retire_last(self) -> None:
        if self._last is not None:
            self._keep_ended(self._last, self._last.entry.length, self._last.n_own)
            self.release(self._last.sequence)
            self._last = None

    def _free_ended(self) -> None:
        self._context.drop(ENDED)
        # Cells that answers in progress share with ended ones are not freed.
        self._n_ended = sum(branch.n_done - branch.n_own for branch in self._branches.values())

    def collect(self) -> bool:
        """Free the cells of ended answers and of the last question; return whether there were any."""
        self._retire_last()
        freed = self._n_ended > 0
        self._free_ended()
        return freed

    def owned_by(self, thread: int) -> bool:
        """Whether `thread` started an answer that is in progress."""
        return any(branch.thread == thread for branch in self._branches.values())


def _n_common_decoded(other: Branch, branch: Branch) -> int:
    """Return how many decoded tokens `other` has in common with `branch`, without the last token of `branch`.

    That token must be decoded, since its logits are needed.
    """
    return n_common(other.asked[: other.n_done], branch.asked[:-1])
