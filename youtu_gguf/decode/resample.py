"""Bilinear upsampling of grid maps, without antialiasing, edges clamped.

The convention of `torch.nn.functional.interpolate(mode="bilinear")` for both values of `align_corners`.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from youtu_gguf.errors import InputError
from youtu_gguf.types import F32, Size

Index = npt.NDArray[np.intp]


class Taps(NamedTuple):
    """Where each of n output positions reads: `values[low] * (1 - weight) + values[high] * weight`, all (n,)."""

    low: Index
    high: Index
    weight: F32


class Strip(NamedTuple):
    """Output rows `start` to `stop` (exclusive) that lie between the same two grid rows."""

    start: int
    stop: int
    low: int
    high: int


def axis_taps(n_in: int, n_out: int, *, align_corners: bool = False, step: int = 1) -> Taps:
    """Return the taps that stretch `n_in` values to `n_out`.

    Half-pixel: position i reads at `(i + 0.5) * n_in / n_out - 0.5`, clamped to the first and last value. Aligned
    corners: at `i * (n_in - 1) / (n_out - 1)`. With a `step`, only the middles of every `step` positions are read,
    those of a last, incomplete group included.
    """
    position = (np.arange(-(-n_out // step), dtype=np.float64) + 0.5) * step - 0.5
    if align_corners:
        position *= (n_in - 1) / max(n_out - 1, 1)
    else:
        position = (position + 0.5) * n_in / n_out - 0.5
    position = np.clip(position, 0, n_in - 1)
    low = np.minimum(position.astype(np.intp), n_in - 1)
    return Taps(low, np.minimum(low + 1, n_in - 1), (position - low).astype(np.float32))


def stretch_columns(maps: F32, n_out: int, *, align_corners: bool = False, step: int = 1) -> F32:
    """Return (..., n_out) float32 from (..., n_in); fewer with a `step`, as `axis_taps` says."""
    low, high, weight = axis_taps(maps.shape[-1], n_out, align_corners=align_corners, step=step)
    left = maps[..., low]
    result: F32 = left + (maps[..., high] - left) * weight
    return result


def blend(maps: F32, taps: Taps) -> F32:
    """Return (..., n, W) float32: (..., rows, W) maps read along their rows where `taps` point."""
    result = np.empty((*maps.shape[:-2], len(taps.low), maps.shape[-1]), np.float32)
    for strip in strips(taps, len(taps.low)):
        low, part = maps[..., strip.low, None, :], result[..., strip.start : strip.stop, :]
        weight = taps.weight[strip.start : strip.stop, None]
        np.multiply(maps[..., strip.high, None, :] - low, weight, out=part)
        part += low
    return result


def upsample(maps: F32, size: Size, *, align_corners: bool = False) -> F32:
    """Return (..., H, W) float32 from grid maps (..., rows, cols)."""
    taps = axis_taps(maps.shape[-2], size.height, align_corners=align_corners)
    return blend(stretch_columns(maps, size.width, align_corners=align_corners), taps)


def strips(rows: Taps, max_rows: int) -> Iterator[Strip]:
    """Split the output rows where the grid row changes, and into at most `max_rows` each."""
    breaks = np.flatnonzero(np.diff(rows.low)) + 1
    edges = [0, *breaks.tolist(), len(rows.low)]
    for first, last in pairwise(edges):
        for start in range(first, last, max_rows):
            yield Strip(start, min(start + max_rows, last), int(rows.low[first]), int(rows.high[first]))


def check_maps(name: str, maps: F32, layout: str = "(K, rows, cols)") -> None:
    """Refuse maps that cannot be upsampled.

    Raises:
        InputError: `maps` does not have three axes with something in each, or holds NaN or infinity.
    """
    if maps.ndim != 3 or 0 in maps.shape:  # noqa: PLR2004 - the axes of the layout
        raise InputError(f"{name} must be {layout}, none of them zero; got {maps.shape}.")
    if not np.isfinite((maps.min(), maps.max())).all():  # NaN is both
        raise InputError(f"{name} must be finite; got NaN or infinity. The engine's states are broken.")


def check_size(size: Size) -> None:
    """Refuse a size without pixels.

    Raises:
        InputError: A side is below 1.
    """
    if size.width < 1 or size.height < 1:
        raise InputError(f"the size to upsample to must be at least 1x1; got {size.width}x{size.height}.")
