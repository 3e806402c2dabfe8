"""The states that a map is made of: of the prepared image, of a larger one, or of its tiles.

Source: the reference scales images up to 4x before it reads them, and cuts Cityscapes into 2x2 tiles (facts: dense
maps, 8).
"""

from itertools import pairwise

import numpy as np

from youtu_gguf.arguments import short_repr
from youtu_gguf.engines.base import PatchStates
from youtu_gguf.errors import InputError
from youtu_gguf.facts import TOKEN_PX
from youtu_gguf.images.load import prepare
from youtu_gguf.images.zoom import Tiles, grid_at
from youtu_gguf.tasks.base import TaskContext
from youtu_gguf.tasks.declaration import Option
from youtu_gguf.tasks.typed import read_tiles
from youtu_gguf.types import F32, Grid, handed_over

WHOLE = Tiles()

TILES = Option(
    "Read the image in so many tiles, which lets it be larger still.", read_tiles, "COLSxROWS", example="2x1"
)


def patches_at(context: TaskContext, before: str, zoom: float, tiles: Tiles = WHOLE) -> PatchStates:
    """Return the states of the image tokens of the image prepared `zoom` times as large.

    With tiles, the prepared image is cut along its grid into parts without overlap, as equal as the grid allows. Each
    is read by itself, at the size it has, and the states are put together to one grid over the whole image. So
    the tokens on both sides of a seam are neighbours like any other: scores are interpolated bilinearly between them,
    and a seam leaves no step in a map. What it may leave is a difference in what the two tiles' tokens took the scene
    for, since neither saw the other's part.

    Args:
        context: The scene.
        before: Text in front of the image, or of every tile.
        zoom: As `zoom.chosen_zoom` or `zoom.fitting_zoom` gives it for these tiles. At 1 without tiles, the states are
            those that every other question on the scene is answered with, at no further cost.
        tiles: How the image is cut.

    Raises:
        InputError: There are more tiles than the grid has columns or rows.
    """
    if tiles != WHOLE:
        return _from_tiles(context, before, zoom, tiles)
    if zoom == 1:
        return context.patches(before)
    with context.zoomed(zoom) as closer:
        return closer.patches(before)


def cuts(n_tokens: int, n_parts: int) -> list[int]:
    """Return where `n_tokens` in a line begin and end in `n_parts`, whose lengths differ by one at most."""
    return [n_tokens * part // n_parts for part in range(n_parts + 1)]


def _from_tiles(context: TaskContext, before: str, zoom: float, tiles: Tiles) -> PatchStates:
    grid = grid_at(context.transform.source, zoom)
    _check_fit(tiles, grid)
    frame = prepare(context.rgb, grid.n_tokens, zoom)[0].rgb
    boxes = [
        (top, bottom, left, right)
        for top, bottom in pairwise(cuts(grid.rows, tiles.down))
        for left, right in pairwise(cuts(grid.cols, tiles.across))
    ]
    hidden: F32 | None = None
    context.report("tiles", 0, len(boxes))
    for done, (top, bottom, left, right) in enumerate(boxes, 1):
        pixels = frame[top * TOKEN_PX : bottom * TOKEN_PX, left * TOKEN_PX : right * TOKEN_PX]
        with context.open_crop(np.ascontiguousarray(pixels)) as tile:
            states = tile.patches(before)
        if hidden is None:
            hidden = np.empty((*grid, states.hidden.shape[-1]), np.float32)
        hidden[top:bottom, left:right] = states.hidden
        context.report("tiles", done, len(boxes))
    assert hidden is not None  # there is at least one tile
    return PatchStates(handed_over(hidden), states.head)


def _check_fit(tiles: Tiles, grid: Grid) -> None:
    if tiles.across > grid.cols or tiles.down > grid.rows:
        raise InputError(
            f"tiles must be whole image tokens; got {short_repr(tiles.across)}x{short_repr(tiles.down)} tiles of "
            f"{grid.cols}x{grid.rows} tokens. Use fewer tiles, or a larger zoom."
        )
