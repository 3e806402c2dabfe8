"""What the benchmarks of `youtu-gguf serve` share: rows of their table, images that no cache knows, a clock."""

from __future__ import annotations

import io
import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from _full import photograph
from PIL import Image

SIZE = (640, 480)
_NUMBERS = itertools.count()


@dataclass(frozen=True)
class Row:
    """A measure.

    Attributes:
        name: What was measured.
        value: How much.
        goal: The most it may be, or with `least` the least; None where there is no bar.
        unit: Of both.
        text: What else is worth knowing.
        least: Whether more is better.
    """

    name: str
    value: float
    goal: float | None = None
    unit: str = ""
    text: str = ""
    least: bool = False

    @property
    def met(self) -> bool:
        """Whether the bar is met; True where there is none."""
        return self.goal is None or (self.value >= self.goal if self.least else self.value <= self.goal)

    def __str__(self) -> str:
        goal = "" if self.goal is None else f"{'>=' if self.least else '<='} {self.goal:g}"
        miss = "" if self.met else "MISS"
        return f"{self.name:44} {self.value:9.3f} {self.unit:3} {goal:>9} {miss:5} {self.text}"


def jpegs() -> Iterator[bytes]:
    """Yield photographs of `SIZE` as files; each that this process yields is another one."""
    rgb = photograph(*SIZE)
    for number in _NUMBERS:
        changed = rgb.copy()
        changed[:16, :16] = np.random.default_rng(number).integers(0, 256, (16, 16, 3))
        file = io.BytesIO()
        Image.fromarray(changed).save(file, "JPEG", quality=90)
        yield file.getvalue()


def elapsed(run: Callable[[], Any]) -> tuple[float, Any]:
    """Return the seconds of a call, and what it returned."""
    started = time.perf_counter()
    value = run()
    return time.perf_counter() - started, value
