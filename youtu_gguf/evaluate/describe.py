"""Says in words what a benchmark expects and what its figures depend on."""

from __future__ import annotations

import textwrap
from collections.abc import Collection
from typing import Any

from youtu_gguf.errors import InputError
from youtu_gguf.evaluate.base import Benchmark, Figure, Setting
from youtu_gguf.images.zoom import Tiles

WIDTH = 80
"""Longest line of a text."""

FILLED = 60
"""A line of at least this length goes on in the next one, as lines of a paragraph do."""


def describe(benchmark: Benchmark) -> str:
    """Return a benchmark's data, splits, settings and published figures as text."""
    lines = [benchmark.title, "", "Data:", *_indented(benchmark.layout), "", f"Splits: {', '.join(benchmark.splits)}"]
    lines += ["", "Settings, in the preset report; --set NAME=VALUE changes those with =:"]
    for setting in benchmark.settings:
        lines += _wrapped(f"{_values(setting)} ({setting.known})", "  ", "      ")
        lines += _wrapped(setting.note, "      ", "      ")
    lines += ["", "Figures:"]
    for figure in benchmark.kind.figures:
        by_split = published(benchmark, figure)
        lines.append(f"  {figure.title}" + (f"; the authors': {by_split}" if by_split else ""))
    return "\n".join(lines)


def listed(benchmarks: Collection[Benchmark]) -> str:
    """Return a table: of each benchmark its name, title, main figure with the authors' value, and splits."""
    rows = [("name", "data", "main figure, the authors'", "splits")]
    for benchmark in benchmarks:
        main = benchmark.kind.figures[0]
        values = (values[main.name] for values in benchmark.published.values() if main.name in values)
        first = next((in_print(value, is_share=main.is_share) for value in values), "-")
        rows.append((benchmark.name, benchmark.title, f"{main.title} {first}", ", ".join(benchmark.splits)))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def published(benchmark: Benchmark, figure: Figure) -> str:
    """Return the authors' values of a figure by split; nothing where there are none."""
    return ", ".join(
        f"{split} {in_print(values[figure.name], is_share=figure.is_share)}"
        for split, values in benchmark.published.items()
        if figure.name in values
    )


def settings_in_short(benchmark: Benchmark) -> str:
    """Return the settings that can be changed, with their values in the preset report."""
    return ", ".join(f"{s.name}={typed(s.report)}" for s in benchmark.settings if s.read is not None)


def in_print(value: float, *, is_share: bool) -> str:
    """Return a figure in print: a share in percent, anything else with four digits."""
    return f"{value * 100:.1f}" if is_share else f"{value:.4g}"


def typed(value: Any) -> str:
    """Return a setting's value as it is typed."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, Tiles):
        return f"{value.across}x{value.down}"
    if isinstance(value, tuple | list):
        return ",".join(map(typed, value))
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)


def plain(value: Any) -> Any:
    """Return a setting's value as JSON: a number, a truth value or None as it is, anything else as it is typed."""
    return value if value is None or isinstance(value, bool | int | float) else typed(value)


def value_of(setting: Setting, form: Any) -> Any:
    """Return the value that `plain` has made JSON of.

    Raises:
        InputError: It is none that the setting may have.
    """
    for value in (setting.report, setting.fast):
        if plain(value) == form:
            return value
    if setting.read is None:
        raise InputError(f"expected {setting.name} {typed(setting.report)}; got {form!r}. Run the evaluation again.")
    return None if form is None else setting.read(typed(form))


def _values(setting: Setting) -> str:
    if setting.read is None:
        return f"{setting.name}: {typed(setting.report)}"
    fast = "" if setting.fast == setting.report else f" [fast: {typed(setting.fast)}]"
    return f"{setting.name}={typed(setting.report)}{fast}"


def _indented(text: str) -> list[str]:
    """Return the lines of a text; those of a paragraph are filled, further ones stand a little to the right."""
    whole: list[str] = []
    open_end = False
    for line in text.strip().splitlines():
        if open_end and not line.startswith(" "):
            whole[-1] += f" {line}"
        else:
            whole.append(line)
        open_end = len(line) >= FILLED and "  " not in line.strip()  # which columns have
    return [part for line in whole for part in _wrapped(line, "  ", "    ")]


def _wrapped(text: str, first: str, rest: str) -> list[str]:
    wrapper = textwrap.TextWrapper(
        WIDTH, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )
    return wrapper.wrap(text) or [""]
