#!/usr/bin/env python3
"""The memory that `youtu-gguf plan` predicts, compared with the peak resident memory of a process that uses images.

Each setting runs in a child process, which asks about images of the largest allowed size.
"""

from __future__ import annotations

import argparse
import math
import subprocess
import sys
from pathlib import Path

from _full import add_pair_option, full_pair, machine, peak_memory_gb, photograph, smaller_pair

import youtu_gguf as yg

SETTINGS = (("Q8_0", 4096, 256, 3), ("slim", 16_384, 1024, 1), ("Q4_K_M", 32_768, 2048, 1))
"""File, context, image tokens, images."""


def measure(model: Path, mmproj: Path, n_ctx: int, image_tokens: int, n_images: int) -> None:
    """Use the model in this process; print the peak resident memory in GB."""
    side = math.isqrt(image_tokens)
    rgb = photograph(side * 32, image_tokens // side * 32).copy()
    with yg.load(model, mmproj, n_ctx=n_ctx, image_max_tokens=image_tokens, max_tokens=16) as loaded:
        for i in range(n_images):
            rgb[0, 0] = i  # a new image each time
            scene = loaded.open(rgb)
            scene.patches()
            scene.ask("What is it?")
    print(peak_memory_gb())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_pair_option(parser)
    parser.add_argument("--measure", nargs=5, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        model, mmproj, *numbers = args.measure
        measure(Path(model), Path(mmproj), *map(int, numbers))
        return
    full_pair(args.folder)
    print(machine())
    print("file     context  image tokens  predicted  measured  predicted/measured")
    for name, n_ctx, image_tokens, n_images in SETTINGS:
        model, mmproj = smaller_pair(args.folder, name)
        plan = yg.weights.plan(model, mmproj, n_ctx=n_ctx, image_max_tokens=image_tokens)
        numbers = map(str, (n_ctx, image_tokens, n_images))
        command = [sys.executable, __file__, "--measure", str(model), str(mmproj), *numbers]
        measured = float(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
        predicted = plan.wanted.memory.total / 1e9
        row = f"{name:8} {n_ctx:>7,}  {image_tokens:>12,}  {predicted:6.2f} GB  {measured:5.2f} GB"
        print(f"{row}  {predicted / measured:18.3f}", flush=True)


if __name__ == "__main__":
    main()
