"""Distances as 16-bit grey levels: the depth images that robots and data sets use.

A level times the scale is the distance, and 0 is invalid. Metres are millimetres (ROS REP 118, scale 0.001) as far as
these reach, 65.535 m; beyond, scale 1/256 as in KITTI's depth benchmark, up to 255.996 m. Relative distances, and
metres beyond that too, use all levels: the scale is the largest distance over 65535.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from youtu_gguf.output.png import grey_png
from youtu_gguf.output.source import Source
from youtu_gguf.types import DepthMap, DepthUnit

INVALID = 0
"""The level of pixels without a distance."""

_TOP = 65535  # of 16 bits
_METRE_SCALES = (1 / 1000, 1 / 256)


@dataclass(frozen=True, eq=False)
class DepthLevels:
    """Distances as `levels` (H, W) uint16: one of them times `scale` is a distance in `unit`; 0 is invalid."""

    levels: npt.NDArray[np.uint16]
    scale: float
    unit: DepthUnit

    def to_png(self) -> bytes:
        """Return the levels as a PNG file, with scale, unit and invalid level as tEXt chunks."""
        return grey_png(self.levels, {"scale": repr(self.scale), "unit": self.unit, "invalid": str(INVALID)})


def depth_levels(depth: DepthMap) -> DepthLevels:
    """Return distances as levels. Each is off by half a level at most; a valid one is 1 at least."""
    valid = np.isfinite(depth.values) & (depth.values > 0)
    most = float(depth.values.max(where=valid, initial=0.0))
    scale = _scale(most, depth.unit)
    levels = np.clip(np.rint(np.where(valid, depth.values, 0) / np.float32(scale)), 1, _TOP)
    return DepthLevels(np.where(valid, levels, INVALID).astype(np.uint16), scale, depth.unit)


def encode_depth_png(depth: DepthMap, _source: Source) -> bytes:
    """Return distances as a 16-bit grey PNG file; its text says what the levels mean.

    Raises:
        InputError: There are no pixels.
    """
    return depth_levels(depth).to_png()


def _scale(most: float, unit: DepthUnit) -> float:
    """Return the distance of one level where `most` is the largest distance, 0 where none is valid."""
    fixed = _METRE_SCALES if unit == "m" else ()
    return next((scale for scale in fixed if most < scale * (_TOP + 0.5)), most / _TOP or 1.0)
