"""The focal length that a camera wrote into its image, in pixels."""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, Any

from youtu_gguf.images.warned import HIDDEN

if TYPE_CHECKING:
    from PIL import Image

_EXIF_IFD = 0x8769
_FOCAL_LENGTH_MM, _FOCAL_LENGTH_35MM = 0x920A, 0xA405
_PIXEL_WIDTH, _PIXEL_HEIGHT, _PLANE_X_RESOLUTION, _PLANE_UNIT = 0xA002, 0xA003, 0xA20E, 0xA210
"""Tags of Exif 3.0, 4.6.6: where the Exif directory is, and in it the fields that describe the lens and the sensor."""

_UNIT_MM = {2: 25.4, 3: 10.0, 4: 1.0, 5: 1e-3}
"""Millimetres of a `FocalPlaneResolutionUnit`: 2 inch and 3 centimetre by Exif 3.0, 4 and 5 as cameras use them."""

DIAGONAL_35MM = math.hypot(36.0, 24.0)
"""Millimetres across a frame of 35 mm film; equivalents keep the angle of view of the diagonal (CIPA DCG-001)."""

_SHORTEST, _LONGEST = 0.1, 100.0
"""Focal lengths that lenses have, in diagonals of the image: a fisheye's is a quarter, a long telescope's forty."""

FLAWS = (AttributeError, ArithmeticError, LookupError, OSError, SyntaxError, TypeError, ValueError, struct.error)
"""What Pillow and invalid numbers raise. EXIF data are often broken; the image is usable without them."""


def focal_from_exif(image: Image.Image) -> float | None:
    """Return the focal length in pixels of `image`, or None where its EXIF data do not give one that a lens can have.

    From the focal length and the sensor's resolution where both are there, corrected for later resizing by the recorded
    size; else from the equivalent for 35 mm film. Cropping after the shot cannot be seen in either. Sides are compared
    long with long, so that it makes no difference whether the image was turned since.
    """
    try:
        with HIDDEN:
            tags: dict[int, Any] = image.getexif().get_ifd(_EXIF_IFD)
    except FLAWS:
        return None
    diagonal_px = math.hypot(*image.size)
    for way in (_by_sensor, _by_film):
        try:
            found = way(tags, image)
        except FLAWS:
            continue
        if _SHORTEST * diagonal_px <= found <= _LONGEST * diagonal_px:  # NaN is not
            return found
    return None


def _by_sensor(tags: dict[int, Any], image: Image.Image) -> float:
    resolution = float(tags[_PLANE_X_RESOLUTION]) / _UNIT_MM[tags.get(_PLANE_UNIT, 2)]
    recorded = max(float(tags[_PIXEL_WIDTH]), float(tags.get(_PIXEL_HEIGHT, 0)))
    return float(tags[_FOCAL_LENGTH_MM]) * resolution * max(image.size) / recorded


def _by_film(tags: dict[int, Any], image: Image.Image) -> float:
    return float(tags[_FOCAL_LENGTH_35MM]) / DIAGONAL_35MM * math.hypot(*image.size)
