#!/usr/bin/env python3
"""Whether a known focal length makes depth metric: the scale error of distances with and without it.

    python scripts/nano/focal.py --n 50

In the first table, lenses of other focal lengths see the same image with all distances multiplied, which is the model's
own rule. There zoom="focal" shows nano larger or smaller images than those it knows best. In the second table, a camera
with fewer pixels has half the focal length and an image of half the size, and the distances stay the same. There
zoom="focal" shows nano a size that it was trained on. Images are drawn in whole tokens, so that preparation does not
resize them; with --any they have other sizes, which preparation enlarges by 4% on average. nano was trained to ignore
that enlargement, but the model's rule takes it into account.

The error is the median of predicted over true distances in an image, minus one; the table gives the mean over all
images.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import youtu_gguf as yg
from scripts._arguments import count
from scripts.nano.measures import depth_errors
from scripts.nano.resolution import resized
from scripts.nano.scenes import TEST_SEEDS, Scene, draw
from youtu_gguf.facts import OPEN_FOCAL_PX

FOCALS_PX = (700.0, 1000.0, 1400.0, 2000.0, 2800.0)
SIZES = ((256, 288), (288, 256), (288, 288), (320, 256), (256, 320))
WAYS: dict[str, dict[str, str]] = {
    "unknown": {"focal_px": "unknown"},
    "focal_px": {},
    'zoom="focal"': {"zoom": "focal"},
}


def errors(
    model: yg.Model, truth: Scene, ways: Iterable[dict[str, str]] = tuple(WAYS.values())
) -> list[tuple[float, float, float]]:
    """Return the scale error, the d1 and the AbsRel of each way."""
    found = []
    valid = truth.depth > 0
    with closing(model.open(truth.rgb)) as scene:
        for options in ways:
            values = scene.depth(**({"focal_px": truth.focal_px} | options)).values  # type: ignore[arg-type]
            off = float(np.median(values[valid] / truth.depth[valid])) - 1
            found.append((off, *depth_errors(values, truth)))
    return found


def table(model: yg.Model, scenes: Callable[[int, float], Scene], n: int) -> None:
    """Print a row of figures for every focal length; the scenes are given by number and focal length."""
    print(f"{'focal px':<10}" + "".join(f"{name:>28}" for name in WAYS))
    print(f"{'':<10}" + f"{'scale error     d1  AbsRel':>28}" * len(WAYS))
    for focal_px in FOCALS_PX:
        means = np.mean([errors(model, scenes(i, focal_px)) for i in range(n)], axis=0)
        print(f"{focal_px:<10.0f}" + "".join(f"{off:>+14.1%}{d1:>7.3f}{absrel:>7.3f}" for off, d1, absrel in means))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=count, default=50, help="scenes for every focal length")
    parser.add_argument("--any", action="store_true", help="sizes that are not whole tokens")
    args = parser.parse_args()

    def size(i: int) -> tuple[int, int] | None:
        return None if args.any else SIZES[i % len(SIZES)]

    with yg.load("nano", threads=1) as model:
        print(f"{args.n} scenes each; the same images, distances multiplied by the focal length over 2,000")
        table(model, lambda i, focal_px: draw(TEST_SEEDS + i, size(i), focal_px), args.n)
        print("images resized by the focal length over 2,000, distances unchanged")
        table(model, lambda i, focal_px: resized(draw(TEST_SEEDS + i, size(i)), focal_px / OPEN_FOCAL_PX), args.n)


if __name__ == "__main__":
    main()
