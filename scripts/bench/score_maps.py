#!/usr/bin/env python3
"""How many label maps are scored in a second, on one core: reading, comparing, and all of it.

    python scripts/bench/score_maps.py [--n 300] [--json]

Seconds are those of the processor, so that other work on the machine counts little. Maps have a megapixel, 40 regions
of 150 classes with irregular borders, and are written as ADE20K's are (grey, filtered rows) and as this package writes
answers (grey, unfiltered).
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from _full import machine

from scripts._arguments import count
from youtu_gguf.evaluate import Prediction, Sample
from youtu_gguf.evaluate.data.class_lists import ADE20K
from youtu_gguf.evaluate.data.label_maps import ADE20K_NUMBERS
from youtu_gguf.evaluate.data.numbering import TrueLabels
from youtu_gguf.evaluate.data.pixels import read_levels
from youtu_gguf.evaluate.kinds.labels import LabelMeasure, count_pairs
from youtu_gguf.output.png import grey_png
from youtu_gguf.types import U8

SIDE, N_REGIONS, N_FILES = 1000, 40, 20
GOAL = 100.0
"""Maps a second on one core."""


def regions(rng: np.random.Generator) -> U8:
    """Return (SIDE, SIDE) levels 1 to 150: each pixel has that of the nearest of some points, seen through ripples."""
    rows, cols = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    ripples = [cv2.resize(rng.normal(0, 6, (SIDE // 8,) * 2).astype(np.float32), (SIDE, SIDE)) for _ in range(2)]
    points = rng.random((N_REGIONS, 2)) * SIDE
    distances = [(rows + ripples[0] - y) ** 2 + (cols + ripples[1] - x) ** 2 for y, x in points]
    levels: U8 = rng.integers(1, len(ADE20K) + 1, N_REGIONS).astype(np.uint8)[np.argmin(distances, axis=0)]
    return levels


def write(folder: Path) -> list[tuple[Sample, Prediction]]:
    """Write maps, and answers that are the truth moved by 3 px."""
    rng, pairs = np.random.default_rng(0), []
    for number in range(N_FILES):
        true, said = folder / f"{number}-true.png", folder / f"{number}-said.png"
        levels = regions(rng)
        Image.fromarray(levels).save(true)
        said.write_bytes(grey_png(np.roll(levels, 3, axis=1) - np.uint8(1)))
        pairs.append(
            (Sample(str(number), Path(f"{number}.jpg"), truth=TrueLabels(true, ADE20K_NUMBERS)), Prediction({}, said))
        )
    return pairs


def per_second(n: int, run: Callable[[int], Any]) -> float:
    run(0)
    started = time.process_time()
    for number in range(n):
        run(number % N_FILES)
    return n / (time.process_time() - started)


def measured(n: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        pairs = write(Path(folder))
        trues = [sample.truth.file for sample, _ in pairs]
        saids = [Path(said.png) for _, said in pairs if isinstance(said.png, Path)]
        maps = [(read_levels(true), read_levels(said)) for true, said in zip(trues, saids, strict=True)]
        measure = LabelMeasure(ADE20K)
        found = {
            "truth read": per_second(n, lambda i: read_levels(trues[i])),
            "answer read": per_second(n, lambda i: read_levels(saids[i])),
            "compared": per_second(n, lambda i: count_pairs(*maps[i])),  # type: ignore[arg-type]
            "scored": per_second(n, lambda i: measure.add(*pairs[i])),
        }
        found["figures made"] = per_second(1000, lambda _: measure.figures(np.ones(measure.n_images)))
        return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=count, default=300, help="how often each step is timed")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    found = measured(args.n)
    if args.json:
        print(json.dumps({"machine": machine(), "per_second": found, "goal": GOAL}))
        return
    print(f"{shlex.join(sys.argv)}, {machine()}")
    for step, rate in found.items():
        print(f"  {step:12} {rate:8.1f} /s")
    print(f"goal: {GOAL:g} scored a second on one core: {'met' if found['scored'] >= GOAL else 'missed'}")


if __name__ == "__main__":
    main()
