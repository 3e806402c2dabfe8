"""How much enlarged an image is shown to the model, within its budget of image tokens."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple, get_args

import numpy as np

from youtu_gguf.arguments import as_float, as_int, short_repr
from youtu_gguf.errors import InputError
from youtu_gguf.facts import MAX_ZOOM, N_COORDINATES, SCALE_STEP, TOKEN_PX
from youtu_gguf.images.load import prepared_size
from youtu_gguf.types import Grid, Size

AutoZoom = Literal["auto", "auto:2", "auto:3", "auto:4"]
"""As much as fits, up to 4 times, or up to 2, 3 or 4."""

Zoom = float | AutoZoom

_MOST = {word: float(word.partition(":")[2] or MAX_ZOOM) for word in get_args(AutoZoom)}


class Tiles(NamedTuple):
    """Parts that an image is cut into, without overlap, and shown in one at a time."""

    across: int = 1
    down: int = 1


def grid_at(size: Size, zoom: float) -> Grid:
    """Return the rows and columns of image tokens of a `size` image, prepared `zoom` times as large."""
    cols, rows = (max(1, math.ceil(side * zoom / TOKEN_PX)) for side in size)
    return Grid(rows, cols)


def largest_tile(grid: Grid, tiles: Tiles) -> int:
    """Return the image tokens of the largest tile of `grid`."""
    return math.ceil(grid.rows / tiles.down) * math.ceil(grid.cols / tiles.across)


def fitting_zoom(most: float, size: Size, max_tokens: int, tiles: Tiles = Tiles()) -> float:  # noqa: B008 - immutable
    """Return the largest zoom up to `most`, in steps of 0.02, at which every tile takes at most `max_tokens`.

    Raises:
        InputError: No zoom fits: the image is too long and narrow.
    """
    for n in range(math.ceil(most / SCALE_STEP)):
        zoom = round(most - SCALE_STEP * n, 4)
        if largest_tile(grid_at(size, zoom), tiles) <= max_tokens:
            return zoom
    raise InputError(
        f"every tile must fit {max_tokens:,} image tokens at some scale; those of a {size.width}x{size.height} image "
        "do not. Crop it, use more tiles, or raise image_max_tokens."
    )


def sayable_zoom(most: float, size: Size, max_tokens: int) -> float:
    """Return the largest zoom up to `most`, in steps of 0.02, at which the model can say where everything is.

    Coordinates end at `facts.N_COORDINATES`, so the longer prepared side has at most as many pixels.

    Raises:
        InputError: There is none: the image is too long and narrow.
    """
    for n in range(math.ceil(most / SCALE_STEP)):
        zoom = round(most - SCALE_STEP * n, 4)
        if max(prepared_size(size, max_tokens, zoom)) <= N_COORDINATES:
            return zoom
    raise InputError(
        f"a task that answers with coordinates needs an image whose longer side can be made {N_COORDINATES:,} px; a "
        f"{size.width}x{size.height} image is too long for that. Crop it."
    )


def checked_tiles(tiles: Sequence[int]) -> Tiles:
    """Return `tiles` as columns and rows.

    Raises:
        InputError: They are not a pair of positive whole numbers.
    """
    numbers = [as_int(n) or 0 for n in listed(tiles)]
    if len(numbers) != len(Tiles._fields) or min(numbers) < 1:
        raise InputError(
            f"tiles must be two positive whole numbers, columns and rows, as (2, 2); got {short_repr(tiles)}."
        )
    return Tiles(*numbers)


def listed(values: object) -> list[object]:
    """Return the items of a sequence or of an array in one dimension; no items for a string or anything else."""
    if isinstance(values, np.ndarray):
        return list(values) if values.ndim == 1 else []
    return list(values) if isinstance(values, Sequence) and not isinstance(values, str | bytes) else []


def checked_factor(zoom: float) -> float:
    """Return `zoom`, which may also make an image smaller, as a float.

    Raises:
        InputError: It is not a number above 0, up to 4.
    """
    number = as_float(zoom)
    if number is None or not 0 < number <= MAX_ZOOM:
        raise InputError(f"zoom must be a number above 0, up to {MAX_ZOOM:g}; got {short_repr(zoom)}.")
    return number


def chosen_zoom(zoom: Zoom, size: Size, max_tokens: int, tiles: Tiles = Tiles()) -> float:  # noqa: B008 - immutable
    """Return the zoom to use for a `size` image.

    Args:
        zoom: From 1 to 4, or "auto" for the largest of these at which every tile fits; "auto:3" for the largest up to
            3. Tiles that fit at none of them are shrunk as far as it takes, as the model's own preparation does with a
            whole image.
        size: Source pixels.
        max_tokens: Most image tokens that the model may be shown at a time.
        tiles: How the image is cut.

    Raises:
        InputError: `zoom` is invalid, or a tile takes more than `max_tokens` at it. At 1, an image without tiles always
            fits: it is shrunk as the model's own preparation does.
    """
    if isinstance(zoom, str) and zoom in _MOST:
        found = fitting_zoom(_MOST[zoom], size, max_tokens, tiles)
        return found if tiles != Tiles() else max(1.0, found)
    number = as_float(zoom)
    if number is None or not 1 <= number <= MAX_ZOOM:
        raise InputError(
            f'zoom must be a number from 1 to {MAX_ZOOM:g}, or "auto", "auto:2" or "auto:3" for as much as fits; got '
            f"{short_repr(zoom)}."
        )
    needed = largest_tile(grid_at(size, number), tiles)
    if needed > max_tokens and (number > 1 or tiles != Tiles()):
        raise InputError(
            f"zoom {number:g} of a {size.width}x{size.height} image takes {needed:,} image tokens "
            f"{'a tile' if tiles != Tiles() else 'at a time'}; the model is shown at most {max_tokens:,}. "
            'Use zoom="auto", more tiles where the task takes tiles, or raise image_max_tokens.'
        )
    return number
