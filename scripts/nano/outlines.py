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
"""Most deviation of evenly spaced points; other shapes keep the corners that matter most."""
_STAIRS_PX = 0.7
"""Deviation below which a contour's steps from px to px are no corners."""


def outline(mask: NDArray[np.bool_]) -> F32:
    """Return (20, 2) x, y in px: points clockwise around the largest part of a mask, its holes ignored.

    They lie in the middles of the outermost px, whose filling gives the mask again. The first point is the one that is
    met first clockwise from straight above the middle of the part's box. Corners are kept; between two corners the
    points lie at equal distances. Px (row, column) covers [column, column + 1) × [row, row + 1).
    """
    contour = _contour(mask)
    points = _evenly_spaced(contour)
    return _from_the_top(_largest_triangles(contour) if points is None else points)


def _contour(mask: NDArray[np.bool_]) -> F64:
    """Return (n, 2) middles of the outermost px of the largest part, clockwise, from the top of the box's middle."""
    found, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    contour = max(found, key=cv2.contourArea)[::-1, 0] + 0.5  # OpenCV's run anticlockwise
    x, y = contour.T
    away = np.abs(x - (x.min() + x.max()) / 2)
    return np.roll(contour, -int(np.lexsort((y, away.round()))[0]), axis=0)


def _evenly_spaced(contour: F64) -> F64 | None:
    """Return (20, 2) corners and evenly spaced points between them; None where these deviate too much."""
    corners = _corners(contour) or [0]
    closed = np.roll(contour, -corners[0], axis=0)
    closed = np.concatenate([closed, closed[:1]])
    length = np.concatenate([[0.0], np.hypot(*np.diff(closed, axis=0).T).cumsum()])
    ends = [*(corner - corners[0] for corner in corners), len(contour)]
    bends = [_bend(closed[a : b + 1]) for a, b in pairwise(ends)]
    stretches = [(length[a], length[b]) for a, b in pairwise(ends)]
    counts = [1] * len(bends)
    for _ in range(OUTLINE_POINTS - len(bends)):
        # The deviation of an arc falls with the square of the number of its chords.
        needs = [
            (bend / k**2 if bend > _SMOOTH_PX * k**2 else 0.0, (b - a) / k)
            for bend, (a, b), k in zip(bends, stretches, counts, strict=True)
        ]
        counts[needs.index(max(needs))] += 1
    at = [a + (b - a) * i / k for (a, b), k in zip(stretches, counts, strict=True) for i in range(k)]
    points = _interpolated(np.array(at), length, closed)
    chords = _interpolated(length, np.array([*at, length[-1]]), np.concatenate([points, points[:1]]))
    return points if np.hypot(*(chords - closed).T).max() <= _SIMPLE_PX else None


def _bend(piece: F64) -> float:
    """Return how far a piece of the contour is from the chord between its ends, or from its ends where they meet."""
    (x, y), (across, down) = (piece - piece[0]).T, piece[-1] - piece[0]
    chord = float(np.hypot(across, down))
    away = np.abs(x * down - y * across) / chord if chord else np.hypot(x, y)
    return float(away.max())


def _interpolated(at: F64, length: F64, points: F64) -> F64:
    """Return (n, 2) points of a line that has `points` at `length`."""
    return np.stack([np.interp(at, length, points[:, i]) for i in (0, 1)], axis=1)


def _corners(contour: F64) -> list[int]:
    """Return the indices at which the contour turns most sharply, in order."""
    n = len(contour)
    reach = max(_LEAST_REACH_PX, round(n * _REACH_SHARE))
    before = contour - np.roll(contour, reach, axis=0)
    after = np.roll(contour, -reach, axis=0) - contour
    cross = before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]
    turn = np.abs(np.arctan2(cross, (before * after).sum(axis=1)))
    kept: list[int] = []
    free = turn >= np.radians(_CORNER_DEGREES)
    for sharp in np.argsort(-turn, kind="stable")[: int(free.sum())].tolist():
        if free[sharp]:
            kept.append(sharp)
            free[np.arange(sharp - reach, sharp + reach + 1) % n] = False
    return sorted(kept[:_MOST_CORNERS])


def _largest_triangles(contour: F64) -> F64:
    """Return (20, 2) points of Visvalingam and Whyatt: those whose triangles with their neighbours are largest.

    Where the contour has fewer than 20 corners, the longest edges are halved.
    """
    points = cv2.approxPolyDP(contour[:, None].astype(np.float32), _STAIRS_PX, True)[:, 0].astype(np.float64)
    while len(points) > OUTLINE_POINTS:
        before, after = points - np.roll(points, 1, axis=0), np.roll(points, -1, axis=0) - points
        area = np.abs(before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0])
        points = np.delete(points, int(area.argmin()), axis=0)
    while len(points) < OUTLINE_POINTS:
        after = np.roll(points, -1, axis=0)
        longest = int(np.hypot(*(after - points).T).argmax())
        points = np.insert(points, longest + 1, (points[longest] + after[longest]) / 2, axis=0)
    return points


def _from_the_top(points: F64) -> F32:
    """Turn a ring until it begins with the point met first clockwise from straight above the middle of its box."""
    low, high = points.min(axis=0), points.max(axis=0)
    x, y = ((points - (low + high) / 2) / np.maximum(high - low, 1)).T
    above = np.where(y < 0, np.where(x >= -1e-6, x, 1.0 - x), 2.0)  # from the top to the right; then from the left
    return np.roll(points, -int(above.argmin()), axis=0).astype(np.float32)
