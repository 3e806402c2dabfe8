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
from typing import TYPE_CHECKING

from youtu_gguf.engines.native.cells import CellNumbers, Cells, first_cells, n_cells
from youtu_gguf.engines.native.generation import MIN_SHARED
from youtu_gguf.engines.native.llama.handles import PADDING, LlamaContext
from youtu_gguf.engines.native.llama.memory import N_ANSWERS
from youtu_gguf.engines.native.segments import Segment, extended, length, n_common, n_shared
from youtu_gguf.engines.prefix import answered_key
from youtu_gguf.types import F32

if TYPE_CHECKING:
    from youtu_gguf.engines.native.session import NativeSession


@dataclass(eq=False)
class PrefixEntry:
    """A prefix in the context.

    Attributes:
        key: Names its content.
        sequence: The sequence that holds it.
        length: Number of its positions.
        hidden: (n, n_embd) final states: for each image, of the position before it and of its tokens.
        segments: Its content.
        cells: What it takes of the context.
        continued: Whether it holds earlier turns, so that the prefix of the next turn replaces it.
        n_branches: Answers in progress that branch from it.
    """

    key: str
    sequence: int
    length: int
    hidden: F32
    segments: tuple[Segment, ...]
    cells: Cells
    continued: bool = False
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
        self._numbers = CellNumbers()
        self._reserved: dict[int, Cells] = {}
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
        placed = n_cells([*(entry.cells for entry in self._by_key.values()), *self._reserved.values()])
        return placed + own + last + self._n_ended

    @property
    def n_prefixes(self) -> int:
        """Number of prefixes, those on their way into the context included."""
        return len(self._by_key) + len(self._reserved)

    def has_room(self, n: int, beside: PrefixEntry | None = None) -> bool:
        """Whether another prefix of `n` positions and one more token fit; `beside` is a prefix that it continues."""
        n_others = self.n_prefixes - (beside is not None)
        return n_others < N_ANSWERS and self.n_positions + n + 1 <= self._context.n_ctx

    def find(self, key: str) -> PrefixEntry | None:
        """Return the prefix, or None if the context does not hold it."""
        return self._by_key.get(key)

    def idle(self, beside: PrefixEntry | None = None) -> list[PrefixEntry]:
        """Return the prefixes that no answer is using, without `beside` and those that take none but its cells."""
        kept = () if beside is None else beside.cells
        n_kept = n_cells([kept])
        return [
            entry
            for entry in self._by_key.values()
            if not entry.n_branches and (beside is None or n_cells([kept, entry.cells]) > n_kept)
        ]

    def longest(self, segments: Sequence[Segment]) -> tuple[int, PrefixEntry | None]:
        """Return how many positions of `segments` a prefix in the context begins with, and the shortest such prefix."""
        best: tuple[int, PrefixEntry | None] = 0, None
        for entry in sorted(self._by_key.values(), key=lambda entry: entry.length):
            n = n_shared(entry.segments, segments)
            best = (n, entry) if n > best[0] else best
        return best

    def reserve(self, length: int) -> int:
        """Return an empty sequence for a prefix of `length` positions. There must be room: see `has_room`.

        It is given back by `place` or by `abandon`.
        """
        sequence = self._acquire()
        self._reserved[sequence] = self._numbers.new(length)
        return sequence

    def proceed(self, entry: PrefixEntry, n: int, length: int) -> int:
        """Return a sequence with the first `n` positions of `entry`, for a prefix of `length` positions.

        Give it back as one of `reserve`.
        """
        sequence = self._acquire()
        self._context.share(entry.sequence, sequence, 0, n)
        self._reserved[sequence] = (*first_cells(entry.cells, n), *self._numbers.new(length - n))
        return sequence

    def cut(self, sequence: int, n: int) -> None:
        """Leave the first `n` positions in a sequence that `reserve` returned."""
        self._context.drop(sequence, n)

    def abandon(self, sequence: int, n: int) -> None:
        """Give back a sequence that `reserve` returned, and the `n` cells that are filled of it."""
        del self._reserved[sequence]
        if self._branches and n:  # no cell is freed while an answer is in progress
            self._context.share(sequence, ENDED)
            self._n_ended += n
        self._release(sequence)

    def _acquire(self) -> int:
        if not self._free:
            self._retire_last()
        return self._free.pop()

    def _release(self, sequence: int) -> None:
        self._context.drop(sequence)
        self._free.append(sequence)

    def place(self, session: NativeSession, sequence: int, hidden: F32) -> PrefixEntry:
        """Record that `sequence`, which `reserve` or `proceed` returned, holds the prefix of `session`.

        One with earlier turns replaces those of them that are in the context.
        """
        cells, segments, continued = self._reserved.pop(sequence), session.segments, bool(session.prefix.turns)
        for entry in self.idle() if continued else ():
            if entry.continued and n_shared(entry.segments, segments) == entry.length:
                self.remove(entry)
        entry = PrefixEntry(session.key, sequence, session.length, hidden, segments, cells, continued)
        self._by_key[session.key] = entry
        return entry

    def crowded_by(self, sequence: int) -> bool:
        """Whether there are too many prefixes to `keep` the answer in `sequence` as one more."""
        entry = self._branches[sequence].entry
        return self.n_prefixes >= N_ANSWERS and not (entry.continued and entry.n_branches == 1)

    def keep(self, sequence: int, question: str, decoded: Sequence[int]) -> None:
        """Make a prefix of an answer that `branch` started, for the next turn to continue; it has ended.

        Args:
            sequence: What `branch` returned.
            question: The question.
            decoded: Tokens of the question and the answer that are in the context.
        """
        branch = self._branches.pop(sequence)
        entry = branch.entry
        entry.n_branches -= 1
        key = answered_key(entry.key, question)
        # Cells that another question shares with this one are counted twice.
        cells = (*entry.cells, *self._numbers.new(len(decoded)))
        segments = extended(entry.segments, decoded)
        for replaced in (self._by_key.get(key), entry):
            if replaced is not None and replaced.continued and not replaced.n_branches:
                self.remove(replaced)
        self._by_key[key] = PrefixEntry(key, sequence, length(segments), entry.hidden, segments, cells, continued=True)
        if not self._branches:
            self._free_ended()

    def remove(self, entry: PrefixEntry) -> None:
        """Remove a prefix from the context."""
        if self._last is not None and self._last.entry is entry:
            self._retire_last()
        del self._by_key[entry.key]
        self._release(entry.sequence)

    def branch(self, entry: PrefixEntry, asked: Sequence[int]) -> int:
        """Return a sequence for a question; it shares the cells of the prefix. There must be room: see `full`."""
        sequence = self._acquire()
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
        if not branch.n_done and not others and not self._n_ended and len(self._by_key) + len(self._reserved) == 1:
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
        self._release(last.sequence)
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
            self._release(sequence)
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
            self._release(self._last.sequence)
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
