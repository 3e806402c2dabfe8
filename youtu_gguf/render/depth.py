"""Depth as colours: near is warm, far is cold, on a logarithmic scale, with a legend that carries the values."""

from __future__ import annotations

import numpy as np

from youtu_gguf.render.canvas import Canvas
from youtu_gguf.render.legend import INK, PAPER, class_legend, paper
from youtu_gguf.types import U8, DepthMap
from youtu_gguf.types.colours import INVALID, depth_colours, depth_range

N_TICKS = 5


def draw_depth(depth: DepthMap) -> U8:
    """Return the depth as an image of its own size with a legend strip below.

    Colours span the map's own 1st to 99th percentile, so that a few stray pixels do not flatten the rest. Where there
    are invalid pixels, the legend shows their grey and their share; where there are no others, nothing else.
    """
    near, far = depth_range(depth.values)
    image = depth_colours(depth.values, near, far)
    invalid = float(np.mean(depth.values <= 0))
    strips = [image]
    if invalid < 1:
        strips.append(_legend(image, near, far, depth.unit))
    if invalid > 0:
        strips.append(class_legend(image, [("invalid", INVALID, invalid)]))
    return np.vstack(strips)


def _legend(image: U8, near: float, far: float, unit: str) -> U8:
    ruler = Canvas(image)
    height, width = round(ruler.text_px * 1.2), image.shape[1]
    margin = min(2 * ruler.text_px, width // 8)
    scale = np.geomspace(near, far, max(1, width - 2 * margin), dtype=np.float32)
    bar = paper(width, height)
    bar[height // 4 :, margin : margin + len(scale)] = depth_colours(scale[None], near, far)
    canvas = Canvas(paper(width, 2 * ruler.text_px), text_px=ruler.text_px)
    name = "m" if unit == "m" else "(relative)"
    n_ticks = max(2, min(N_TICKS, width // (5 * ruler.text_px)))
    last_end = -1.0
    last_number = ""
    for i, value in enumerate(np.geomspace(near, far, n_ticks)):
        if f"{value:.3g}" == last_number:  # a map of one distance
            continue
        last_number = f"{value:.3g}"
        text = f"{value:.3g} {name}" if i in (0, n_ticks - 1) else f"{value:.3g}"
        text_width = canvas.text_size(text)[0]
        x = margin + i * (width - 2 * margin) / (n_ticks - 1) - text_width / 2
        x = min(max(2.0, x), max(2.0, width - text_width - 2))
        if x > last_end:
            canvas.write(x, ruler.text_px * 0.5, text, INK)
            last_end = x + text_width + ruler.text_px / 2
    return np.vstack([np.full((height // 4, width, 3), PAPER, np.uint8), bar, canvas.pixels()])
