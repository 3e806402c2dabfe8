"""A copy of an image to draw on: lines and labels whose size follows the image's."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from math import isnan
from typing import TYPE_CHECKING

import numpy as np

from youtu_gguf.render.fonts import system_fonts
from youtu_gguf.types import F32, U8

if TYPE_CHECKING:
    from pathlib import Path

    from PIL import ImageFont

    from youtu_gguf.types.colours import Colour

_LINE_SHARE = 1 / 300
_TEXT_SHARE = 1 / 32
_MIN_TEXT_PX = 11
_MAX_LABEL = 32
"""Characters of a label that are drawn; a whole sentence would cover the image."""

_LEAST_CHARACTERS = 14
"""Text shrinks, down to the smallest size, until about so many characters fit across a narrow image."""


class Canvas:
    """An image being drawn on; the source is never changed. `text_px` is chosen from its size when None."""

    def __init__(self, rgb: U8, text_px: int | None = None) -> None:
        from PIL import Image, ImageDraw

        self._image = Image.fromarray(np.ascontiguousarray(rgb))
        self._draw = ImageDraw.Draw(self._image)
        extent = min(self._image.size) / 2 + max(self._image.size) / 2
        self.line_px = max(2, round(extent * _LINE_SHARE))
        wanted = min(
            extent * _TEXT_SHARE, 2 * self._image.size[0] / _LEAST_CHARACTERS
        )  # a letter is half as wide as high
        self.text_px = text_px or max(_MIN_TEXT_PX, round(wanted))
        self._ascent = -self._draw.textbbox((0, 0), "lT", font=_font(None, self.text_px), anchor="ls")[1]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self._image.size

    def box(self, xyxy: F32, colour: Colour) -> None:
        """Outline a box; its line lies inside it."""
        left, top, right, bottom = (float(v) for v in xyxy)
        corners = (min(left, right), min(top, bottom), max(left, right) - 1, max(top, bottom) - 1)
        if corners[2] >= corners[0] and corners[3] >= corners[1]:
            self._draw.rectangle(corners, outline=colour, width=self.line_px)

    def outline(self, points: F32, colour: Colour) -> None:
        """Draw a closed outline through (n, 2) points."""
        ring = [(float(x), float(y)) for x, y in points]
        self._draw.line([*ring, ring[0]], fill=colour, width=self.line_px, joint="curve")

    def segment(self, start: Sequence[float], end: Sequence[float], colour: Colour) -> None:
        """Draw a straight line."""
        self._draw.line([*start, *end], fill=colour, width=self.line_px)

    def dot(self, x: float, y: float, colour: Colour) -> None:
        """Draw a filled circle."""
        self._draw.circle((x, y), 1.5 * self.line_px, fill=colour)

    def marker(self, x: float, y: float, colour: Colour) -> float:
        """Mark a point with a ring and a cross-hair that leaves the point itself free; return how far it reaches.

        Its edge is black or white, so that it shows on any image.
        """
        radius, inner, outer = (n * self.line_px for n in (6, 2, 9))
        for shade, wider in ((readable_on(colour), 2), (colour, 0)):
            width = self.line_px + wider
            self._draw.circle((x, y), radius + wider / 2, outline=shade, width=width)
            for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1)):
                ends = (x + dx * inner, y + dy * inner, x + dx * outer, y + dy * outer)
                self._draw.line(ends, fill=shade, width=width)
        return outer

    def bar(self, left: float, top: float, right: float, bottom: float, colour: Colour) -> None:
        """Fill a rectangle."""
        self._draw.rectangle((left, top, right, bottom), fill=colour)

    def label(self, x: float, y: float, text: str, colour: Colour) -> None:
        """Write `text` on a plate of `colour` whose lower left corner is at x, y, moved to stay inside the image."""
        shown = printable(text)
        width, height = self.plate_size(text)
        pad = self.text_px // 4
        left = min(max(0.0, x), max(0.0, self.size[0] - width))
        top = min(max(0.0, y - height), max(0.0, self.size[1] - height))
        self.bar(left, top, left + width, top + height, colour)
        self.write(left + pad, top + pad, shown, readable_on(colour))

    def write(self, x: float, y: float, text: str, colour: Colour) -> None:
        """Write `text` with the upper left corner of its line at x, y; its baseline does not depend on its letters."""
        for run, file in system_fonts().runs(text):
            font = _font(file, self.text_px)
            self._draw.text((x, y + self._ascent), run, font=font, fill=colour, anchor="ls")
            x += self._draw.textlength(run, font=font)

    def plate_size(self, text: str) -> tuple[float, float]:
        """Return width and height of the plate that `label` writes `text` on."""
        width, height = self.text_size(printable(text))
        pad = self.text_px // 4
        return width + 2 * pad, height + 2 * pad

    def text_size(self, text: str) -> tuple[float, float]:
        """Return the width of `text` and the height of a line."""
        boxes = (
            self._draw.textbbox((0, 0), run, font=_font(file, self.text_px)) for run, file in system_fonts().runs(text)
        )
        return sum(right - left for left, _, right, _ in boxes), float(self.text_px)

    def pixels(self) -> U8:
        """Return what has been drawn, (H, W, 3) uint8."""
        return np.asarray(self._image)


def printable(text: str, length: int = _MAX_LABEL) -> str:
    """Return `text` as it can be drawn, in at most `length` characters.

    A character that no font has a shape for becomes its number, as U+5929; one that is not for reading, a blank.
    """
    fonts = system_fonts()
    drawn, before = "", False
    for character in (c if c.isprintable() else " " for c in text[: length + 1]):
        if fonts.have(character):
            drawn, before = drawn + character, False
            continue
        drawn, before = f"{drawn}{' ' * before}U+{ord(character):04X}", True
    return drawn if len(drawn) <= length else f"{drawn[: length - 1]}…"


def caption(label: str, score: float | None) -> str:
    """Return `label` with its score behind it, where it has one; a long label is shortened, its score is not."""
    if score is None or isnan(score):
        return label
    number = f"{score:.2f}"
    room = _MAX_LABEL - len(number) - 1
    return f"{printable(label, room)} {number}" if label else number


@cache
def _font(file: Path | None, size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    from PIL import ImageFont

    return ImageFont.load_default(size) if file is None else ImageFont.truetype(file, size)


def readable_on(colour: Colour) -> Colour:
    """Return black or white, whichever is read more easily on `colour`."""
    red, green, blue = colour
    return (0, 0, 0) if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else (255, 255, 255)  # noqa: PLR2004
