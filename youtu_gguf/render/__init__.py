"""Drawings of results."""

from __future__ import annotations

from youtu_gguf.errors import InputError
from youtu_gguf.types import U8, Action, Boxes, Count, DepthMap, Instances, LabelMap, Mask, Polygons, Poses, Result


def draw(rgb: U8, result: Result) -> U8:  # noqa: PLR0911 - one per kind
    """Draw `result` over the (H, W, 3) uint8 image it speaks of, or on its own for depth.

    Label maps and depth carry a legend below the image, so the drawing is taller than the source.

    Raises:
        InputError: Results of this kind have no drawing, or it is one of an image of another size.
    """
    from youtu_gguf.render import depth, overlay

    _check_size(rgb, result)
    match result:
        case Boxes():
            return overlay.draw_boxes(rgb, result)
        case Count(boxes=Boxes() as counted):
            return overlay.draw_boxes(rgb, counted)
        case Polygons():
            return overlay.draw_polygons(rgb, result)
        case Poses():
            return overlay.draw_poses(rgb, result)
        case LabelMap():
            return overlay.draw_label_map(rgb, result)
        case Instances():
            return overlay.draw_instances(rgb, result)
        case Mask():
            return overlay.draw_mask(rgb, result)
        case Action():
            return overlay.draw_action(rgb, result)
        case DepthMap():
            return depth.draw_depth(result)
    if isinstance(result, Result):
        raise InputError(f"a {type(result).__name__} has no drawing. Print it, or write it as JSON.")
    raise InputError(
        f"expected a value that a task returned; got {result!r}. To draw one row of a value, take value[i:i + 1]."
    )


def _check_size(rgb: U8, result: Result) -> None:
    """Refuse maps of another image; depth is drawn on its own."""
    match result:
        case Mask():
            size = result.bits.shape
        case Instances():
            size = result.masks.shape[1:]
        case LabelMap():
            size = result.ids.shape
        case _:
            return
    if size != rgb.shape[:2]:
        raise InputError(
            f"expected a result of this image, {rgb.shape[1]}x{rgb.shape[0]}; got one of an image of "
            f"{size[1]}x{size[0]}. Draw it over its own."
        )
