"""Distances as 16-bit grey levels: the depth images that robots and data sets use.

A level times the scale is the distance, and 0 is invalid. Files are in metres, by factors that other tools know
(`DEPTH_FORMS`), and refuse what these do not reach. Levels for programs that are told the scale (`depth_levels`) may
also be relative: millimetres as far as these reach, 65.535 m; 1/256 m up to 255.996 m; and for relative distances, and
metres beyond that, the largest distance over 65535.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from youtu_gguf.atomic import json_bytes
from youtu_gguf.errors import InputError
from youtu_gguf.output.camera import camera_of, check_metres
from youtu_gguf.output.png import grey_png
from youtu_gguf.output.source import Source
from youtu_gguf.types import Bits, DepthMap, DepthUnit

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
    return _levels(depth, _scale(_farthest(depth), depth.unit))


def _levels(depth: DepthMap, scale: float) -> DepthLevels:
    valid = _valid(depth)
    levels = np.clip(np.rint(np.where(valid, depth.values, 0) / np.float32(scale)), 1, _TOP)
    return DepthLevels(np.where(valid, levels, INVALID).astype(np.uint16), scale, depth.unit)


@dataclass(frozen=True)
class DepthForm:
    """A format of depth images in metres, each with a JSON file beside it.

    Attributes:
        name: Of the format.
        factors: Levels per metre; of several, the first that reaches the largest distance is taken.
    """

    name: str
    factors: tuple[int, ...]

    def encode(self, depth: DepthMap, _source: Source) -> bytes:
        """Return distances as a 16-bit grey PNG file; its text says what the levels mean.

        Raises:
            InputError: Distances are relative, beyond the reach of the levels, or there are no pixels.
        """
        return _levels(depth, 1 / self._factor(depth)).to_png()

    def beside(self, depth: DepthMap, source: Source) -> dict[str, bytes]:
        """Return the JSON file beside the image, by its suffix: how levels become metres, and metres points.

        Keys: `unit`, always "m"; `factor`, levels per metre; `invalid`, the level without a distance; `width` and
        `height`; `fx`, `fy`, `cx`, `cy` as `camera` defines them, those of the focal length null where it is not known;
        `focal_from`: "exif", "given", "assumed" or null.

        Raises:
            InputError: As for `encode`.
        """
        camera = camera_of(depth, source)
        form = {
            "unit": depth.unit,
            "factor": self._factor(depth),
            "invalid": INVALID,
            "width": camera.size.width,
            "height": camera.size.height,
            "fx": camera.focal_px,
            "fy": camera.focal_px,
            "cx": camera.cx,
            "cy": camera.cy,
            "focal_from": camera.focal_from,
        }
        return {f".{self.name.removesuffix('.png')}.json": json_bytes(form)}

    def _factor(self, depth: DepthMap) -> int:
        check_metres(depth, f"a {self.name}")
        most = _farthest(depth)
        for factor in self.factors:
            if most < (_TOP + 0.5) / factor:
                return factor
        reach = _TOP / self.factors[-1]
        others = [f".{form.name}" for form in DEPTH_FORMS if most < _TOP / form.factors[-1]]
        raise InputError(
            f"a {self.name} reaches {reach:.3f} m; got a distance of {most:.3f} m. "
            f"Write {', '.join([*others, '.npz', '.pfm'])} or .exr."
        )


DEPTH_FORMS = (
    DepthForm("depth.png", (1000, 256)),
    DepthForm("ros.png", (1000,)),
    DepthForm("kitti.png", (256,)),
    DepthForm("tum.png", (5000,)),
)
"""Millimetres, or 1/256 m where these do not reach; millimetres alone (ROS REP 118, 16UC1); KITTI's depth benchmark;
the RGB-D data sets of the Technical University of Munich. Only the first may differ from image to image."""


def _valid(depth: DepthMap) -> Bits:
    valid: Bits = np.isfinite(depth.values) & (depth.values > 0)
    return valid


def _farthest(depth: DepthMap) -> float:
    """Return the largest distance; 0 where none is valid."""
    return float(depth.values.max(where=_valid(depth), initial=0.0))


def _scale(most: float, unit: DepthUnit) -> float:
    """Return the distance of one level where `most` is the largest distance, 0 where none is valid."""
    fixed = _METRE_SCALES if unit == "m" else ()
    return next((scale for scale in fixed if most < scale * (_TOP + 0.5)), most / _TOP or 1.0)
