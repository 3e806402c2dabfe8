"""Letters for drawn screens and signs, out of a picture of rendered ones: the same on every machine.

`make_glyphs.py` made the picture from Noto Sans CJK (SIL Open Font License 1.1).
"""

from __future__ import annotations

import json
from functools import cache, lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]

ATLAS, TABLE = (Path(__file__).with_name(name) for name in ("glyphs.png", "glyphs.json"))
HEIGHT_PX = 34
"""Height of a line in the picture, from above the tallest letters to below the lowest."""
REGULAR, BOLD = 0, 1


@cache
def _atlas() -> tuple[F32, list[dict[str, list[int]]]]:
    picture: Any = cv2.imread(str(ATLAS), cv2.IMREAD_GRAYSCALE)
    return picture.astype(np.float32) / 255, json.loads(TABLE.read_text("utf-8"))


@lru_cache(maxsize=4096)
def ink(text: str, height: int, weight: int = REGULAR) -> F32:
    """Return (height, width) how much ink a line of text has at each px, 0 to 1."""
    picture, tables = _atlas()
    table = tables[weight]
    unknown = sorted(set(text) - table.keys())
    if unknown:
        raise ValueError(f"expected letters that glyphs.png has; got {unknown}. Add them to make_glyphs.py.")
    rows = picture[weight * HEIGHT_PX : (weight + 1) * HEIGHT_PX]
    line = np.hstack([rows[:, left : left + width] for left, width in (table[letter] for letter in text)])
    size = (max(1, round(line.shape[1] * height / HEIGHT_PX)), height)
    how = cv2.INTER_AREA if height < HEIGHT_PX else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(line, size, interpolation=how), np.float32)


def tight_ink(text: str, height: int, weight: int = REGULAR) -> F32:
    """Return the same cut to its ink, which is `height` high."""
    large = ink(text, 2 * height, weight)
    ys, xs = np.flatnonzero(large.max(axis=1) > 0.3), np.flatnonzero(large.max(axis=0) > 0.3)
    cut = large[ys[0] : ys[-1] + 1, xs[0] : xs[-1] + 1]
    size = (max(1, round(cut.shape[1] * height / cut.shape[0])), height)
    return np.asarray(cv2.resize(cut, size, interpolation=cv2.INTER_AREA), np.float32)


def write(image: F32, text: str, left: int, top: int, height: int, colour: F32, weight: int = REGULAR) -> int:
    """Write a line on an image (H, W, 3) with its top left at a px; return its width. What lies beyond is cut off."""
    letters = ink(text, height, weight)
    area = image[top : top + height, left : left + letters.shape[1]]
    area += letters[: area.shape[0], : area.shape[1], None] * (colour - area)
    return int(letters.shape[1])


def spans(text: str, height: int, weight: int = REGULAR) -> list[tuple[float, float]]:
    """Return where each letter of a line begins and ends, in px from the left."""
    table = _atlas()[1][weight]
    ends = np.cumsum([0, *(table[letter][1] for letter in text)]) * (height / HEIGHT_PX)
    return list(pairwise(ends.tolist()))


def width_of(text: str, height: int, weight: int = REGULAR) -> int:
    """Return the width of a line in px."""
    return int(ink(text, height, weight).shape[1])
