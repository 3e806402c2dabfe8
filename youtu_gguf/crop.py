"""The picture that a core target is asked on: the surroundings of a box, enlarged, with the box drawn on it.

The recipe is known (facts: dense maps, 6); how the box is drawn is not published. Every guess about that is here:
`BOX_COLOUR`, `LINE_PART`, the order (cut, resize, draw), and that the line runs along the middle of the box's edge.
Whoever trains a model for core targets draws them with `make_crop`, so that it sees what it was trained on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from youtu_gguf.errors import InputError
from youtu_gguf.types import U8, Size

CROP_SIZE = 1280
"""Short side of the picture in pixels; smaller is faster (facts: dense maps, 6)."""

PADDING = 1.2
"""Sides of the region relative to those of the box (facts: dense maps, 6)."""

BOX_COLOUR = (255, 0, 0)
"""Guess: red."""

LINE_PART = 128
"""Guess: the line is this part of the picture's short side thick, at least one pixel."""

MAX_STRETCH = 4
"""Long side at most, in crop sizes; a longer region is enlarged less. The token budget would shrink it anyway."""

_CROP_SIZES = (32, 8192)


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
    """Cut out the surroundings of `box`, resize them and draw the box.

    The region is the part of the box inside the image, enlarged by `padding` about its centre, rounded outwards to
    whole pixels and clipped to the image. Shrinking averages areas (`cv2.INTER_AREA`), enlarging is bilinear.

    Args:
        rgb: (H, W, 3) uint8.
        box: Left, top, right, bottom in pixels of `rgb`.
        crop_size: Short side of the picture, unless that would make the long side more than four times as long.
        padding: Sides of the region relative to those of the box, at least 1.

    Returns:
        The picture, (h, w, 3) uint8, and the region of `rgb` that it shows.

    Raises:
        InputError: The box is not four finite numbers in order with pixels of the image inside, or a size is out of
            range.
    """
    import cv2

    check_knobs(crop_size, padding)
    size = Size(rgb.shape[1], rgb.shape[0])
    inside = _clipped(box, size)
    region = _region(inside, size, padding)
    target = _target_size(region.size, crop_size)
    cut = np.ascontiguousarray(rgb[region.top : region.bottom, region.left : region.right])
    shrinks = target.width < region.size.width
    crop = cv2.resize(cut, target, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return _draw(np.asarray(crop, np.uint8), inside, region), region


def check_knobs(crop_size: int, padding: float) -> None:
    """Refuse sizes that `make_crop` cannot use.

    Raises:
        InputError: One is out of range.
    """
    low, high = _CROP_SIZES
    if not isinstance(crop_size, int) or not low <= crop_size <= high:
        raise InputError(f"crop_size must be a whole number of pixels from {low} to {high}; got {crop_size!r}.")
    if not 1 <= padding < math.inf:
        raise InputError(f"padding must be at least 1, the box itself; got {padding!r}.")


def _clipped(box: Sequence[float], size: Size) -> tuple[float, float, float, float]:
    """Return the part of `box` inside an image of `size`."""
    try:
        x1, y1, x2, y2 = (float(value) for value in box)
    except (TypeError, ValueError) as exc:
        raise InputError(f"a box must be left, top, right, bottom in source pixels; got {box!r}.") from exc
    if not (all(map(math.isfinite, (x1, y1, x2, y2))) and x1 < x2 and y1 < y2):
        raise InputError(f"a box must be finite, with left < right and top < bottom; got ({x1}, {y1}, {x2}, {y2}).")
    inside = max(x1, 0.0), max(y1, 0.0), min(x2, float(size.width)), min(y2, float(size.height))
    if inside[0] >= inside[2] or inside[1] >= inside[3]:
        raise InputError(
            f"a box must lie in the image, {size.width}x{size.height} pixels; got ({x1}, {y1}, {x2}, {y2}). "
            "Give source pixels."
        )
    return inside


def _region(box: tuple[float, float, float, float], size: Size, padding: float) -> Region:
    x1, y1, x2, y2 = box
    grow_x, grow_y = (x2 - x1) * (padding - 1) / 2, (y2 - y1) * (padding - 1) / 2
    return Region(
        max(0, math.floor(x1 - grow_x)),
        max(0, math.floor(y1 - grow_y)),
        min(size.width, math.ceil(x2 + grow_x)),
        min(size.height, math.ceil(y2 + grow_y)),
    )


def _target_size(region: Size, crop_size: int) -> Size:
    scale = min(crop_size / min(region), MAX_STRETCH * crop_size / max(region))
    return Size(max(1, round(region.width * scale)), max(1, round(region.height * scale)))


def _draw(crop: U8, box: tuple[float, float, float, float], region: Region) -> U8:
    """Draw the outline of `box`, given in source pixels, on the picture of `region`; returns `crop`."""
    import cv2

    height, width = crop.shape[:2]
    scale_x, scale_y = width / region.size.width, height / region.size.height
    left, top = round((box[0] - region.left) * scale_x), round((box[1] - region.top) * scale_y)
    right, bottom = round((box[2] - region.left) * scale_x) - 1, round((box[3] - region.top) * scale_y) - 1
    thickness = max(1, round(min(width, height) / LINE_PART))
    cv2.rectangle(crop, (left, top), (max(left, right), max(top, bottom)), BOX_COLOUR, thickness)
    return crop
