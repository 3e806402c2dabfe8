"""What the parts of overhead.py share: how one figure is taken, and how it is given."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

N_VOCAB = 283_386
"""Rows of the published model's head (facts: shapes)."""


@dataclass(frozen=True)
class Row:
    """One figure.

    Attributes:
        name: What was measured.
        median: Over the rounds.
        least: Likewise; on a busy machine it says more.
        bar: What it is held to on two cores; None where nothing is.
        unit: Of these three.
    """

    name: str
    median: float
    least: float
    bar: float | None = None
    unit: str = "ms"


def timed(name: str, work: Callable[[], object], bar: float | None = None, rounds: int = 20, times: int = 1) -> Row:
    """Call `work` `rounds` times after a first one; return milliseconds per piece, of which each call does `times`."""
    work()
    found = []
    for _ in range(rounds):
        started = time.perf_counter()
        work()
        found.append(1e3 * (time.perf_counter() - started) / times)
    return Row(name, statistics.median(found), min(found), bar)
