"""Cells of the context by number, so that those that several sequences share are counted once."""

from __future__ import annotations

from collections.abc import Iterable

Cells = tuple[range, ...]
"""The cells of a sequence, in the order of its positions."""


class CellNumbers:
    """Numbers cells as they are filled. Numbers are not used again."""

    def __init__(self) -> None:
        self._next = 0

    def new(self, n: int) -> Cells:
        """Return `n` cells that no sequence has yet."""
        self._next += n
        return (range(self._next - n, self._next),) if n else ()


def n_cells(held: Iterable[Cells]) -> int:
    """Return the number of cells that at least one sequence has."""
    total = end = 0
    for run in sorted((run for cells in held for run in cells), key=lambda run: run.start):
        total += max(0, run.stop - max(run.start, end))
        end = max(end, run.stop)
    return total


def first_cells(cells: Cells, n: int) -> Cells:
    """Return the cells of the first `n` positions."""
    found: list[range] = []
    for run in cells:
        if n > 0:
            found.append(run[:n])
            n -= len(run)
    return tuple(found)
