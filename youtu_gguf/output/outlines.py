"""Masks as polygons, for tools in which outlines are edited."""

from typing import Any

import numpy as np
import numpy.typing as npt

from youtu_gguf.types import F32, Bits, extent

TOLERANCE_PX = 1.0
"""How far an outline may be from the edge of its mask: about a step of one pixel."""

_FEWEST_POINTS = 3


def mask_outlines(bits: Bits, tolerance_px: float = TOLERANCE_PX) -> list[F32]:
    """Return the outer outline of each connected part of a mask; holes are not told.

    Args:
        bits: (H, W) mask.
        tolerance_px: How far an outline may be from the part's edge; 0 for the edges of its pixels themselves.

    Returns:
        Closed rings (k, 2) x, y with k >= 3, the largest part first; pixel j covers j to j + 1.
    """
    import cv2

    box = extent(bits)
    if box is None:
        return []
    left, top, right, bottom = box.astype(int).tolist()
    # OpenCV joins the middles of pixels. Of pixels cut into four, the middles of the outer ones round to the edge.
    fine = bits[top:bottom, left:right].astype(np.uint8).repeat(2, axis=0).repeat(2, axis=1)
    contours, _ = cv2.findContours(fine, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    edges = sorted(((contour[:, 0] + 1) // 2 for contour in contours), key=cv2.contourArea, reverse=True)
    corner = np.array([left, top])
    return [(_simplified(edge, tolerance_px) + corner).astype(np.float32) for edge in edges]


def _simplified(ring: npt.NDArray[Any], tolerance_px: float) -> npt.NDArray[Any]:
    """Return the ring with as few points as the tolerance allows; a thin one, of which no area would be left, whole."""
    import cv2

    for tolerance in (tolerance_px, 0):
        points = cv2.approxPolyDP(ring, tolerance, closed=True)[:, 0]
        if len(points) >= _FEWEST_POINTS:
            break
    return points
