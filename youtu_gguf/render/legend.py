"""Strips that explain an image's colours, as wide as the image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from youtu_gguf.render.canvas import Canvas, printable
from youtu_gguf.types import U8
from youtu_gguf.types.colours import Colour

PAPER: Colour = (24, 24, 24)
INK: Colour = (235, 235, 235)


def class_legend(image: U8, entries: Sequence[tuple[str, Colour, float]]) -> U8:
    """Return a (h, W, 3) strip with a swatch, name and share of the image per entry, on as many lines as needed."""
    ruler = Canvas(image)
    step = round(ruler.text_px * 1.6)
    placed: list[tuple[int, int, str, Colour]] = []
    x, line = step // 2, 0
    for name, swatch, share in entries:
        text = f"{printable(name)} {_percent(share)}"
        width = round(ruler.text_size(text)[0]) + 2 * step
        if x + width > image.shape[1] and x > step // 2:
            x, line = step // 2, line + 1
        placed.append((x, line, text, swatch))
        x += width
    canvas = Canvas(paper(image.shape[1], (line + 1) * step + step // 2), text_px=ruler.text_px)
    for x, line, text, swatch in placed:
        top = step // 4 + line * step + (step - ruler.text_px) // 2
        canvas.bar(x, top, x + ruler.text_px, top + ruler.text_px - 1, swatch)
        canvas.write(x + 1.4 * ruler.text_px, top + ruler.text_px * 0.1, text, INK)
    return canvas.pixels()


def _percent(share: float) -> str:
    return "<1%" if share < 0.005 else f"{share:.0%}"  # noqa: PLR2004 - what would round to nothing


def paper(width: int, height: int) -> U8:
    """Return an empty dark strip."""
    return np.full((height, width, 3), PAPER, np.uint8)
