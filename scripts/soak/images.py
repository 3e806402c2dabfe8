#!/usr/bin/env python3
"""Many different images one after another: memory must stop growing, and the cache must stay within its bound.

python scripts/soak/images.py --model nano --images 300
"""

from __future__ import annotations

import argparse
import gc
import sys
from contextlib import closing
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import youtu_gguf as yg
from scripts._arguments import count
from scripts.nano.scenes import TEST_SEEDS, draw
from youtu_gguf.engines.native.engine import NativeEngine

MOST_GROWTH_MB = 30
CACHE_BYTES = 8 << 20
"""The cache is full long before the first measurement, so that filling it does not count as growth."""


def run(model: yg.Model, n: int, first: int) -> tuple[list[float], int]:
    """Ask a few questions about each of `n` images.

    Returns:
        Memory in MB after each image from number `first` on, and the largest size of the cache in bytes.
    """
    assert isinstance(model.engine, NativeEngine)
    process, memory, largest = psutil.Process(), [], 0
    for i in range(n):
        with closing(model.open(draw(TEST_SEEDS + 2_000 + i).rgb)) as scene:
            scene.depth()
            scene.segment(["sky", "grass", "circle"], present="all")
            scene.count("object")
        largest = max(largest, model.engine.cache.nbytes)
        if i + 1 >= first:
            gc.collect()
            memory.append(process.memory_info().rss / 2**20)
    return memory, largest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="nano")
    parser.add_argument("--images", type=count, default=300)
    parser.add_argument("--first", type=count, default=50, help="image from which on growth counts")
    args = parser.parse_args()
    with yg.load(args.model, max_tokens=100, cache_bytes=CACHE_BYTES) as model:
        memory, largest = run(model, args.images, args.first)
    growth = memory[-1] - memory[0]
    print(f"memory after image {args.first}: {memory[0]:.0f} MB, after image {args.images}: {memory[-1]:.0f} MB, "
          f"difference {growth:.1f} MB (at most {MOST_GROWTH_MB}), most in between {max(memory):.0f} MB")  # fmt: skip
    print(f"cache: at most {largest / 2**20:.2f} MB of {CACHE_BYTES / 2**20:.0f} MB")
    sys.exit(growth > MOST_GROWTH_MB or largest > CACHE_BYTES)


if __name__ == "__main__":
    main()
