"""Which image files a server decodes, and how many at once: files of strangers are checked by their header first."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO

from youtu_gguf.errors import InputError
from youtu_gguf.images.formats import open_file
from youtu_gguf.images.warned import HIDDEN
from youtu_gguf.serve.errors import ApiError

FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "HEIF", "TIFF", "BMP", "GIF")
"""Formats that are read: those that cameras, phones and browsers write. The package itself reads more."""

DECODED_BYTES = 13
"""Most memory that a pixel takes while it is decoded: as RGB, as Pillow keeps it, and in a JPEG decoder."""

_AT_ONCE, _MOST_BYTES = 2, 512 << 20


@dataclass(frozen=True)
class Header:
    """What the header of an image file says.

    Attributes:
        format: Pillow's name of its format.
        n_pixels: Pixels of its first image.
    """

    format: str
    n_pixels: int


def check_header(data: bytes, max_pixels: int) -> Header:
    """Return what the header of an image file says. No pixel is decoded, and no file but `data` is read.

    Raises:
        ApiError: It is no image of a format that is read, or has more than `max_pixels`.
    """
    name = f"the image ({len(data)} bytes)"
    try:
        with HIDDEN, open_file(BytesIO(data), name, FORMATS) as opened:
            width, height = opened.size
            format_ = str(opened.format)
    except InputError as exc:
        raise ApiError(415, "unsupported_media_type", str(exc), param="image") from exc
    except Exception as exc:  # Pillow's decoders raise nearly anything
        message = f"expected a whole image; {name} cannot be decoded. Save it again."
        raise ApiError(400, "invalid_image", message, param="image") from exc
    if width * height > max_pixels:
        raise ApiError(
            413,
            "image_too_large",
            f"an image may have {max_pixels} pixels; {name} has {width}x{height}. Send a smaller one.",
            param="image",
        )
    return Header(format_, width * height)


class DecodeLimit:
    """Lets two images be decoded at once, and only one where both would take too much memory. For any thread."""

    def __init__(self, most_bytes: int = _MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._changed = threading.Condition()
        self._running: list[int] = []

    @contextmanager
    def decoding(self, n_pixels: int) -> Iterator[None]:
        """Wait until an image of so many pixels may be decoded; it is, in the `with` block."""
        n_bytes = n_pixels * DECODED_BYTES

        def fits() -> bool:
            small = len(self._running) < _AT_ONCE and sum(self._running) + n_bytes <= self._most_bytes
            return small or not self._running

        with self._changed:
            self._changed.wait_for(fits)
            self._running.append(n_bytes)
        try:
            yield
        finally:
            with self._changed:
                self._running.remove(n_bytes)
                self._changed.notify_all()
