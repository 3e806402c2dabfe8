#!/usr/bin/env python3
"""How long the data sets of a batch take to be made of its parts, and how much memory that takes.

    python scripts/bench/datasets.py --images 5000 --objects 7

Makes up the lines and parts of a batch, each image with as many masks of 640x480, and writes each data set of them in a
process of its own. Prints seconds, bytes, and the peak of the process's memory; that of one that writes nothing is
the memory of the lines.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import youtu_gguf as yg
from scripts._arguments import count
from youtu_gguf.atomic import json_bytes
from youtu_gguf.batch import FILES, Asked, Finished, write_datasets
from youtu_gguf.batch.image import PARTS
from youtu_gguf.output import Source
from youtu_gguf.output.datasets import DATASETS
from youtu_gguf.types import Size

WIDTH, HEIGHT = 640, 480
DIFFERENT = 50  # values, which images share
ASKED = (Asked("instances", yg.Question("instances")),)


def instances(n: int, rng: np.random.Generator) -> yg.Instances:
    """Return `n` ellipses."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    masks = []
    for _ in range(n):
        x, y, a, b = rng.uniform(size=4) * (WIDTH, HEIGHT, 80, 60) + (0, 0, 8, 8)
        masks.append(((columns - x) / a) ** 2 + ((rows - y) / b) ** 2 < 1)
    boxes = np.tile(np.array([0, 0, 1, 1], np.float32), (n, 1))
    names = tuple(f"kind {i % 20}" for i in range(n))
    return yg.Instances(masks=np.array(masks), xyxy=boxes, labels=names)


def make(folder: Path, n_images: int, n_objects: int) -> None:
    """Write the lines and the parts of a batch."""
    rng = np.random.default_rng(0)
    source = Source(size=Size(WIDTH, HEIGHT))
    parts = [
        b"".join(json_bytes(dataset.part(value, source)) for dataset in DATASETS.values())
        for value in (instances(n_objects, rng) for _ in range(DIFFERENT))
    ]
    with (folder / "lines.json").open("w") as file:
        for n in range(n_images):
            part = f"{FILES}/{n}/1-instances{PARTS}"
            (folder / part).parent.mkdir(parents=True)
            (folder / part).write_bytes(parts[n % DIFFERENT])
            results = [{"task": "instances", "parts": {"file": part, "formats": list(DATASETS)}}]
            line = {"image": f"photos/{n:06}.jpg", "sha256": "0" * 64, "size": [WIDTH, HEIGHT], "results": results}
            file.write(json.dumps(line) + "\n")


def write(folder: Path, name: str) -> None:
    """Write one data set, and print what that took."""
    with (folder / "lines.json").open() as file:
        lines = {line["image"]: line for line in map(json.loads, file)}
    started = time.perf_counter()
    paths = [written.path for written in write_datasets(Finished.of(folder, ASKED, lines), [name])]
    seconds = time.perf_counter() - started
    files = [file for path in paths for file in (path, *path.rglob("*")) if file.is_file()]
    megabytes = sum(file.stat().st_size for file in files) / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{name:9} {seconds:6.1f} s  {megabytes:7.1f} MB  peak {peak:5.0f} MB", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=count, default=5000)
    parser.add_argument("--objects", type=count, default=7)
    parser.add_argument("--write", nargs=2, metavar=("FOLDER", "FORMAT"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.write:
        write(Path(args.write[0]), args.write[1])
        return
    print(f"{args.images} images, {args.objects} masks each; {platform.machine()}, Python {platform.python_version()}")
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder), args.images, args.objects)
        for name in ("npz", *DATASETS):
            subprocess.run([sys.executable, __file__, "--write", folder, name], check=True)


if __name__ == "__main__":
    main()
