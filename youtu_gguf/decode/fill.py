"""The pixels inside outlines."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np

from youtu_gguf.types import F32, Bits, Size

_FRACTION_BITS = 4
_MOST = 1 << 20  # OpenCV counts sixteenths of a pixel in 32 bits; answers may hold any number


def fill_outlines(parts: Sequence[Sequence[F32]], size: Size) -> Bits:
    """Fill outlines.

    Args:
        parts: Per object its closed rings (k, 2) in pixels; pixel j covers j to j + 1.
        size: Of the image.

    Returns:
        (H, W) bool, whether a pixel is inside any ring: several of one object are its visible pieces, not holes.
    """
    import cv2

    bits = np.zeros((size.height, size.width), np.uint8)
    for ring in chain.from_iterable(parts):
        # OpenCV's integer points are the middles of pixels.
        points = np.rint((np.clip(ring, -_MOST, _MOST) - 0.5) * (1 << _FRACTION_BITS))
        cv2.fillPoly(bits, [points.astype(np.int32)], 1, shift=_FRACTION_BITS)
    return bits.astype(np.bool_)
