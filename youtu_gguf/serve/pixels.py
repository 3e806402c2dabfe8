"""Images as files for clients that draw on them."""

from __future__ import annotations

from io import BytesIO
from typing import Literal

import numpy as np

from youtu_gguf.types import U8

PictureForm = Literal["webp", "jpeg", "png"]

_OPTIONS: dict[str, dict[str, object]] = {
    "webp": {"quality": 85, "method": 2},
    "jpeg": {"quality": 90},
    "png": {"compress_level": 1},
}
"""Quick, and of a quality at which boxes can be judged."""


def picture(rgb: U8, form: PictureForm, longest_px: int | None) -> bytes:
    """Return pixels as an image file, made smaller where a side is longer than `longest_px`."""
    from PIL import Image

    shown = Image.fromarray(np.asarray(rgb))
    if longest_px is not None and max(shown.size) > longest_px:
        shown.thumbnail((longest_px, longest_px), Image.Resampling.LANCZOS)
    buffer = BytesIO()
    shown.save(buffer, form.upper(), **_OPTIONS[form])
    return buffer.getvalue()
