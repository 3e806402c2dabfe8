"""Numbers as callers pass them, Python's or NumPy's, told from what only looks like one."""

from __future__ import annotations

import math

import numpy as np

_SHOWN = 80


def as_int(value: object) -> int | None:
    """Return `value` as an int, or None where it is no whole number by its type; a truth value is none."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        return None
    return int(value)


def as_float(value: object) -> float | None:
    """Return `value` as a float, or None where it is no number by its type; one too large for a float is infinite."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def short_repr(value: object) -> str:
    """Return `value` as an error message shows it: its `repr`, of at most 80 characters."""
    try:
        written = repr(value)
    except ValueError:  # an int of more digits than Python writes out
        return f"a value of type {type(value).__name__}, too long to write out"
    return written if len(written) <= _SHOWN else f"{written[: _SHOWN - 1]}…"
