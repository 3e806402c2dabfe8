"""A distance for every pixel, from the image tokens' states. Nothing is generated."""

from collections.abc import Sequence
from typing import Annotated, Literal

from youtu_gguf.arguments import as_float, short_repr
from youtu_gguf.decode.depth import assumed_focal, check_focal, depth_map, depth_scale, depth_unit
from youtu_gguf.errors import InputError
from youtu_gguf.facts import BIN_TOKENS, MAX_ZOOM, OPEN_FOCAL_PX, TOKEN_PX, DepthScale
from youtu_gguf.images.zoom import Tiles, Zoom, checked_tiles, chosen_zoom, fitting_zoom
from youtu_gguf.tasks.base import TaskContext, find_tokens
from youtu_gguf.tasks.declaration import Choice, Option
from youtu_gguf.tasks.tiling import TILES, WHOLE, patches_at
from youtu_gguf.tasks.typed import read_depth_zoom, read_focal
from youtu_gguf.types import DepthMap, FocalWord, Scale, handed_over

MIN_FOCAL_ZOOM = 0.25
"""The smallest that zoom="focal" goes. Ours: as far below 1 as the reference's largest zoom is above."""

Focal = float | FocalWord | None
DepthZoom = Zoom | Literal["focal"]


def depth(
    context: TaskContext,
    scale: Annotated[Scale, Choice("open: any image; the others: that data set's range, in metres.")] = "open",
    focal_px: Annotated[
        Focal,
        Option(
            "Focal length in pixels of the image, which makes open-world depth metric; unknown, to disregard what the "
            "file says; or assumed, for that of a telephone's camera where the file says none. "
            "[default: what the file says]",
            read_focal,
            "PIXELS",
            example="900",
        ),
    ] = None,
    zoom: Annotated[
        DepthZoom,
        Option(
            "Show the image this many times as large, 1 to 4; auto: as large as fits, auto:3 up to 3; focal: so that "
            "its focal length is the one that the model knows.",
            read_depth_zoom,
            "ZOOM",
            example="1.5",
        ),
    ] = 1,
    tiles: Annotated[Sequence[int], TILES] = WHOLE,
) -> DepthMap:
    """Estimate the distance of every pixel.

    Args:
        context: The scene.
        scale: "open" for any image, or a data set's own range: "nyuv2", "cityscapes", "ddad".
        focal_px: Focal length in pixels of the **source** image, which turns open-world depth into metres. None takes
            the one that the image's file tells of, where it does; "unknown" takes none; "assumed" takes that of the
            file too, or else of a telephone's camera, 26 mm in terms of 35 mm film.
        zoom: How much larger the image is prepared: from 1 to 4; "auto" for as much as fits, "auto:3" up to 3; or
            "focal", from 0.25 to 4, for the size at which its focal length is the 2,000 px that the model knows, as
            near as fits. What is missing to these is made up for in the distances, as without any zoom.
        tiles: Columns and rows of tiles that the prepared image is cut into.
    """
    chosen = depth_scale(scale)
    focal = _focal_length(context, chosen, scale, focal_px)
    cut = checked_tiles(tiles)
    size = context.transform.source
    factor = (
        _focal_zoom(context, chosen, focal, focal_px, cut)
        if isinstance(zoom, str) and zoom == "focal"
        else chosen_zoom(zoom, size, context.max_tokens, cut)
    )
    context.require_states("depth")
    ids = find_tokens(context.vocabulary, BIN_TOKENS, "depth")
    states = patches_at(context, context.wording.before_depth(scale), factor, cut)
    # The frame that was looked at, which need not be the scene's own.
    focal_prepared = None if focal is None else focal * states.grid.cols * TOKEN_PX / size.width
    values = depth_map(states.logits(ids), size, scale, focal_prepared, calibration=context.calibration)
    return DepthMap(handed_over(values), depth_unit(chosen, focal), focal)


def _focal_length(context: TaskContext, chosen: DepthScale, scale: str, focal_px: Focal) -> float | None:
    """Return the focal length to use, in source pixels."""
    if focal_px is None:
        return context.focal_px if chosen.focal_px is not None else None
    if isinstance(focal_px, str) and focal_px == "unknown":
        return None
    focal = as_float(focal_px)
    if isinstance(focal_px, str) and focal_px == "assumed":
        focal = context.focal_px or assumed_focal(context.transform.source)
    if focal is None:
        got = short_repr(focal_px)
        raise InputError(f'focal_px must be pixels of the source image, "unknown" or "assumed"; got {got}.')
    if chosen.focal_px is None:
        raise InputError(
            f"scale {scale!r} is in metres already; expected no focal length, got {focal:g}. Leave it out."
        )
    check_focal(focal, "source")
    return focal


def _focal_zoom(context: TaskContext, chosen: DepthScale, focal: float | None, given: Focal, tiles: Tiles) -> float:
    """Return the zoom at which the focal length is nearest to the model's; `given` is what the caller passed."""
    if chosen.focal_px is None or focal is None:
        if chosen.focal_px is None:
            got = "got another scale."
        elif given is None:
            got = "the image's file tells of none. Pass focal_px."
        else:
            got = f"got focal_px={short_repr(given)}. Pass its pixels."
        raise InputError(f'zoom="focal" needs scale="open" and a focal length; {got}')
    wanted = min(max(OPEN_FOCAL_PX / focal, MIN_FOCAL_ZOOM), MAX_ZOOM)
    return fitting_zoom(wanted, context.transform.source, context.max_tokens, tiles)
