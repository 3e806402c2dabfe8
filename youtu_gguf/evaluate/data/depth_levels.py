"""Distances as data sets store them: 16-bit grey levels in PNG files, read with care."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np

from youtu_gguf.errors import InputError
from youtu_gguf.evaluate.base import F64
from youtu_gguf.evaluate.data.files import read_bytes
from youtu_gguf.evaluate.data.pixels import png_texts, read_levels
from youtu_gguf.types import DepthUnit

_UNITS: dict[str, DepthUnit] = {unit: unit for unit in get_args(DepthUnit)}


@dataclass(frozen=True, eq=False)
class Distances:
    """Distances of an image's pixels: `values` (H, W) float64, 0 = invalid; metres when `unit` is "m"."""

    values: F64
    unit: DepthUnit


@dataclass(frozen=True)
class DepthFile:
    """A file of distances in metres: a 16-bit grey PNG file.

    Attributes:
        path: The file.
        per_metre: Levels of a metre, where the file itself does not say: 1000 for millimetres, 256 as in KITTI.
    """

    path: Path
    per_metre: float

    def read(self) -> Distances:
        """Return its distances.

        Raises:
            InputError: It is no such file.
        """
        return read_distances(read_bytes(self.path), str(self.path), self.per_metre)


def read_distances(png: bytes, where: str, per_metre: float) -> Distances:
    """Return the distances of a 16-bit grey PNG file. Level 0 is invalid.

    Args:
        png: What the file holds. Its texts "scale" and "unit", as `youtu_gguf.output.depth_png` writes them, are used.
        where: Its name, for messages.
        per_metre: Levels of a metre, where the file has no such texts.

    Raises:
        InputError: It is no PNG file, is damaged, has other pixels or too many, or its texts make no sense.
    """
    levels = read_levels(png, name=where)
    if levels.dtype != np.uint16:
        raise InputError(f"{where}: expected a PNG file of 16-bit grey levels; it has fewer bits.")
    scale, unit = _said(png_texts(png, name=where), where)
    return Distances(levels.astype(np.float64) * (1 / per_metre if scale is None else scale), unit)


def _said(texts: Mapping[str, str], where: str) -> tuple[float | None, DepthUnit]:
    """Return the distance of one level, and its unit, as the texts of a file say."""
    if "scale" not in texts:
        return None, "m"
    scale, unit = texts["scale"], texts.get("unit", "m")
    try:
        number = float(scale)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf or unit not in _UNITS:
        raise InputError(
            f'{where}: expected the texts "scale", a number above 0, and "unit", m or relative; '
            f"got {scale[:40]!r} and {unit[:40]!r}."
        )
    return number, _UNITS[unit]
