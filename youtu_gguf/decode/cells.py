"""The best of many upsampled maps at every pixel, without upsampling those that cannot be the best there.

Between four neighbouring grid values, a cell, a bilinear map is a mean of the four. So a map that is below another one
at all four is below it everywhere in the cell; of 20 classes in a photograph, one or two are left in most cells. What
is left is computed pixel by pixel, in strips that stay in the cache, as `resample.upsample` would.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from youtu_gguf.decode.resample import Index, Strip, Taps, axis_taps, strips
from youtu_gguf.types import F32, Bits, Size

STRIP_PIXELS = 1 << 15
"""Pixels worked on at once: four buffers of them stay in a 1 MB cache."""

Ids = npt.NDArray[np.unsignedinteger]


class Contest(NamedTuple):
    """The maps that are left in the cells of one grid row, at the columns of the result.

    Columns are sorted by how many maps are left there, the most first: those with more than `s` are the first
    `counts[s]`. What lies beyond in row `s` of the arrays is undefined.

    Attributes:
        places: (W,) where each column of the result went.
        counts: (S,) columns with more than 0, 1, 2... maps; the first is W.
        ids: (S, W) which map is compared, in rising order.
        low: (S, W) its values on the grid row above.
        step: (S, W) by how much they rise to the grid row below.
    """

    places: Index
    counts: list[int]
    ids: Ids
    low: F32
    step: F32


def best_of_cells(values: F32, size: Size, *, align_corners: bool) -> Iterator[tuple[slice, Ids]]:
    """Yield the index of the highest map at every pixel, rows by rows from the top; equal ones go to the earlier.

    Args:
        values: (K, rows, cols) grid maps.
        size: Width and height of the result.
        align_corners: How grid values lie on it.

    Yields:
        The rows, and their (n, W) indices, which the next step overwrites.
    """
    for strip, weight, contest in _contests(values, size, contenders(values), align_corners):
        yield slice(strip.start, strip.stop), _winners(contest, weight)


def best_two_of_cells(values: F32, size: Size, *, align_corners: bool) -> Iterator[tuple[slice, F32, F32]]:
    """Yield the highest and the second-highest value of at least two maps at every pixel, (n, W), as `best_of_cells`.

    Args:
        values: As there.
        size: As there.
        align_corners: As there.
    """
    left = contenders(values)
    left |= contenders(values, without=left)
    for strip, weight, contest in _contests(values, size, left, align_corners):
        yield slice(strip.start, strip.stop), *_best_two(contest, weight)


def contenders(values: F32, without: Bits | None = None) -> Bits:
    """Return (K, rows, cols) where a map may be the highest somewhere in the cell to the right of and below a value.

    Args:
        values: (K, rows, cols) grid maps.
        without: Likewise; maps that are out of the contest in a cell.

    A map is out where it is below one that is highest at one of the corners, or below the mean of those four, at all
    four corners: at no pixel can it reach the higher one of them.
    """
    corners = _corners(values)
    if without is not None:
        corners = [np.where(without, -np.inf, corner) for corner in corners]
    highest = [corner.argmax(axis=0)[None] for corner in corners]
    # Values on corners, of the four maps that are highest on one of them.
    rivals = [np.stack([np.take_along_axis(corner, best, 0) for corner in corners]) for best in highest]
    left = np.ones(values.shape, np.bool_)
    for rival in (*rivals, np.mean(rivals, axis=0)):
        reached = corners[0] >= rival[0]
        for corner, other in zip(corners[1:], rival[1:], strict=True):
            reached |= corner >= other
        left &= reached
    return left


def _corners(values: F32) -> list[F32]:
    """Return (K, rows, cols) values on the corners of cells: above left, above right, below left, below right."""
    right = np.concatenate([values[..., 1:], values[..., -1:]], axis=2)
    return [
        upper if row == 0 else np.concatenate([upper[:, 1:], upper[:, -1:]], axis=1)
        for row in (0, 1)
        for upper in (values, right)
    ]


def _contests(values: F32, size: Size, left: Bits, align_corners: bool) -> Iterator[tuple[Strip, F32, Contest]]:
    """Yield strips of the result with their (n, 1) weights of the lower grid row, and what is compared there."""
    down, across = (
        axis_taps(n_in, n_out, align_corners=align_corners)
        for n_in, n_out in zip(values.shape[1:], (size.height, size.width), strict=True)
    )
    n_left = left.sum(axis=0, dtype=np.uint16)
    ids = np.zeros((n_left.max(), *n_left.shape), np.min_scalar_type(len(values) - 1))
    slots = np.cumsum(left, axis=0, dtype=np.uint16)
    index, row, column = np.nonzero(left)
    ids[slots[index, row, column] - 1, row, column] = index
    above, above_right, below, below_right = (
        np.take_along_axis(corner, ids.astype(np.intp), 0) for corner in _corners(values)
    )
    ends = np.stack([above, above_right - above, below, below_right - below])
    for low, part in groupby(strips(down, max(1, STRIP_PIXELS // size.width)), lambda strip: strip.low):
        contest = _contest(ids[:, low], ends[:, :, low], n_left[low], across)
        for strip in part:
            yield strip, down.weight[strip.start : strip.stop, None], contest


def _contest(ids: Ids, ends: F32, n_left: npt.NDArray[np.uint16], across: Taps) -> Contest:
    """Return what is compared in one row of cells.

    Args:
        ids: (S, cols) the maps that are left in each cell.
        ends: (4, S, cols) their values above left, how far they rise to the right, and the same below.
        n_left: (cols,) how many are left.
        across: The columns of the result.
    """
    n_here = n_left[across.low]
    order = np.argsort(n_here, kind="stable")[::-1]
    places = np.empty_like(order)
    places[order] = np.arange(len(order))
    most = int(n_here.max())
    counts = [int(np.count_nonzero(n_here > s)) for s in range(most)]
    cells = across.low[order]
    at = np.take(ends[:, :most], cells, axis=2)
    low, high = at[0::2] + at[1::2] * across.weight[order]
    return Contest(places, counts, np.take(ids[:most], cells, axis=1), low, high - low)


def _winners(contest: Contest, weight: F32) -> Ids:
    """Return (n, W) which map is the highest; `weight` (n, 1) is that of the lower grid row."""
    _, counts, ids, low, step = contest
    result = np.empty((len(weight), ids.shape[1]), ids.dtype)
    result[:] = ids[0]
    if len(counts) > 1:
        n = counts[1]
        best = step[0, :n] * weight
        best += low[0, :n]
        better, product = np.empty(best.shape, np.bool_), np.empty(best.shape, ids.dtype)
        buffer = np.empty_like(best)
        for s, n in enumerate(counts[1:], 1):
            score, wins, taken = buffer[:, :n], better[:, :n], product[:, :n]
            np.multiply(step[s, :n], weight, out=score)
            score += low[s, :n]
            np.greater(score, best[:, :n], out=wins)
            np.maximum(score, best[:, :n], out=best[:, :n])
            # Maps come in rising order, so "take this one where it is better" is a maximum: no masked copy.
            np.multiply(wins.view(np.uint8), ids[s, :n], out=taken)
            np.maximum(result[:, :n], taken, out=result[:, :n])
    return np.take(result, contest.places, axis=1)


def _best_two(contest: Contest, weight: F32) -> tuple[F32, F32]:
    _, counts, _, low, step = contest
    best = low[0] + step[0] * weight
    second = np.full_like(best, -np.inf)
    for s, n in enumerate(counts[1:], 1):
        score = step[s, :n] * weight
        score += low[s, :n]
        np.maximum(second[:, :n], np.minimum(best[:, :n], score), out=second[:, :n])
        np.maximum(best[:, :n], score, out=best[:, :n])
    return np.take(best, contest.places, axis=1), np.take(second, contest.places, axis=1)
