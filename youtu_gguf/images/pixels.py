"""From a Pillow image of any mode to upright RGB of 8 bits, a strip at a time, so that little is held twice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from youtu_gguf import machine
from youtu_gguf.errors import EngineError, InputError
from youtu_gguf.images.exif import FLAWS
from youtu_gguf.images.warned import HIDDEN
from youtu_gguf.types import U8, Size

if TYPE_CHECKING:
    from PIL import Image

MAX_PIXELS = 200_000_000
"""Larger images are refused before decoding."""

_STRIP_PIXELS = 1 << 16
"""Pixels that are converted at a time: few beside the image, and fewer than a limit that another library may set for
Pillow, which holds for parts as well."""

RGB = 3
"""Channels, and bytes, of a pixel."""

_STORED_BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2, "I;16N": 2}
_WIDEST_BYTES = 4
"""Bytes per pixel that Pillow keeps an image in, by its mode; four for all others."""

_DECODER_BYTES = {"JPEG2000": 16, "AVIF": 8, "HEIF": 8, "WEBP": 9, "JPEG": 6, "MPO": 6, "TIFF": 4, "ICNS": 16}
"""Bytes per pixel that a decoder takes beside the image, by its format: planes of AVIF and HEIF, a canvas and a frame
of WebP, coefficients of a progressive JPEG, whole strips of TIFF, four components of 32 bits of JPEG 2000. Images of 5
to 20 megapixels took 60 to 100 % of what these numbers give."""

_DARK = 16
"""What the upper 8 of 16 bits stay below where the upper 4 are not in use."""

_ORIENTATION = 0x0112
_TURNS = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}
"""How an image is turned upright, by its orientation (Exif 3.0, 4.6.5), as Pillow names it."""

_BITS = (8, 10, 12, 14, 16, 24, 32)
_BITS_PER_SAMPLE, _SAMPLE_FORMAT, _UNSIGNED = 258, 339, (1,)
"""Tags of TIFF 6.0, and the value of the second for whole numbers without a sign, which is its default."""


class Depth(NamedTuple):
    """What a file says of its values that Pillow does not keep with the pixels.

    Attributes:
        halved: They have 16 bits per channel, of which Pillow keeps 8.
        unsigned: They are grey values of 32 bits without a sign; Pillow gives them one.
    """

    halved: bool
    unsigned: bool


def decode(image: Image.Image, name: str) -> Depth:
    """Load the pixels of `image`, if they fit into the free memory.

    Raises:
        InputError: Too many pixels.
        EngineError: It does not fit.
        Exception: What Pillow raises where it cannot decode the image.
    """
    check_size(Size(*image.size), name)
    check_memory(image, name, machine.usable_memory().free)
    depth = Depth(_is_halved(image), _is_unsigned(image))
    image.load()
    check_size(Size(*image.size), name)  # icons may turn out to be larger than they said
    return depth


def turned_upright(image: Image.Image) -> Image.Image:
    """Return a loaded image turned as its EXIF data say, where they are not broken; often that is `image` itself."""
    from PIL import Image

    turn = _TURNS.get(_orientation(image) or 0)
    return image if turn is None else image.transpose(Image.Transpose[turn])


def to_rgb(image: Image.Image, depth: Depth, name: str) -> U8:
    """Return the pixels of a loaded image, (H, W, 3) uint8 and read-only.

    Transparency is laid over white. Grey values of more than 8 bits are scaled to 8, as `_grey_range` says; of colours
    of 16 bits per channel Pillow gives the upper 8.

    Raises:
        InputError: Floating-point values outside 0..1, or colours of 16 bits that use the lower 12.
    """
    rgb = np.empty((image.height, image.width, RGB), np.uint8)
    if image.mode[0] in "IF":
        _fill_from_greys(rgb, image, depth, name)
    else:
        for top, strip in _strips(image):
            rgb[top : top + strip.height] = _rgb(strip)
        if depth.halved and rgb.max() < _DARK:
            raise InputError(
                f"{name} has 16 bits per channel, of which its colours use the lower 12 at most: it would be nearly "
                "black. Scale it to 8 bits yourself."
            )
    rgb.setflags(write=False)
    return rgb.view()  # of which numpy does not let the flag be set again


def is_rgb(image: Image.Image) -> bool:
    """Whether `to_rgb` returns the pixels of `image` as they are."""
    return image.mode == "RGB" and not image.has_transparency_data


def check_size(size: Size, name: str) -> None:
    """Refuse an image without pixels, or with too many.

    Raises:
        InputError: It is one.
    """
    if not size.width or not size.height:
        raise InputError(f"an image must have pixels; {name} is {size.width}x{size.height}.")
    if size.width * size.height > MAX_PIXELS:
        limit = MAX_PIXELS // 1_000_000
        raise InputError(
            f"an image may have up to {limit} megapixels; {name} has more ({size.width}x{size.height}). "
            "Resize or crop it first."
        )


def check_memory(image: Image.Image, name: str, free: int) -> None:
    """Refuse an image that does not fit into `free` bytes of memory: the system would end the process.

    Raises:
        EngineError: It does not fit.
    """
    from PIL import ImageFile

    per_pixel = 2 * RGB  # as bytes, and turned or resized: by then a decoder has ended
    if isinstance(image, ImageFile.ImageFile):
        per_pixel = RGB + _STORED_BYTES.get(image.mode, _WIDEST_BYTES) + _DECODER_BYTES.get(image.format or "", RGB)
    needed = image.width * image.height * per_pixel
    if needed > free:
        raise EngineError(
            f"{name}, {image.width}x{image.height}, needs up to {needed / 1e6:,.0f} MB to decode; {free / 1e6:,.0f} MB "
            "are free. Resize it first, or give this process more memory."
        )


def _fill_from_greys(rgb: U8, image: Image.Image, depth: Depth, name: str) -> None:
    """Fill `rgb` with the grey values of an image of more than 8 bits, or of floating-point numbers."""
    ends = [(float(values.min()), float(values.max())) for _, values in _greys(image, depth.unsigned)]
    lowest, highest = np.array(ends).min(), np.array(ends).max()  # NaN where one is
    black, white = _grey_range(lowest, highest, name, floats=image.mode == "F")
    for top, values in _greys(image, depth.unsigned):
        share = (values.astype(np.float64) - black) / (white - black)
        rgb[top : top + len(values)] = (share * 255 + 0.5).astype(np.uint8)[:, :, None]


def _grey_range(lowest: float, highest: float, name: str, *, floats: bool) -> tuple[float, float]:
    """Return the values that become black and white.

    Files seldom say how many of their bits are in use, so the values do: whole numbers from 0 on have the fewest of 8,
    10, 12, 14, 16, 24 and 32 bits that hold the largest of them. Where some are below 0, the smallest is black and the
    largest white. Floating-point values must lie in 0..1.
    """
    if floats:
        if not (lowest >= 0 and highest <= 1):  # NaN is neither
            raise InputError(
                f"floating-point pixels must lie in 0..1; {name} has values from {lowest:g} to {highest:g}. "
                "Scale them, or convert it to 8 bits."
            )
        return 0.0, 1.0
    if lowest < 0:
        return lowest, max(highest, lowest + 1)
    return 0.0, next(float(white) for bits in _BITS if (white := 2**bits - 1) >= highest)


def _is_halved(image: Image.Image) -> bool:
    """Whether the pixels of `image`, still to be read, have 16 bits per channel, of which Pillow keeps 8."""
    tiles = getattr(image, "tile", ())
    return image.mode[0] not in "IF" and any(";16" in str(tile[3]) for tile in tiles)


def _greys(image: Image.Image, unsigned: bool) -> Iterator[tuple[int, npt.NDArray[Any]]]:
    for top, strip in _strips(image):
        values = np.asarray(strip)
        yield top, values.view(np.uint32) if unsigned else values


def _is_unsigned(image: Image.Image) -> bool:
    """Whether the 32 bits of a grey TIFF have no sign; Pillow gives them one."""
    tags = getattr(image, "tag_v2", {})
    return (
        image.mode == "I"
        and tags.get(_BITS_PER_SAMPLE) == (32,)
        and tuple(tags.get(_SAMPLE_FORMAT, _UNSIGNED)) == _UNSIGNED
    )


def _strips(image: Image.Image) -> Iterator[tuple[int, Image.Image]]:
    """Yield copies of parts as wide as the image, each with the row that it begins at."""
    n_rows = max(1, _STRIP_PIXELS // image.width)
    for top in range(0, image.height, n_rows):
        yield top, image.crop((0, top, image.width, min(top + n_rows, image.height)))


def _rgb(strip: Image.Image) -> U8:
    from PIL import Image

    if strip.has_transparency_data:
        strip = strip.convert("RGBA")
        strip = Image.alpha_composite(Image.new("RGBA", strip.size, "white"), strip)
    return np.asarray(strip if strip.mode == "RGB" else strip.convert("RGB"))


def _orientation(image: Image.Image) -> int | None:
    """Return how the image was turned, None where that is not known: the pixels may be good all the same."""
    try:
        with HIDDEN:  # Pillow warns of some broken data, and fails at others
            found = image.getexif().get(_ORIENTATION)
    except FLAWS:
        return None
    return found if isinstance(found, int) else None
