"""The time and the peak memory of computing a label map from class scores on the token grid.

    python scripts/bench/label_map.py
    python scripts/bench/label_map.py --classes 20 150 --size 1280x960 --grid 30x40 --repeats 9

Scores are seeded noise: every class wins somewhere, which is the most expensive case.
"""

import argparse
import resource
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from scripts._arguments import count
from youtu_gguf.decode.dense import label_map, label_margin
from youtu_gguf.types import Size


def pair(text: str) -> tuple[int, int]:
    first, second = text.lower().split("x")
    return int(first), int(second)


def median_ms(work: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Return the median and the best of `repeats` runs, after a first run that does not count."""
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times), min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--classes", type=count, nargs="+", default=[2, 20, 150])
    parser.add_argument("--size", type=pair, default=(1280, 960), metavar="WxH")
    parser.add_argument("--grid", type=pair, default=(30, 40), metavar="ROWSxCOLS")
    parser.add_argument("--repeats", type=count, default=9)
    parser.add_argument("--margin", action="store_true", help="time label_margin too")
    args = parser.parse_args()
    size = Size(*args.size)
    rng = np.random.default_rng(0)
    print(f"grid {args.grid[0]}x{args.grid[1]} -> {size.width}x{size.height}, median of {args.repeats}")
    print(f"{'step':<24}{'classes':>8}{'median ms':>12}{'best ms':>10}{'peak MB':>10}")
    for n_classes in args.classes:
        scores = rng.normal(size=(n_classes, *args.grid)).astype(np.float32)
        steps: dict[str, Callable[[], object]] = {
            "label_map": partial(label_map, scores, size),
            "label_map, background": partial(label_map, scores, size, background=True),
        }
        if args.margin:
            steps["label_margin"] = partial(label_margin, scores, size)
        for name, work in steps.items():
            median, best = median_ms(work, args.repeats)
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(f"{name:<24}{n_classes:>8}{median:>12.1f}{best:>10.1f}{peak:>10.0f}")


if __name__ == "__main__":
    main()
