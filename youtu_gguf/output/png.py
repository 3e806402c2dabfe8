"""Images as PNG files: drawings of results, and grey levels that stand for numbers."""

import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from youtu_gguf.atomic import write_bytes
from youtu_gguf.errors import InputError
from youtu_gguf.output.source import Source
from youtu_gguf.render import draw
from youtu_gguf.types import U8, Result
from youtu_gguf.types.colours import png_bytes

Levels = npt.NDArray[np.uint8 | np.uint16]

_FIRST_CHUNKS = 33  # bytes of the signature and of IHDR, which comes first (PNG specification, 5.6)
_SIGNATURE = 8  # bytes
_FORM = slice(24, 29)  # bytes of IHDR behind width and height: depth, colour type, and three more
_PALETTE = 3  # the colour type
_FAST = 1  # zlib's level; on a 1280x960 depth map OpenCV takes a fifth of the time that Pillow's default does


def encode_drawing(result: Result, source: Source) -> bytes:
    """Return `result` drawn over the source image, as `render.draw` does, as a PNG file.

    Raises:
        InputError: Such a result has no drawing, or the source has no pixels.
    """
    return png_bytes(draw(source.pixels("a drawing"), result))


def write_png(path: str | Path, rgb: U8) -> None:
    """Write an (H, W, 3) uint8 image.

    Raises:
        OutputError: The file cannot be written.
    """
    write_bytes(path, png_bytes(rgb))


def grey_png(levels: Levels, texts: Mapping[str, str] = MappingProxyType({})) -> bytes:
    """Return (H, W) levels, uint8 or uint16, as a grey PNG file with a tEXt chunk for each of `texts` (ASCII).

    Raises:
        InputError: There are no pixels.
    """
    import cv2

    if not levels.size:
        raise InputError("an image file needs pixels; got a map without any.")
    if levels.dtype == np.uint8:
        png = _unfiltered_png(levels)
    else:
        png = cv2.imencode(".png", levels, [cv2.IMWRITE_PNG_COMPRESSION, _FAST])[1].tobytes()
    chunks = (_chunk(b"tEXt", f"{key}\0{text}".encode("ascii")) for key, text in texts.items())
    return b"".join((png[:_FIRST_CHUNKS], *chunks, png[_FIRST_CHUNKS:]))


def _unfiltered_png(levels: Levels) -> bytes:
    """Return (H, W) uint8 levels as a grey PNG file without row filters.

    Filters help where neighbours differ a little, as in photographs. Numbers of classes are the same or unrelated:
    without filters they are written and read in less time. Files of rounded regions are a little larger, those of
    regions with straight edges a few times.
    """
    height, width = levels.shape
    rows = np.zeros((height, width + 1), np.uint8)  # each begins with the number of its filter
    rows[:, 1:] = levels
    ihdr = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = (
        b"\x89PNG\r\n\x1a\n",
        _chunk(b"IHDR", ihdr),
        _chunk(b"IDAT", zlib.compress(rows.tobytes(), _FAST)),
        _chunk(b"IEND", b""),
    )
    return b"".join(parts)


def indexed_png(levels: npt.NDArray[np.uint8], palette: U8, texts: Mapping[str, str] = MappingProxyType({})) -> bytes:
    """Return (H, W) levels as a PNG file that shows each in its colour; its pixels are still the levels themselves.

    Args:
        levels: Indices of the palette.
        palette: (n, 3) uint8, up to 256 colours in red, green, blue.
        texts: As for `grey_png`.

    Raises:
        InputError: There are no pixels.

    Source: PNG specification, 11.2.2 and 11.2.3: of 8 bits, grey levels (colour type 0) and indices of a palette (3)
    are stored alike.
    """
    png = grey_png(levels, texts)
    depth, _grey, *rest = png[_FORM]
    height, width = levels.shape
    header = struct.pack(">II5B", width, height, depth, _PALETTE, *rest)
    return png[:_SIGNATURE] + _chunk(b"IHDR", header) + _chunk(b"PLTE", palette.tobytes()) + png[_FIRST_CHUNKS:]


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
