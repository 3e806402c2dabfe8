#!/usr/bin/env python3
"""What zoom and tiles gain on maps and cost, and the effect of a seam between tiles.

    python scripts/nano/resolution.py --n 100

nano was trained at one scale, on whole images: a loss on images of that scale says nothing about a model that was
trained at many scales. Zoom brings images shrunk to half back to that scale, and tiles do so for four images side by
side. Near a seam means within one image token of it, and is compared with the same place in the whole image.
"""

from __future__ import annotations

import argparse
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import youtu_gguf as yg
from scripts._arguments import count
from scripts.nano.measures import Bits, Confusion, depth_errors
from scripts.nano.scenes import CLASSES, TEST_SEEDS, Scene, draw
from youtu_gguf.images.zoom import Tiles, grid_at
from youtu_gguf.tasks.tiling import cuts
from youtu_gguf.types import Size


class Way(NamedTuple):
    """A zoom and tiles for an image."""

    zoom: float
    tiles: Tiles

    def __str__(self) -> str:
        return f"zoom {self.zoom:g}" + (
            "" if self.tiles == Tiles() else f", {self.tiles.across}x{self.tiles.down} tiles"
        )


WAYS = {
    "as drawn": (Way(1, Tiles()), Way(1, Tiles(2, 2)), Way(1.5, Tiles()), Way(2, Tiles()), Way(2, Tiles(2, 2))),
    "shrunk to half": (Way(1, Tiles()), Way(2, Tiles()), Way(2, Tiles(2, 2))),
    "four side by side": (Way(1, Tiles()), Way(1, Tiles(2, 2))),
}
SEAMS = Tiles(2, 2)


class Tally:
    """The results of one way so far."""

    def __init__(self) -> None:
        self.plain, self.guided, self.near, self.far = Confusion(), Confusion(), Confusion(), Confusion()
        self.errors: list[tuple[float, float]] = []
        self.seconds: list[float] = []
        self.tokens: list[int] = []

    def add(self, truth: Scene, scene: yg.Scene, way: Way) -> None:
        """Segment one scene and estimate its depth; add the results."""
        options = {"zoom": way.zoom, "tiles": way.tiles}
        found = scene.segment(CLASSES, present="all", refine="none", **options)  # type: ignore[arg-type]
        self.seconds.append(found.timings.encode_s + found.timings.prefill_s)
        self.tokens.append(found.timings.n_image_tokens)
        self.plain.add(truth, found.ids, found.classes)
        refined = scene.segment(CLASSES, present="all", refine="guided", **options)  # type: ignore[arg-type]
        self.guided.add(truth, refined.ids, refined.classes)
        near = near_seam(scene.size, way.zoom)
        for confusion, part in ((self.near, near), (self.far, ~near)):
            confusion.add(replace(truth, labels=truth.labels[part][None]), found.ids[part][None], found.classes)
        depth = scene.depth(focal_px=truth.focal_px, **options)  # type: ignore[arg-type]
        self.errors.append(depth_errors(depth.values, truth))

    def row(self) -> str:
        d1, absrel = np.mean(self.errors, axis=0)
        figures = [c.mean() for c in (self.plain, self.guided, self.near, self.far)]
        columns = "".join(f"{value:>9.3f}" for value in (*figures, d1, absrel))
        return f"{columns}{np.mean(self.tokens):>9.0f}{np.median(self.seconds):>9.3f}"


def near_seam(size: Size, zoom: float) -> Bits:
    """Return the (H, W) pixels of an image within one token of the seams that 2x2 tiles have at `zoom`."""
    grid = grid_at(size, zoom)
    near = np.zeros((size.height, size.width), np.bool_)
    for axis, n_tokens, n_parts in ((0, grid.rows, SEAMS.down), (1, grid.cols, SEAMS.across)):
        token_px = near.shape[axis] / n_tokens
        away = np.abs(np.arange(near.shape[axis]) + 0.5 - cuts(n_tokens, n_parts)[1] * token_px) < token_px
        near |= away[:, None] if axis == 0 else away[None]
    return near


def resized(scene: Scene, factor: float) -> Scene:
    """Return a scene as a camera with `factor` times as many pixels per side sees it; `things` are not changed."""
    height, width = (max(1, round(side * factor)) for side in scene.labels.shape)
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    rgb = np.asarray(cv2.resize(scene.rgb, (width, height), interpolation=how), np.uint8)
    labels = np.asarray(cv2.resize(scene.labels, (width, height), interpolation=cv2.INTER_NEAREST_EXACT), np.uint8)
    depth = np.asarray(cv2.resize(scene.depth, (width, height), interpolation=cv2.INTER_NEAREST_EXACT), np.float32)
    return replace(scene, rgb=rgb, labels=labels, depth=depth, focal_px=scene.focal_px * factor)


def side_by_side(seed: int) -> Scene:
    """Return four scenes of whole tokens in one image, two by two."""
    four = [draw(seed + i * 1000, (288, 288)) for i in range(4)]
    rgb, labels, depth = (
        np.vstack([np.hstack([getattr(scene, name) for scene in four[i : i + 2]]) for i in (0, 2)])
        for name in ("rgb", "labels", "depth")
    )
    return replace(four[0], rgb=rgb, labels=labels, depth=depth)


SCENES = {
    "as drawn": draw,
    "shrunk to half": lambda seed: resized(draw(seed), 0.5),
    "four side by side": side_by_side,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=count, default=100, help="number of images")
    parser.add_argument("--threads", type=count, default=1)
    args = parser.parse_args()
    print(f"{args.n} images; mIoU without refinement unless stated otherwise; median seconds to encode and prefill")
    print(f"{'':22}{'mIoU':>9}{'guided':>9}{'near':>9}{'far':>9}{'d1':>9}{'AbsRel':>9}{'tokens':>9}{'s':>9}")
    with yg.load("nano", threads=args.threads) as model:
        for name, ways in WAYS.items():
            tallies = {way: Tally() for way in ways}
            for seed in range(TEST_SEEDS, TEST_SEEDS + args.n):
                truth = SCENES[name](seed)
                with closing(model.open(truth.rgb)) as scene:
                    for way, tally in tallies.items():
                        tally.add(truth, scene, way)
            print(name)
            for way, tally in tallies.items():
                print(f"  {way!s:20}{tally.row()}")


if __name__ == "__main__":
    main()
