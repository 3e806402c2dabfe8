"""Frames: sizes, grids of image tokens, the prepared image, and the way from one frame to the other."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from youtu_gguf.errors import InputError
from youtu_gguf.facts import TOKEN_PX
from youtu_gguf.types.arrays import F32, U8, Frozen, freeze


class Size(NamedTuple):
    """Width and height in pixels."""

    width: int
    height: int


class Grid(NamedTuple):
    """Image tokens per column and per row; token `r * cols + c` covers the 32x32 px cell at row r, column c."""

    rows: int
    cols: int

    @property
    def n_tokens(self) -> int:
        """Image tokens in all."""
        return self.rows * self.cols


@dataclass(frozen=True)
class Transform:
    """Both frames of one image: the source, and the prepared image the model saw.

    The prepared size is the source resized on each axis by its own factor, so aspect ratios differ a little
    (facts: image preparation).
    """

    source: Size
    prepared: Size

    def to_source(self, xy: npt.ArrayLike) -> F32:
        """Map (..., 2k) coordinates x, y, x, y... of the prepared image to source pixels, same shape."""
        return self._scaled(xy, self.source, self.prepared)

    def to_prepared(self, xy: npt.ArrayLike) -> F32:
        """Map (..., 2k) coordinates x, y, x, y... of the source image to prepared pixels, same shape."""
        return self._scaled(xy, self.prepared, self.source)

    @staticmethod
    def _scaled(xy: npt.ArrayLike, target: Size, origin: Size) -> F32:
        points = np.asarray(xy, dtype=np.float32)
        if points.ndim == 0 or points.shape[-1] % 2:
            raise InputError(f"coordinates must come as x, y pairs in the last axis; got shape {points.shape}.")
        factor = np.array([target.width / origin.width, target.height / origin.height], dtype=np.float32)
        return (points.reshape(*points.shape[:-1], points.shape[-1] // 2, 2) * factor).reshape(points.shape)


@dataclass(frozen=True, eq=False, repr=False)
class PreparedImage(Frozen):
    """An image as the model sees it: `rgb` (H, W, 3) uint8 with both sides multiples of 32."""

    rgb: U8

    def __post_init__(self) -> None:
        freeze(self, "rgb", (None, None, 3), np.uint8)
        height, width, _ = self.rgb.shape
        if not height or not width or height % TOKEN_PX or width % TOKEN_PX:
            raise InputError(
                f"a prepared image must have sides that are multiples of {TOKEN_PX}; got {width}x{height}. "
                "Prepare it with youtu_gguf.images.load.prepare."
            )

    def __repr__(self) -> str:
        return f"PreparedImage({self.size.width}x{self.size.height})"

    @property
    def size(self) -> Size:
        """Width and height of the prepared image."""
        return Size(self.rgb.shape[1], self.rgb.shape[0])

    @property
    def grid(self) -> Grid:
        """Rows and columns of image tokens."""
        return Grid(self.rgb.shape[0] // TOKEN_PX, self.rgb.shape[1] // TOKEN_PX)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of size and pixels: equal digests mean equal images. Most processors have instructions for it."""
        state = hashlib.sha256(repr(self.rgb.shape).encode())
        state.update(self.rgb.data)
        return state.hexdigest()
