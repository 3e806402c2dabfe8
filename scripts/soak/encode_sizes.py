#!/usr/bin/env python3
"""Images of several sizes, in random order and in runs: each must be encoded as it was the first time.

    python scripts/soak/encode_sizes.py --model nano --n 300

Half of the images come in random order, half in runs of one size. Prints the largest relative difference (the norm of
the difference between two encodings, divided by that of the first) for each size, and exits with 1 if one is too large.
On a CUDA device, --cuda-graphs tells whether the guard described in youtu_gguf/environment.py is still needed.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import youtu_gguf as yg
from scripts._arguments import count
from youtu_gguf.engines.native.encoder_check import MAX_DIFFERENCE, image, relative_difference
from youtu_gguf.engines.native.engine import NativeEngine
from youtu_gguf.facts import TOKEN_PX
from youtu_gguf.types import F32, Grid

SIZES = ("640x480", "1280x960", "288x288", "320x256", "960x640", "512x512")
IMAGES = 3
"""Different images of each size."""
LONGEST_RUN = 5


def grid_of(size: str) -> Grid:
    """Return rows and columns of image tokens of a size such as 640x480."""
    width, height = map(int, size.split("x"))
    if width % TOKEN_PX or height % TOKEN_PX:
        raise SystemExit(f"both sides must be multiples of {TOKEN_PX}; got {size}.")
    return Grid(height // TOKEN_PX, width // TOKEN_PX)


def order(grids: Sequence[Grid], n: int, rng: random.Random) -> Iterator[tuple[Grid, int]]:
    """Yield `n` images, each by its grid and number: half in random order, half in runs of one size."""
    for _ in range(n // 2):
        yield rng.choice(grids), rng.randrange(IMAGES)
    left = n - n // 2
    while left:
        grid, length = rng.choice(grids), min(left, rng.randint(2, LONGEST_RUN))
        for _ in range(length):
            yield grid, rng.randrange(IMAGES)
        left -= length


def run(model: yg.Model, sizes: Sequence[str], n: int, seed: int) -> dict[str, float]:
    """Encode `n` images; return the largest relative difference of each size from the first encoding of an image."""
    assert isinstance(model.engine, NativeEngine)
    names = {grid_of(size): size for size in sizes}
    first: dict[tuple[Grid, int], F32] = {}
    worst = dict.fromkeys(sizes, 0.0)
    for grid, number in order([*names], n, random.Random(seed)):
        found = model.engine.vision.encode(image(grid, number))
        difference = relative_difference(first.setdefault((grid, number), found), found)
        worst[names[grid]] = max(worst[names[grid]], math.inf if math.isnan(difference) else difference)
    return worst


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="nano")
    parser.add_argument("--mmproj")
    parser.add_argument("--n", type=count, default=300, help="images in all")
    parser.add_argument("--sizes", nargs="+", default=SIZES, help="such as 640x480")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device")
    parser.add_argument("--threads", type=count)
    parser.add_argument("--cuda-graphs", action="store_true")
    args = parser.parse_args()
    chosen = {"device": args.device, "threads": args.threads, "cuda_graphs": args.cuda_graphs}
    with yg.load(args.model, args.mmproj, **chosen) as model:
        print(model)
        started = time.perf_counter()
        worst = run(model, args.sizes, args.n, args.seed)
    for size, difference in worst.items():
        print(f"{size:>10}  largest relative difference {difference:.2g}")
    print(f"{args.n} images in {time.perf_counter() - started:.0f} s; at most {MAX_DIFFERENCE} is allowed")
    if max(worst.values()) > MAX_DIFFERENCE:
        sys.exit(1)


if __name__ == "__main__":
    main()
