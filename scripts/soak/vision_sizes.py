#!/usr/bin/env python3
"""Images of many sizes through both vision towers and a NumPy forward pass in float32.

    python scripts/soak/vision_sizes.py --model nano --n 40

The sizes are a single token, rows and columns of tokens, images smaller than a window, just as large and a little
larger, and random ones. Each line has the least cosine of an image token: our own tower to mtmd, our own to float32,
and mtmd to float32. Exits with 1 where the first is too low, or our own tower is further from float32 than mtmd.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))  # the reference is among the tests

from scripts._arguments import count
from tests.reference.vision import encode_image
from tests.reference.weights import Weights
from youtu_gguf.config import Settings, make_settings
from youtu_gguf.engines.native.encoder_check import image, least_cosine
from youtu_gguf.engines.native.llama.devices import place_pair
from youtu_gguf.engines.native.llama.handles import LlamaModel
from youtu_gguf.engines.native.llama.vision import MtmdTower
from youtu_gguf.engines.native.vision.choice import compute_kind
from youtu_gguf.engines.native.vision.tower import WindowedTower
from youtu_gguf.gguf.pair import ModelPair, check_pair
from youtu_gguf.hub.models import find
from youtu_gguf.types import Grid, no_progress

EDGES = ((1, 1), (1, 2), (2, 1), (1, 20), (13, 1), (3, 5), (7, 7), (8, 8), (8, 9), (9, 8), (9, 9), (16, 16), (17, 15))
LEAST = 0.9999
"""Least cosine to mtmd, where mtmd itself is as near to float32."""
ROUNDING = 1e-6
"""Cosines this near to each other are equal: float32 sums in another order."""


@dataclass(frozen=True)
class Row:
    """Least cosines of one size: our own tower to mtmd, our own to float32, mtmd to float32."""

    grid: Grid
    towers: float
    ours: float
    theirs: float

    @property
    def passes(self) -> bool:
        """Whether our own tower is as near to float32 as mtmd is, and to mtmd as far as mtmd allows."""
        return self.ours >= self.theirs - ROUNDING and self.towers >= min(LEAST, self.theirs - ROUNDING)

    def __str__(self) -> str:
        mark = "" if self.passes else "  FAILED"
        return (
            f"{self.grid.rows:>4} x {self.grid.cols:<4} to mtmd {self.towers:.7f}  to float32 {self.ours:.7f}, "
            f"mtmd's {self.theirs:.7f}{mark}"
        )


def grids(n: int, seed: int, most: int) -> list[Grid]:
    """Return `n` sizes, those of `EDGES` first, then random ones of at most `most` tokens."""
    rng, found = random.Random(seed), [Grid(*edge) for edge in EDGES[:n]]
    while len(found) < n:
        rows = rng.randint(1, 40)
        found.append(Grid(rows, rng.randint(1, max(1, min(40, most // rows)))))
    return found


def compare(pair: ModelPair, settings: Settings, wanted: list[Grid]) -> Iterator[Row]:
    """Encode an image of each size with both towers and in NumPy."""
    placement = place_pair(pair, settings, 512)
    reference = Weights(pair.projector.path)
    ours = WindowedTower(pair.projector, pair.vision, placement.projector, settings.n_threads, compute_kind())
    with (
        closing(ours),
        closing(LlamaModel(pair.model.path, settings, placement, no_progress)) as model,
        closing(MtmdTower(pair.projector.path, pair.vision, model, settings)) as theirs,
    ):
        for i, grid in enumerate(wanted):
            sample = image(grid, i)
            one, other, exact = ours.encode(sample), theirs.encode(sample), encode_image(reference, sample.rgb)
            yield Row(grid, least_cosine(one, other), least_cosine(one, exact), least_cosine(other, exact))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="nano")
    parser.add_argument("--mmproj")
    parser.add_argument("--n", type=count, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--most", type=count, default=400, help="most image tokens of a random size")
    parser.add_argument("--threads", type=count)
    parser.add_argument("--device")
    args = parser.parse_args()
    settings = make_settings(threads=args.threads, device=args.device)
    failed = 0
    for row in compare(check_pair(*find(args.model, args.mmproj)), settings, grids(args.n, args.seed, args.most)):
        print(row, flush=True)
        failed += not row.passes
    if failed:
        sys.exit(f"{failed} of {args.n} sizes failed")


if __name__ == "__main__":
    main()
