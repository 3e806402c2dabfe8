#!/usr/bin/env python3
"""The native engine against the NumPy reference on many grids and seeds; prints the worst agreement of each kind."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from scripts._arguments import count
from tests.reference.compare import Agreement, compare, picture
from tests.reference.weights import Weights
from youtu_gguf.config import make_settings
from youtu_gguf.engines.native.engine import NativeEngine
from youtu_gguf.gguf.pair import check_pair
from youtu_gguf.weights.synthetic.pair import write_synthetic_pair

FIXED = [(3, 5), (8, 8), (10, 19), (1, 11), (13, 1), (16, 16), (1, 1)]


def run(n_grids: int, seeds: range, folder: Path, *, verbose: bool = False) -> Agreement:
    """Compare on `n_grids` grids per seed; return the worst agreements."""
    worst = Agreement(1.0, 1.0, 0.0)
    for seed in seeds:
        pair = write_synthetic_pair(folder, "tiny", seed=seed, quant="F32", tied=seed % 2 == 0)
        weights = [Weights(path) for path in pair]
        engine = NativeEngine(check_pair(*pair), make_settings(n_ctx=2048))
        rng = random.Random(seed)
        grids = [*FIXED, *((rng.randint(1, 20), rng.randint(1, 20)) for _ in range(n_grids))][:n_grids]
        for grid in grids:
            found = compare(engine, weights[0], weights[1], picture(*grid), "What is in the picture?")
            if verbose:
                tied = "tied" if seed % 2 == 0 else "untied"
                print(f"seed {seed} {tied:6} {grid[0]:2}x{grid[1]:<2} {found.embeddings:.8f} {found.hidden:.8f} "
                      f"{found.logits:.5f}")  # fmt: skip
            least = (min(worst.embeddings, found.embeddings), min(worst.hidden, found.hidden))
            worst = Agreement(*least, max(worst.logits, found.logits))
        engine.close()
    return worst


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--grids", type=count, default=20, help="grids per seed")
    parser.add_argument("--seeds", type=count, default=4)
    args = parser.parse_args()
    print("seed  head   grid  projector  states     logits")
    with tempfile.TemporaryDirectory() as folder:
        worst = run(args.grids, range(args.seeds), Path(folder), verbose=True)
    print(f"worst: projector cosine {worst.embeddings:.8f}, hidden-state cosine {worst.hidden:.8f}, "
          f"last-token logits off by {worst.logits:.5f} of their range")  # fmt: skip
    sys.exit(worst.embeddings < 0.99999 or worst.hidden < 0.99999 or worst.logits > 0.01)


if __name__ == "__main__":
    main()
