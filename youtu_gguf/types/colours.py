"""The colours of classes, objects and distances, and the small PNG files that notebooks show."""

import colorsys
from io import BytesIO

import numpy as np

from youtu_gguf.types.arrays import F32, I32, U8

Colour = tuple[int, int, int]

BASE: tuple[Colour, ...] = (
    (230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (0, 114, 178), (213, 94, 0), (204, 121, 167),
)  # fmt: skip
"""Okabe and Ito's colours, told apart with every common colour vision (Color Universal Design, 2008)."""

BACKGROUND: Colour = (90, 90, 90)
"""Pixels of no class."""

INVALID: Colour = (48, 48, 48)
"""Pixels of no depth."""

_LEAST = 1e-3  # metres; keeps the logarithm finite

_GOLDEN_ANGLE = 0.618034  # turns; successive hues land far from all earlier ones
_LIGHTNESS = (0.45, 0.65, 0.55)


def colour(index: int) -> Colour:
    """Return the RGB colour of class or object `index`; distinct for the first seven, spread evenly beyond."""
    if index < len(BASE):
        return BASE[index]
    hue = (index * _GOLDEN_ANGLE) % 1
    red, green, blue = colorsys.hls_to_rgb(hue, _LIGHTNESS[index % len(_LIGHTNESS)], 0.75)
    return round(red * 255), round(green * 255), round(blue * 255)


def index_colours(ids: I32, n: int) -> U8:
    """Return (H, W, 3) colours for (H, W) indices of `n` classes or objects, the background's for those below 0."""
    table = np.array([*(colour(i) for i in range(n)), BACKGROUND], np.uint8)
    return table[np.where(ids >= 0, ids, n)]


def depth_range(values: F32) -> tuple[float, float]:
    """Return the 1st and 99th percentile of the valid distances; (1, 1) where there are none."""
    valid = values[values > 0]
    if not valid.size:
        return 1.0, 1.0
    near, far = np.percentile(valid, (1, 99))
    return float(max(near, _LEAST)), float(max(far, _LEAST))


def depth_colours(values: F32, near: float, far: float) -> U8:
    """Return (H, W, 3) colours for (H, W) distances; invalid ones (0) are dark grey."""
    import cv2

    spread = np.log(far / near) or 1.0
    t = np.clip(np.log(np.maximum(values, _LEAST) / near) / spread, 0, 1)
    bgr = cv2.applyColorMap(np.round(255 * (1 - t)).astype(np.uint8), cv2.COLORMAP_TURBO)
    colours = np.asarray(bgr[..., ::-1], np.uint8).copy()
    colours[values <= 0] = INVALID
    return colours


THUMBNAIL_PX = 1024
"""Longest side of what a notebook shows: it keeps every output in its file."""


def png_bytes(rgb: U8) -> bytes:
    """Return (H, W, 3) uint8 pixels as a PNG file."""
    from PIL import Image

    buffer = BytesIO()
    Image.fromarray(rgb).save(buffer, "PNG")
    return buffer.getvalue()


def thumbnail(rgb: U8) -> bytes | None:
    """Return a PNG file of at most `THUMBNAIL_PX` for a notebook; every pixel of it has the colour of one in `rgb`.

    None where there are no pixels: the notebook then shows the repr.
    """
    if not rgb.size:
        return None
    step = -(-max(rgb.shape[:2]) // THUMBNAIL_PX)
    return png_bytes(rgb[::step, ::step])
