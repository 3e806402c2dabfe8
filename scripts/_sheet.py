"""Contact sheets: images in a grid, each with a caption under it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

U8 = npt.NDArray[np.uint8]

CELL = (300, 330)
"""Width and height into which an image is fitted."""
CAPTION_PX, TITLE_PX, GAP_PX = 44, 56, 12
PAPER, INK, FAINT = (250, 250, 248), (30, 30, 34), (110, 110, 118)


class Panel(NamedTuple):
    """One image with a title and a line of text under it."""

    image: U8
    title: str
    text: str = ""


def contact_sheet(rows: Sequence[Sequence[Panel]], title: str) -> U8:
    """Lay out rows of panels under a title; returns (H, W, 3) uint8."""
    width = GAP_PX + max(len(row) for row in rows) * (CELL[0] + GAP_PX)
    height = TITLE_PX + len(rows) * (CELL[1] + CAPTION_PX + GAP_PX)
    sheet = Image.new("RGB", (width, height), PAPER)
    pen = ImageDraw.Draw(sheet)
    pen.text((GAP_PX, TITLE_PX // 2), title, INK, ImageFont.load_default(22), anchor="lm")
    for i, row in enumerate(rows):
        for j, panel in enumerate(row):
            corner = (GAP_PX + j * (CELL[0] + GAP_PX), TITLE_PX + i * (CELL[1] + CAPTION_PX + GAP_PX))
            _place(sheet, pen, panel, corner)
    return np.asarray(sheet)


def _place(sheet: Image.Image, pen: ImageDraw.ImageDraw, panel: Panel, corner: tuple[int, int]) -> None:
    image = Image.fromarray(panel.image)
    scale = min(CELL[0] / image.width, CELL[1] / image.height)
    image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS)
    sheet.paste(image, corner)
    below = corner[1] + image.height + 4
    pen.text((corner[0], below), panel.title, INK, ImageFont.load_default(15))
    text, font = panel.text, ImageFont.load_default(12)
    while text and pen.textlength(text, font) > CELL[0]:
        text = text[:-4] + "..." if text.endswith("...") else text[:-3] + "..."
    pen.text((corner[0], below + 20), text, FAINT, font)
