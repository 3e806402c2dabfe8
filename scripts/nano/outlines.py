"""The outline of a mask as a fixed number of points that keep its corners."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

OUTLINE_POINTS = 20
"""Points of an outline, the most that an answer may have."""
_REACH_SHARE, _LEAST_REACH_PX = 0.03, 4
"""Px of the contour over which a corner turns: a share of the contour, and at least some."""
_CORNER_DEGREES = 42.0
"""Least turn of a corner; a circle turns by 11 degrees over the reach."""
_MOST_CORNERS = 18
_SMOOTH_PX = 1.0
"""Deviation from the contour below which further points go to the longest edges."""
_SIMPLE_PX = 2.0
"""Most deviation of evenly spaced points; shapes with more corners than points get the points that deviate least."""
_FINEST_PX, _COARSEST_PX, _HALVINGS = 0.3, 40.0, 8


def outline(mask: NDArray[np.bool_]) -> F32:
    """Return (20, 2) x, y in px: points clockwise around the largest part of a mask, its holes ignored.

    They lie in the middles of the outermost px, whose filling gives the mask again. The first point is the one that is
    met first clockwise from straight above the middle of the part's box. Corners are kept; between two corners the
    points lie at equal distances. Px (row, column) covers [column, column + 1) × [row, row + 1).
    """
    contour = _contour(mask)
    points = _evenly_spaced(contour)
    return _from_the_top(_least_deviating(contour) if points is None else points)


def _contour(mask: NDArray[np.bool_]) -> F64:
    """Return (n, 2) middles of the outermost px of the largest part, clockwise, from the top of the box's middle."""
    found, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    contour = max(found, key=cv2.contourArea)[::-1, 0] + 0.5  # OpenCV's run anticlockwise
    x, y = contour.T
    away = np.abs(x - (x.min() + x.max()) / 2)
    return np.roll(contour, -int(np.lexsort((y, away.round()))[0]), axis=0)


def _evenly_spaced(contour: F64) -> F64 | None:
    """Return (20, 2) corners and evenly spaced points between them; None where these deviate too much."""
    n = len(contour)
    corners = _corners(contour)
    first = corners[0] if corners else 0
    closed = np.concatenate([np.roll(contour, -first, axis=0), contour[first : first + 1]])
    length = np.concatenate([[0.0], np.hypot(*np.diff(closed, axis=0).T).cumsum()])
    ends = [*(corner - first for corner in corners or [0]), n]
    pieces = [(closed[a : b + 1], length[a : b + 1]) for a, b in pairwise(ends)]
    bends = [_deviation(*piece, 1) for piece in pieces]
    counts = [1] * len(pieces)
    for _ in range(OUTLINE_POINTS - len(pieces)):
        # The deviation of an arc falls with the square of the number of its chords.
        needs = [
            (bend / k**2 if bend > _SMOOTH_PX * k**2 else 0.0, (piece[1][-1] - piece[1][0]) / k)
            for piece, bend, k in zip(pieces, bends, counts, strict=True)
        ]
        counts[needs.index(max(needs))] += 1
    if max(_deviation(*piece, k) for piece, k in zip(pieces, counts, strict=True)) > _SIMPLE_PX:
        return None
    return np.concatenate([_cut(*piece, k)[:-1] for piece, k in zip(pieces, counts, strict=True)])


def _cut(contour: F64, length: F64, n: int) -> F64:
    """Return (n + 1, 2) points at equal distances along a piece of the contour, both ends included."""
    at = np.linspace(length[0], length[-1], n + 1)
    return np.stack([np.interp(at, length, contour[:, i]) for i in (0, 1)], axis=1)


def _deviation(contour: F64, length: F64, n: int) -> float:
    """Return the largest distance between a piece of the contour and its n chords."""
    at = np.linspace(length[0], length[-1], n + 1)
    points = _cut(contour, length, n)
    chords = np.stack([np.interp(length, at, points[:, i]) for i in (0, 1)], axis=1)
    return float(np.hypot(*(chords - contour).T).max())


def _corners(contour: F64) -> list[int]:
    """Return the indices at which the contour turns most sharply, in order."""
    n = len(contour)
    reach = max(_LEAST_REACH_PX, round(n * _REACH_SHARE))
    before = contour - np.roll(contour, reach, axis=0)
    after = np.roll(contour, -reach, axis=0) - contour
    cross = before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]
    turn = np.abs(np.arctan2(cross, (before * after).sum(axis=1)))
    kept: list[int] = []
    for sharp in np.argsort(-turn, kind="stable")[: int((turn >= np.radians(_CORNER_DEGREES)).sum())].tolist():
        if all(min((sharp - k) % n, (k - sharp) % n) > reach for k in kept):
            kept.append(sharp)
    return sorted(kept[:_MOST_CORNERS])


def _least_deviating(contour: F64) -> F64:
    """Return (20, 2) points of Douglas and Peucker at the finest tolerance that leaves 20, the longest edges halved."""
    ring = contour[:, None].astype(np.float32)
    low, high = _FINEST_PX, _COARSEST_PX
    for _ in range(_HALVINGS):
        middle = (low * high) ** 0.5
        low, high = (low, middle) if len(cv2.approxPolyDP(ring, middle, True)) <= OUTLINE_POINTS else (middle, high)
    points = list(cv2.approxPolyDP(ring, high, True)[:, 0].astype(np.float64))
    while len(points) < OUTLINE_POINTS:
        edges = [float(np.hypot(*(b - a))) for a, b in pairwise([*points, points[0]])]
        longest = edges.index(max(edges))
        points.insert(longest + 1, (points[longest] + points[(longest + 1) % len(points)]) / 2)
    return np.stack(points)


def _from_the_top(points: F64) -> F32:
    """Turn a ring until it begins with the point met first clockwise from straight above the middle of its box."""
    low, high = points.min(axis=0), points.max(axis=0)
    x, y = ((points - (low + high) / 2) / np.maximum(high - low, 1)).T
    above = np.where(y < 0, np.where(x >= -1e-6, x, 1.0 - x), 2.0)  # from the top to the right; then from the left
    return np.roll(points, -int(above.argmin()), axis=0).astype(np.float32)
