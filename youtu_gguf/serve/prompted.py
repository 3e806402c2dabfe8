"""What people point at: boxes, points and names as other programs send them, and the masks that they get."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from youtu_gguf.arguments import as_float
from youtu_gguf.serve.errors import ApiError
from youtu_gguf.serve.fields import unsupported, wrong
from youtu_gguf.types import Bits, Mask

if TYPE_CHECKING:
    from youtu_gguf.serve.one_task import Asking

_SEPARATOR = re.compile(r",|\.(?=\s|$)")

MOST_PROMPTS = 30
"""Boxes and points of a request: each is a mask of its own."""


@dataclass(frozen=True)
class Prompts:
    """What is pointed at, in source pixels: `boxes` left, top, right, bottom, and `points` x, y."""

    boxes: tuple[tuple[float, ...], ...] = ()
    points: tuple[tuple[float, ...], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.boxes or self.points)

    def checked(self) -> Prompts:
        """Return these prompts.

        Raises:
            ApiError: There are more than `MOST_PROMPTS`.
        """
        n = len(self.boxes) + len(self.points)
        if n > MOST_PROMPTS:
            raise ApiError(
                400, "invalid_argument", f"at most {MOST_PROMPTS} boxes and points are answered together; got {n}."
            )
        return self


def masks_of_boxes(asking: Asking, prompts: Prompts) -> list[Mask]:
    """Return the mask of what is in each box."""
    return [asking.run(Mask, "refer", box=box) for box in prompts.boxes]


def mask_of_points(asking: Asking, prompts: Prompts) -> Mask | None:
    """Return one mask of the objects at all points; None where there are no points."""
    return united([asking.run(Mask, "refer", point=point) for point in prompts.points])


def united(masks: Sequence[Mask]) -> Mask | None:
    """Return what is in any of `masks`, with the mean of their scores; None where there are none."""
    if len(masks) <= 1:
        return masks[0] if masks else None
    bits: Bits = np.logical_or.reduce([mask.bits for mask in masks])
    return Mask(bits, float(np.mean([mask.score for mask in masks if mask.score is not None])))


def names_in(text: str) -> tuple[str, ...]:
    """Return the names in `text`, between commas or full stops, each once."""
    return tuple(dict.fromkeys(filter(None, map(str.strip, _SEPARATOR.split(text)))))


def number_groups(value: Sequence[Any], size: int, param: str) -> list[tuple[float, ...]]:
    """Return flat numbers in groups of `size`, as `[x1, y1, x2, y2, ...]` is boxes.

    Raises:
        ApiError: One is no finite number, or there are some left over.
    """
    numbers = [number for item in value if (number := as_float(item)) is not None and math.isfinite(number)]
    if len(numbers) < len(value) or len(numbers) % size:
        raise wrong(param, f"numbers in groups of {size}", value)
    return [tuple(numbers[i : i + size]) for i in range(0, len(numbers), size)]


def refuse_negative(positive: bool, param: str) -> None:
    """Check that a point or a box says what to mask, not what to leave out.

    Raises:
        ApiError: It says what to leave out.
    """
    if not positive:
        raise unsupported(param, "has a point or box of what is not meant, which this model cannot use")
