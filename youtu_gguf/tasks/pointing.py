"""What is at a point: the smallest box around it of all that the model detects, or the connected part of a class.

An addition of this package, for images that are clicked on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from youtu_gguf.arguments import as_float, short_repr
from youtu_gguf.errors import InputError
from youtu_gguf.tasks.base import TaskContext
from youtu_gguf.tasks.boxes import detect
from youtu_gguf.tasks.core_target import has_pixels
from youtu_gguf.types import Bits, Box, Boxes, Size

_EVERYTHING = "everything"


class Pixel(NamedTuple):
    """A column and a row of an image."""

    x: int
    y: int


def checked_point(point: Sequence[float], size: Size) -> Pixel:
    """Return the pixel that a point lies in.

    Args:
        point: x and y in pixels.
        size: That of the image.

    Raises:
        InputError: It is not two numbers, or lies outside the image.
    """
    try:
        x, y = map(as_float, point)
    except (TypeError, ValueError):
        x = y = None
    if x is None or y is None:
        raise InputError(f"a point must be x and y in source pixels; got {short_repr(point)}.")
    if not (0 <= x < size.width and 0 <= y < size.height):
        raise InputError(
            f"a point must lie in the image, {size.width}x{size.height} pixels; got ({x:g}, {y:g}). Give source pixels."
        )
    return Pixel(int(x), int(y))


def detect_everything(context: TaskContext) -> Boxes:
    """Return all objects, detected once for all points of a scene.

    Those of an earlier run have neither its issues nor its spans: what this run returns does not have that answer.
    """
    known = context.remembered(_EVERYTHING)
    if isinstance(known, Boxes):
        return replace(known, spans=None, issues=())
    found = detect(context)
    context.remember(_EVERYTHING, found)
    return found


def smallest_box(found: Boxes, at: Pixel, size: Size) -> Box | None:
    """Return the smallest of the boxes that have a part of the pixel `at`, cut to the image; None where none does."""
    inside = np.minimum(found.xyxy, [size.width, size.height, size.width, size.height])
    holds = np.all((inside[:, :2] < [at.x + 1, at.y + 1]) & (inside[:, 2:] > [at.x, at.y]), axis=1)
    around = np.flatnonzero(holds & has_pixels(found.xyxy, size))
    if not around.size:
        return None
    areas = np.prod(inside[around, 2:] - inside[around, :2], axis=1)
    chosen = int(around[areas.argmin()])
    return replace(found[chosen], xyxy=inside[chosen])


def connected_part(region: Bits, at: Pixel) -> Bits:
    """Return the pixels of an (H, W) region that are connected with the pixel `at` of it, side by side."""
    import cv2

    _, parts = cv2.connectedComponents(region.astype(np.uint8), connectivity=4)
    part: Bits = parts == parts[at.y, at.x]
    return part
