#!/usr/bin/env python3
"""The best depth that targets on the grid allow: the script resizes them like the decoder and compares with the truth.

    python scripts/nano/depth_ceiling.py --n 300

"fitted" are the targets that nano is trained on; "medians" are the medians of the true bins in every cell.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from scripts._arguments import count
from scripts.nano.examples import MAX_TOKENS
from scripts.nano.measures import depth_errors
from scripts.nano.scenes import TEST_SEEDS, draw
from scripts.nano.targets import DEPTH_PX, bins_on_grid, depth_to_bins
from youtu_gguf.decode.depth import bins_to_depth, resize_bins
from youtu_gguf.facts import DEPTH_SCALES
from youtu_gguf.images.load import prepare
from youtu_gguf.types import F32, Size


def medians(depth: F32) -> F32:
    """Return the median bin of the valid pixels of every cell, 0 where most are invalid."""
    rows, cols = (n // DEPTH_PX for n in depth.shape)
    cells = depth_to_bins(depth).reshape(rows, DEPTH_PX, cols, DEPTH_PX).swapaxes(1, 2).reshape(rows, cols, -1)
    found: F32 = np.zeros((rows, cols), np.float32)
    kept = (cells > 0).mean(axis=-1) > 0.5
    found[kept] = [np.median(cell[cell > 0]) for cell in cells[kept]]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=count, default=300)
    args = parser.parse_args()
    ways: dict[str, Callable[[F32], F32]] = {"medians": medians, "fitted": bins_on_grid}
    best: dict[str, list[float]] = {name: [] for name in ways}
    for i in range(args.n):
        scene = draw(TEST_SEEDS + i)
        height, width = scene.depth.shape
        prepared, _ = prepare(scene.rgb, MAX_TOKENS)
        depth: Any = cv2.resize(scene.depth, prepared.size, interpolation=cv2.INTER_NEAREST)
        for name, way in ways.items():
            bins = way(depth).round().astype(np.int32)
            values = bins_to_depth(resize_bins(bins, Size(width, height)), DEPTH_SCALES["open"])
            best[name].append(depth_errors(values, scene)[0])
    for name, shares in best.items():
        print(f"{name:8} {np.mean(shares):.4f} of the pixels within 1.25 times")


if __name__ == "__main__":
    main()
