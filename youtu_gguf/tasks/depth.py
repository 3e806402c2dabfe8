"""A distance for every pixel, from the image tokens' states. Nothing is generated."""

from youtu_gguf.decode.depth import N_BINS, check_focal, depth_map, depth_scale
from youtu_gguf.tasks.base import View, find_tokens
from youtu_gguf.types import DepthMap

BIN_TOKENS = tuple(f"<custom_{b}>" for b in range(1, N_BINS + 1))
"""Tokens of the depth bins, nearest first (facts: tokens)."""


def depth(view: View, scale: str = "open", focal_px: float | None = None) -> DepthMap:
    """Estimate the distance of every pixel.

    Args:
        view: The scene.
        scale: "open" for any picture, or a data set's own range: "nyuv2", "cityscapes", "ddad".
        focal_px: Focal length in pixels of the **source** image; turns open-world depth into metres.
    """
    chosen = depth_scale(scale)
    if focal_px is not None:
        check_focal(focal_px, "source")
    view.require_states("depth")
    ids = find_tokens(view.vocabulary, BIN_TOKENS, "depth")
    transform = view.transform
    focal_prepared = None if focal_px is None else focal_px * transform.prepared.width / transform.source.width
    logits = view.patches(view.wording.before_depth(scale)).logits(ids)
    values = depth_map(logits, transform.source, scale, focal_prepared, calibration=view.calibration)
    return DepthMap(values, chosen.unit(focal_px))
