"""Masks as polygons: outlines to look at and to edit, and outlines that give the mask again when they are filled."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from youtu_gguf.types import F32, U8, Bits, extent

TOLERANCE_PX = 1.0
"""How far an outline may be from the edge of its mask: about a step of one pixel."""

FILLED_TOLERANCE_PX = 0.25
"""How far `filled_outlines` may be from the middles of the border's half pixels: no pixel is won or lost by that."""

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

    cut = _cut_in_four(bits)
    if cut is None:
        return []
    fine, corner = cut
    contours, _ = cv2.findContours(fine, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    edges = sorted(((contour[:, 0] + 1) // 2 for contour in contours), key=cv2.contourArea, reverse=True)
    return [(_simplified(edge, tolerance_px) + corner).astype(np.float32) for edge in edges]


def filled_outlines(bits: Bits) -> list[F32]:
    """Return one closed outline for each connected part of a mask, which gives the part when it is filled.

    The points lie a quarter of a pixel inside the part's edge. So they fill the same pixels in programs that round
    coordinates down and draw the border too (OpenCV, Pillow) and in those that take the pixels whose middles lie inside
    (pycocotools). A hole is cut out along a line that leads to it and back.

    Args:
        bits: (H, W) mask.

    Returns:
        Rings (k, 2) x, y with k >= 3, the largest part first; pixel j covers j to j + 1.
    """
    import cv2

    cut = _cut_in_four(bits)
    if cut is None:
        return []
    fine, corner = cut
    contours, tree = cv2.findContours(fine, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    rings = [_simplified(contour[:, 0], 2 * FILLED_TOLERANCE_PX) for contour in contours]
    parents = tree[0, :, 3].tolist()
    holes: dict[int, list[npt.NDArray[Any]]] = {i: [] for i, parent in enumerate(parents) if parent < 0}
    for ring, parent in zip(rings, parents, strict=True):
        if parent >= 0:
            holes[parent].append(ring)
    parts = sorted((joined(rings[i], inner) for i, inner in holes.items()), key=_area, reverse=True)
    return [((part + 0.5) / 2 + corner).astype(np.float32) for part in parts]


def _cut_in_four(bits: Bits) -> tuple[U8, npt.NDArray[np.int64]] | None:
    """Return what a mask covers, each pixel cut into four, and the corner x, y of that; None for an empty mask.

    OpenCV joins the middles of pixels. Of pixels cut into four, the middles of the outer ones round to the edge.
    """
    box = extent(bits)
    if box is None:
        return None
    left, top, right, bottom = box.astype(int).tolist()
    fine = bits[top:bottom, left:right].astype(np.uint8).repeat(2, axis=0).repeat(2, axis=1)
    return fine, np.array([left, top], np.int64)


def joined(ring: npt.NDArray[Any], others: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """Return closed outlines as one: near another it leads to that, around it and back, which encloses nothing more."""
    detours: list[tuple[int, npt.NDArray[Any]]] = []
    for other in others:
        there = _nearest(other, ring[_nearest(ring, other[0])])
        here = _nearest(ring, other[there])
        around = np.roll(other, -there, axis=0)
        detours.append((here, np.concatenate([around, around[:1], ring[here : here + 1]])))
    detours.sort(key=lambda detour: detour[0])
    pieces = []
    done = 0
    for here, detour in detours:
        pieces += [ring[done : here + 1], detour]
        done = here + 1
    return np.concatenate([*pieces, ring[done:]])


def _nearest(ring: npt.NDArray[Any], point: npt.NDArray[Any]) -> int:
    return int(np.square(ring - point).sum(axis=1).argmin())


def _area(ring: npt.NDArray[Any]) -> float:
    """Return twice the area that a closed outline encloses."""
    x, y = ring.T.astype(np.float64)
    return abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))))


def _simplified(ring: npt.NDArray[Any], tolerance_px: float) -> npt.NDArray[Any]:
    """Return the ring with as few points as the tolerance allows; a thin one, of which no area would be left, whole."""
    import cv2

    for tolerance in (tolerance_px, 0):
        points = cv2.approxPolyDP(ring, tolerance, closed=True)[:, 0]
        if len(points) >= _FEWEST_POINTS:
            break
    return points
