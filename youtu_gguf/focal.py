"""The focal length that a camera wrote into its picture, in pixels."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL import Image

_EXIF_IFD = 0x8769
_FOCAL_LENGTH_MM, _FOCAL_LENGTH_35MM = 0x920A, 0xA405
_PIXEL_WIDTH, _PLANE_X_RESOLUTION, _PLANE_UNIT = 0xA002, 0xA20E, 0xA210
"""Tags of Exif 3.0, 4.6.6: where the Exif directory is, and in it the fields that tell of the lens and the sensor."""

_UNIT_MM = {2: 25.4, 3: 10.0, 4: 1.0, 5: 1e-3}
"""Millimetres of a `FocalPlaneResolutionUnit`: 2 inch and 3 centimetre by Exif 3.0, 4 and 5 as cameras use them."""

_DIAGONAL_35MM = math.hypot(36.0, 24.0)
"""Millimetres across a frame of 35 mm film; equivalents keep the angle of view of the diagonal (CIPA DCG-001)."""

_MAX_PX = 1e6


def focal_from_exif(image: Image.Image) -> float | None:
    """Return the focal length in pixels of `image`, or None where its EXIF data do not tell.

    From the focal length and the sensor's resolution where both are there, corrected for later resizing by the recorded
    width; else from the equivalent for 35 mm film. Cropping after the shot cannot be seen in either.
    """
    try:
        tags: dict[int, Any] = image.getexif().get_ifd(_EXIF_IFD)
        found = _by_sensor(tags, image.width) or _by_film(tags, math.hypot(*image.size))
    except (AttributeError, ArithmeticError, LookupError, OSError, SyntaxError, TypeError, ValueError):
        return None  # EXIF data are often broken; a picture without them is as good
    return found if found is not None and 0 < found <= _MAX_PX else None


def _by_sensor(tags: dict[int, Any], width: int) -> float | None:
    focal_mm, resolution, recorded = (tags.get(t) for t in (_FOCAL_LENGTH_MM, _PLANE_X_RESOLUTION, _PIXEL_WIDTH))
    unit_mm = _UNIT_MM.get(tags.get(_PLANE_UNIT, 2))
    if not (focal_mm and resolution and recorded and unit_mm):
        return None
    return float(focal_mm) * float(resolution) / unit_mm * width / float(recorded)


def _by_film(tags: dict[int, Any], diagonal_px: float) -> float | None:
    equivalent_mm = tags.get(_FOCAL_LENGTH_35MM)
    return float(equivalent_mm) / _DIAGONAL_35MM * diagonal_px if equivalent_mm else None
