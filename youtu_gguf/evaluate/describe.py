"""Says in words what a benchmark expects and what its figures depend on."""

from __future__ import annotations

import textwrap
from typing import Any

from youtu_gguf.errors import InputError
from youtu_gguf.evaluate.base import Benchmark, Setting
from youtu_gguf.images.zoom import Tiles

WIDTH = 100
"""Longest line of a text."""


def describe(benchmark: Benchmark) -> str:
    """Return a benchmark's data, splits, settings and published figures as text."""
    lines = [benchmark.title, "", "Data:", *_indented(benchmark.layout), "", f"Splits: {', '.join(benchmark.splits)}"]
    lines += ["", "Settings (those with = can be changed by --set NAME=VALUE):"]
    for setting in benchmark.settings:
        lines += [f"  {_values(setting)} ({setting.known})", *_indented(setting.note, "      ")]
    lines += ["", "Figures:"]
    for figure in benchmark.kind.figures:
        published = ", ".join(
            f"{split} {in_print(values[figure.name], is_share=figure.is_share)}"
            for split, values in benchmark.published.items()
            if figure.name in values
        )
        lines.append(f"  {figure.title}" + (f"; the authors': {published}" if published else ""))
    return "\n".join(lines)


def in_print(value: float, *, is_share: bool) -> str:
    """Return a figure in print: a share in percent, anything else with four digits."""
    return f"{value * 100:.1f}" if is_share else f"{value:.4g}"


def typed(value: Any) -> str:
    """Return a setting's value as it is typed."""
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
    fast = "" if setting.fast == setting.report else f"; in the preset fast {typed(setting.fast)}"
    return f"{setting.name}={typed(setting.report)}{fast}"


def _indented(text: str, by: str = "  ") -> list[str]:
    """Return the lines of a text, each after `by`; long ones are wrapped."""
    wrapped = (textwrap.wrap(line, WIDTH - len(by)) or [""] for line in text.strip().splitlines())
    return [f"{by}{line}" for lines in wrapped for line in lines]
