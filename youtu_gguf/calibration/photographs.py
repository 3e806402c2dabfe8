"""Photographs whose layout is known: pieces of those that scikit-image ships, put together on the borders of tokens."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np

from youtu_gguf.calibration.drawn import GRID, LabelledImage
from youtu_gguf.facts import TOKEN_PX
from youtu_gguf.images.load import load
from youtu_gguf.types import U8

NAMES = ("cat", "person", "cup", "brick wall")

_PIECES = {
    "cat": ("chelsea.png", (0.17, 0.0, 0.80, 1.0)),
    "person": ("astronaut.png", (0.16, 0.26, 0.64, 0.72)),
    "cup": ("coffee.png", (0.24, 0.02, 0.62, 0.60)),
    "brick wall": ("brick.png", (0.0, 0.2, 0.8, 1.0)),
}
"""File in scikit-image's data folder, and the part that is all, or nearly all, of its class, marked by eye: left, top,
right and bottom as shares of its sides."""

_ARRANGEMENTS = (
    (("cat", "brick wall"), ("cup", "person"), 4),
    (("brick wall", "cat"), ("person", "cup"), 6),
    (("person", "cat"), ("brick wall", "cup"), 5),
    (("cup", "brick wall"), ("cat", "person"), 5),
)
"""Upper and lower pair of pieces, and the column of image tokens where the right ones begin."""


def data_folder() -> Path | None:
    """Return the folder of scikit-image's own images; None where it, or one of those used here, is not installed."""
    found = find_spec("skimage")
    if found is None or found.origin is None:
        return None
    folder = Path(found.origin).parent / "data"
    return folder if all((folder / name).is_file() for name, _ in _PIECES.values()) else None


def arrange_photographs() -> tuple[LabelledImage, ...]:
    """Return four images of four pieces each; none where scikit-image is not installed. Nothing is downloaded."""
    folder = data_folder()
    if folder is None:
        return ()
    photographs = {name: load(folder / file) for name, (file, _) in _PIECES.items()}
    return tuple(
        _arrange(f"photographs {n}", photographs, upper, lower, column)
        for n, (upper, lower, column) in enumerate(_ARRANGEMENTS, 1)
    )


def _arrange(
    name: str, photographs: dict[str, U8], upper: tuple[str, str], lower: tuple[str, str], column: int
) -> LabelledImage:
    height, width = GRID.rows * TOKEN_PX, GRID.cols * TOKEN_PX
    rgb = np.empty((height, width, 3), np.uint8)
    labels = np.empty((height, width), np.int32)
    middle, border = height // 2, column * TOKEN_PX
    for rows, pair in ((slice(0, middle), upper), (slice(middle, height), lower)):
        for columns, kind in zip((slice(0, border), slice(border, width)), pair, strict=True):
            size = (columns.stop - columns.start, rows.stop - rows.start)
            rgb[rows, columns] = _piece(photographs[kind], _PIECES[kind][1], size)
            labels[rows, columns] = NAMES.index(kind)
    return LabelledImage(name, rgb, NAMES, labels, outlines=False)


def _piece(photograph: U8, part: tuple[float, float, float, float], size: tuple[int, int]) -> U8:
    """Return the middle of a part that has the shape of `size` (width, height), at that size."""
    sides = np.array(photograph.shape[1::-1])
    (x1, y1), (x2, y2) = part[:2] * sides, part[2:] * sides
    wide, tall = x2 - x1, y2 - y1
    scale = min(wide / size[0], tall / size[1])
    left, top = (x1 + x2 - scale * size[0]) / 2, (y1 + y2 - scale * size[1]) / 2
    cut = photograph[int(top) : int(top + scale * size[1]), int(left) : int(left + scale * size[0])]
    return np.asarray(cv2.resize(cut, size, interpolation=cv2.INTER_AREA if scale > 1 else cv2.INTER_LINEAR), np.uint8)
