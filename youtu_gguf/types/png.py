"""Pixels as PNG files."""

from io import BytesIO

from youtu_gguf.types.arrays import U8

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
