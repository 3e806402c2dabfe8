"""The C library's allocator: how many heaps it keeps for a process of many threads."""

from __future__ import annotations

import ctypes
import sys

_M_ARENA_MAX = -8
"""The parameter's number in glibc's malloc.h, mallopt(3)."""

_ARENAS = 2
"""Enough where threads seldom allocate at once: Python's own lock lets one run at a time."""


def limit_arenas() -> bool:
    """Have glibc serve all threads of this process from two heaps; return whether it does.

    It opens up to eight for every core otherwise, and keeps what was freed in each. Call it before other threads start.
    Other C libraries have no such setting. A program's own choice, not a library's.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    return mallopt is not None and mallopt(_M_ARENA_MAX, _ARENAS) == 1
