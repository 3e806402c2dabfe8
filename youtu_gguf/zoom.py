"""How much larger than it is a picture is shown to the model, within its budget of image tokens."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

from youtu_gguf.engines.base import TOKEN_PX
from youtu_gguf.errors import InputError
from youtu_gguf.types import Grid, Size

Zoom = float | Literal["auto"]

MAX_ZOOM = 4.0
"""The largest that the reference evaluates with (facts: dense maps, 8)."""

_STEP = 0.02
"""As in the search of the prepared size (facts: image preparation)."""


class Tiles(NamedTuple):
    """Pieces that a picture is cut into, without overlap, to be looked at one by one."""

    across: int = 1
    down: int = 1


def grid_at(size: Size, zoom: float) -> Grid:
    """Return the rows and columns of image tokens of a `size` picture, prepared `zoom` times as large."""
    cols, rows = (max(1, math.ceil(side * zoom / TOKEN_PX)) for side in size)
    return Grid(rows, cols)


def largest_tile(grid: Grid, tiles: Tiles) -> int:
    """Return the image tokens of the largest tile of `grid`."""
    return math.ceil(grid.rows / tiles.down) * math.ceil(grid.cols / tiles.across)


def chosen_zoom(zoom: Zoom, size: Size, max_tokens: int, tiles: Tiles = Tiles()) -> float:  # noqa: B008 - immutable
    """Return the zoom to use for a `size` picture.

    Args:
        zoom: From 1 to 4, or "auto" for the largest of these at which every tile fits.
        size: Source pixels.
        max_tokens: Most image tokens that the model may be shown at a time.
        tiles: How the picture is cut.

    Raises:
        InputError: `zoom` is none, or a tile takes more than `max_tokens` at it. At 1, a picture without tiles always
            fits: it is shrunk as the model's own preparation does.
    """
    if zoom == "auto":
        steps = (MAX_ZOOM - _STEP * n for n in range(round((MAX_ZOOM - 1) / _STEP)))
        return next((z for z in steps if largest_tile(grid_at(size, z), tiles) <= max_tokens), 1.0)
    if isinstance(zoom, bool) or not isinstance(zoom, int | float) or not 1 <= zoom <= MAX_ZOOM:
        raise InputError(f'zoom must be a number from 1 to {MAX_ZOOM:g}, or "auto"; got {zoom!r}.')
    needed = largest_tile(grid_at(size, zoom), tiles)
    if needed > max_tokens and (zoom > 1 or tiles != Tiles()):
        raise InputError(
            f"zoom {zoom:g} of a {size.width}x{size.height} image takes {needed:,} image tokens "
            f"{'a tile' if tiles != Tiles() else 'at a time'}; the model is shown at most {max_tokens:,}. "
            'Use zoom="auto", more tiles where the task takes tiles, or raise image_max_tokens.'
        )
    return float(zoom)
