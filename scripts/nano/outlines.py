"""The outline of a mask as a fixed number of points, which move little where the mask changes little."""

from __future__ import annotations

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
_SAMPLES = 200
"""Places of the contour to which the points are fitted."""


def outline(mask: NDArray[np.bool_]) -> F32:
    """Return (20, 2) x, y in px: points clockwise around the largest part of a mask, its holes ignored.

    They begin straight above the middle of the part's box and lie at equal distances along the contour through the
    middles of the outermost px, but the one nearest to a corner is moved to it. Of all points with these places on the
    contour they are those whose polygon deviates least from it, by least squares: a point on a bend lies a little
    outside. If the points were chosen by the shape alone, such as its most important corners, a mask that is turned by
    three degrees would have others, and nobody could say from an image which. Px (row, column) covers
    [column, column + 1) × [row, row + 1).
    """
    contour = _contour(mask)
    closed = np.concatenate([contour, contour[:1]])
    length = np.concatenate([[0.0], np.hypot(*np.diff(closed, axis=0).T).cumsum()])
    if not length[-1]:
        return np.repeat(contour, OUTLINE_POINTS, axis=0).astype(np.float32)
    at = _places(length, _corners(contour))
    samples = (np.arange(_SAMPLES) + 0.5) * length[-1] / _SAMPLES
    points, *_ = np.linalg.lstsq(_shares(samples, at, length[-1]), _interpolated(samples, length, closed))
    return points.astype(np.float32)


def _places(length: F64, corners: list[int]) -> F64:
    """Return where on the contour the points lie: at equal distances, or at a corner nearer than any other one."""
    step = length[-1] / OUTLINE_POINTS
    at: F64 = np.arange(OUTLINE_POINTS) * step
    moved = np.full(OUTLINE_POINTS, np.inf)
    for corner in length[corners]:
        nearest = round(corner / step)
        by = corner - nearest * step
        if abs(by) < abs(moved[nearest % OUTLINE_POINTS]):
            moved[nearest % OUTLINE_POINTS] = by
    at[np.isfinite(moved)] += moved[np.isfinite(moved)]
    return at


def _shares(samples: F64, at: F64, whole: float) -> F64:
    """Return (samples, points): how much of each point a sample is, that lies on the edge between two of them."""
    ends = np.append(at, at[0] + whole)
    samples = np.where(samples < at[0], samples + whole, samples)
    samples = np.where(samples >= ends[-1], samples - whole, samples)
    before = np.searchsorted(ends, samples, side="right") - 1
    share = (samples - ends[before]) / (ends[before + 1] - ends[before])
    shares = np.zeros((len(samples), len(at)))
    rows = np.arange(len(samples))
    shares[rows, before] = 1.0 - share
    shares[rows, (before + 1) % len(at)] = share
    return shares


def _contour(mask: NDArray[np.bool_]) -> F64:
    """Return (n, 2) middles of the outermost px of the largest part, clockwise, from the top of the box's middle."""
    found, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    contour = max(found, key=cv2.contourArea)[::-1, 0] + 0.5  # OpenCV's run anticlockwise
    x, y = contour.T
    away = np.abs(x - (x.min() + x.max()) / 2)
    return np.roll(contour, -int(np.lexsort((y, away.round()))[0]), axis=0)


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
    return sorted(kept)
