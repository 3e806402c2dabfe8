"""The image that a core target is asked on: the surroundings of a box, enlarged, with the box drawn on it.

From the public demo of the model's repository (facts: dense maps, 6): the surroundings are cut out, their edges cut off
to whole pixels; a line one pixel thick is drawn on the cut, through the pixels that the box's corners lie in; then the
cut is resized by Lanczos. Our own additions: one colour where the demo takes a random one (`BOX_COLOUR`), the cap on
long sides (`MAX_STRETCH`), averaging areas where the cut shrinks, and that a region shows at least the box itself. To
train a model for core targets, draw them with `make_crop`, so that it later sees what it was trained on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from youtu_gguf.arguments import as_float, as_int, short_repr
from youtu_gguf.errors import InputError
from youtu_gguf.facts import CROP_SIZE, LINE_PX, PADDING
from youtu_gguf.types import U8, Size

BOX_COLOUR = (255, 0, 0)
"""Our choice: red. The demo draws every box in another random colour; one colour gives the same mask every time."""

MAX_STRETCH = 4
"""Long side at most, in crop sizes; a longer region is enlarged less. The token budget would shrink it anyway."""

_CROP_SIZES = (32, 8192)
_MAX_PADDING = 1e6


class Region(NamedTuple):
    """A rectangle of whole source pixels; `right` and `bottom` are exclusive."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def size(self) -> Size:
        """Width and height."""
        return Size(self.right - self.left, self.bottom - self.top)


def make_crop(
    rgb: U8, box: Sequence[float], *, crop_size: int = CROP_SIZE, padding: float = PADDING
) -> tuple[U8, Region]:
    """Cut out the surroundings of `box`, draw the box on them and resize them.

    The region is the part of the box inside the image, enlarged by `padding` about its centre, cut off to whole pixels
    and clipped to the image. Enlarging is by Lanczos; shrinking averages areas (`cv2.INTER_AREA`).

    Args:
        rgb: (H, W, 3) uint8.
        box: Left, top, right, bottom in pixels of `rgb`.
        crop_size: Short side of the image, unless that would make the long side more than four times as long.
        padding: Sides of the region relative to those of the box, at least 1.

    Returns:
        The image, (h, w, 3) uint8, and the region of `rgb` that it shows.

    Raises:
        InputError: The box is not four finite numbers in order with pixels of the image inside, or a size is out of
            range.
    """
    import cv2

    check_knobs(crop_size, padding)
    crop_size, padding = int(crop_size), float(padding)  # NumPy's small ones overflow
    size = Size(rgb.shape[1], rgb.shape[0])
    inside = _clipped(box, size)
    region = _region(inside, size, padding)
    target = _target_size(region.size, crop_size)
    cut = _draw(rgb[region.top : region.bottom, region.left : region.right].copy(), inside, region)
    shrinks = target.width < region.size.width
    crop = cv2.resize(cut, target, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LANCZOS4)
    return np.asarray(crop, np.uint8), region


def check_knobs(crop_size: int, padding: float) -> None:
    """Refuse sizes that `make_crop` cannot use.

    Raises:
        InputError: One is out of range.
    """
    low, high = _CROP_SIZES
    pixels, sides = as_int(crop_size), as_float(padding)
    if pixels is None or not low <= pixels <= high:
        raise InputError(
            f"crop_size must be a whole number of pixels from {low} to {high}; got {short_repr(crop_size)}."
        )
    if sides is None or not 1 <= sides <= _MAX_PADDING:
        raise InputError(
            f"padding must be a number from 1, the box itself, to {_MAX_PADDING:,.0f}; got {short_repr(padding)}."
        )


def _clipped(box: Sequence[float], size: Size) -> tuple[float, float, float, float]:
    """Return the part of `box` inside an image of `size`."""
    try:
        x1, y1, x2, y2 = map(_side, box)
    except (TypeError, ValueError) as exc:
        raise InputError(f"a box must be left, top, right, bottom in source pixels; got {short_repr(box)}.") from exc
    if not (all(map(math.isfinite, (x1, y1, x2, y2))) and x1 < x2 and y1 < y2):
        raise InputError(f"a box must be finite, with left < right and top < bottom; got ({x1}, {y1}, {x2}, {y2}).")
    inside = max(x1, 0.0), max(y1, 0.0), min(x2, float(size.width)), min(y2, float(size.height))
    if inside[0] >= inside[2] or inside[1] >= inside[3]:
        raise InputError(
            f"a box must lie in the image, {size.width}x{size.height} pixels; got ({x1}, {y1}, {x2}, {y2}). "
            "Give source pixels."
        )
    return inside


def _side(value: object) -> float:
    number = as_float(value)
    if number is None:
        raise TypeError
    return number


def _region(box: tuple[float, float, float, float], size: Size, padding: float) -> Region:
    x1, y1, x2, y2 = box
    grow_x, grow_y = (x2 - x1) * (padding - 1) / 2, (y2 - y1) * (padding - 1) / 2
    return Region(
        max(0, int(x1 - grow_x)),
        max(0, int(y1 - grow_y)),
        min(size.width, max(int(x2 + grow_x), math.ceil(x2))),  # a box of a few pixels must be in its own region
        min(size.height, max(int(y2 + grow_y), math.ceil(y2))),
    )


def _target_size(region: Size, crop_size: int) -> Size:
    scale = min(crop_size / min(region), MAX_STRETCH * crop_size / max(region))
    return Size(max(1, round(region.width * scale)), max(1, round(region.height * scale)))


def _draw(cut: U8, box: tuple[float, float, float, float], region: Region) -> U8:
    """Draw the outline of `box`, given in source pixels, on the cut of `region`; returns `cut`.

    What falls beyond the cut, as the right line of a box that ends where the image ends, is not seen.
    """
    import cv2

    left, top, right, bottom = box
    start = int(left - region.left), int(top - region.top)
    end = int(right - region.left), int(bottom - region.top)
    cv2.rectangle(cut, start, end, BOX_COLOUR, LINE_PX)
    return cut
