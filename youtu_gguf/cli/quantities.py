"""Sizes and durations as people type them: 32M, 1G, 15m."""

from __future__ import annotations

import re

import typer

_NUMBER = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", re.IGNORECASE)
_BYTES = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_COUNTS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9}
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}


def parse_bytes(typed: str) -> int:
    """Return a number of bytes: 32M is 32 times 1,048,576; so are 32MB and 32MiB.

    Raises:
        BadParameter: It is none.
    """
    return int(_parsed(typed, _BYTES, re.compile("i?b$", re.IGNORECASE), "a size, such as 512K, 32M or 1G"))


def parse_count(typed: str) -> int:
    """Return a number of things: 50M is 50,000,000.

    Raises:
        BadParameter: It is none.
    """
    return int(_parsed(typed, _COUNTS, re.compile("$^"), "a number, such as 500K or 50M"))


def parse_seconds(typed: str) -> float:
    """Return a duration in seconds: 90, 90s, 15m or 2h.

    Raises:
        BadParameter: It is none.
    """
    return _parsed(typed, _SECONDS, re.compile("$^"), "a duration, such as 90s, 15m or 2h")


def _parsed(typed: str, units: dict[str, int], ignored: re.Pattern[str], expected: str) -> float:
    found = _NUMBER.fullmatch(str(typed))
    unit = None if found is None else units.get(ignored.sub("", found[2]).lower())
    if found is None or unit is None:
        raise typer.BadParameter(f"expected {expected}; got {typed!r}.")
    return float(found[1]) * unit
