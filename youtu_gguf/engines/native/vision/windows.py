"""The order in which image tokens pass through the vision tower, and what it reads of their pixels. Pure NumPy.

A layer with windows attends within squares of the image. The tokens of a window lie next to each other, and windows of
one size follow one another, so that all windows of a size are one view of the tensor.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from youtu_gguf.facts import MERGE, PATCH_PX
from youtu_gguf.types import F32, I32, U8, Grid

PATCHES_PER_TOKEN = MERGE**2
CHANNELS = 3


@dataclass(frozen=True)
class Windows:
    """The windows of one image.

    Attributes:
        order: Which token, in raster order, comes first, second and so on: (n_tokens,).
        groups: Windows of one size each: patches in a window, number of windows. At most four, as windows at the right
            and at the lower edge of the image may be cut.
    """

    order: npt.NDArray[np.int64] = field(repr=False)
    groups: tuple[tuple[int, int], ...]

    @property
    def n_patches(self) -> int:
        """Patches of the image."""
        return PATCHES_PER_TOKEN * len(self.order)

    @property
    def whole(self) -> tuple[tuple[int, int], ...]:
        """The groups of a layer that attends to the whole image."""
        return ((self.n_patches, 1),)


def cut_windows(grid: Grid, side: int) -> Windows:
    """Cut a grid of image tokens into windows of `side` x `side` tokens, beginning at the upper left corner."""
    tokens = np.arange(grid.n_tokens).reshape(grid.rows, grid.cols)
    by_size: dict[int, list[npt.NDArray[np.int64]]] = {}
    for row in range(0, grid.rows, side):
        for column in range(0, grid.cols, side):
            window = tokens[row : row + side, column : column + side].ravel()
            by_size.setdefault(len(window), []).append(window)
    order = np.concatenate([window for windows in by_size.values() for window in windows])
    return Windows(order, tuple((PATCHES_PER_TOKEN * size, len(windows)) for size, windows in by_size.items()))


def cut_patches(rgb: U8, mean: F32, std: F32, order: npt.NDArray[np.int64]) -> F32:
    """Return the patches of a prepared image, (n_patches, 768).

    The four patches of a token lie next to each other, tokens are in `order`. Values of a patch are in the order row,
    column, channel, scaled to 0..1 and normalised by `mean` and `std`, one number a channel.
    """
    height, width = rgb.shape[:2]
    rows, cols = height // (MERGE * PATCH_PX), width // (MERGE * PATCH_PX)
    cut = rgb.reshape(rows, MERGE, PATCH_PX, cols, MERGE, PATCH_PX, CHANNELS).transpose(0, 3, 1, 4, 2, 5, 6)
    levels = ((np.arange(256, dtype=np.float32)[:, None] / 255 - mean) / std).astype(np.float32)
    tokens = cut.reshape(rows * cols, -1, CHANNELS)[order]
    patches = np.empty(tokens.shape, np.float32)
    for channel in range(CHANNELS):
        patches[..., channel] = levels[:, channel][tokens[..., channel]]
    return patches.reshape(PATCHES_PER_TOKEN * rows * cols, -1)


def positions(grid: Grid, order: npt.NDArray[np.int64]) -> I32:
    """Return the positions that ggml's rotary embedding takes for each patch: rows, columns, rows, columns."""
    places = np.indices((MERGE * grid.rows, MERGE * grid.cols)).reshape(2, grid.rows, MERGE, grid.cols, MERGE)
    row, column = places.transpose(0, 1, 3, 2, 4).reshape(2, grid.n_tokens, PATCHES_PER_TOKEN)[:, order].reshape(2, -1)
    return np.concatenate([row, column, row, column]).astype(np.int32)
