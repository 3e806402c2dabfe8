"""Pictures of results."""

from __future__ import annotations

from youtu_gguf.errors import InputError
from youtu_gguf.types import U8, Action, Boxes, Count, DepthMap, Instances, LabelMap, Mask, Polygons, Poses, Result


def draw(rgb: U8, result: Result) -> U8:  # noqa: PLR0911 - one per kind
    """Draw `result` over the (H, W, 3) uint8 picture it speaks of, or on its own for depth.

    Label maps and depth carry a legend below the picture, so the drawing is taller than the source.

    Raises:
        InputError: Results of this kind have no picture.
    """
    from youtu_gguf.render import depth, overlay

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
    raise InputError(f"a {type(result).__name__} has no picture. Print it, or write it as JSON.")
