"""The time of writing a COCO file with as many annotations as instances_val2017.json, and that of its parts.

    python scripts/bench/coco_write.py
    python scripts/bench/coco_write.py --annotations 36000 --size 640x480 --each 7

Boxes and masks are random. A mask is an ellipse with a ragged border and holes; what it has in runs is printed. The
values are made before; the file is written and flushed to the disk.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from scripts._arguments import count
from youtu_gguf.atomic import json_bytes, write_bytes
from youtu_gguf.output.coco import CocoDataset
from youtu_gguf.types import Bits, Boxes, Instances, Result, Size

_VALUES = 50  # different ones, which are added again and again: they fit into memory
_N_CLASSES = 80


def pair(text: str) -> tuple[int, int]:
    width, height = text.lower().split("x")
    return int(width), int(height)


def mask(rng: np.random.Generator, size: Size) -> Bits:
    """Return an ellipse of a random place and size, with a ragged border."""
    bits = np.zeros((size.height, size.width), np.uint8)
    centre = (int(rng.integers(size.width)), int(rng.integers(size.height)))
    axes = [int(rng.integers(5, side // 4)) for side in size]
    cv2.ellipse(bits, centre, axes, float(rng.integers(180)), 0, 360, 1, -1)
    coarse = rng.random((size.height // 16, size.width // 16)).astype(np.float32)
    return np.asarray(bits & (cv2.resize(coarse, tuple(size)) > 0.2), np.bool_)


def value(rng: np.random.Generator, size: Size, n: int, *, masks: bool) -> Result:
    """Return `n` random objects of an image."""
    corners = np.sort(rng.uniform(0, min(size), (n, 2, 2)), axis=1).reshape(n, 4).astype(np.float32)
    labels = tuple(f"class {number}" for number in rng.integers(0, _N_CLASSES, n))
    scores = rng.random(n).astype(np.float32)
    if not masks:
        return Boxes(corners, labels, scores)
    return Instances(np.stack([mask(rng, size) for _ in range(n)]), corners, labels, scores)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--annotations", type=count, default=36_000)
    parser.add_argument("--size", type=pair, default=(640, 480), metavar="WxH")
    parser.add_argument("--each", type=count, default=7, help="annotations of an image")
    args = parser.parse_args()
    size = Size(*args.size)
    print(f"{platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}")
    print(f"{'annotations':<14}{'number':>8}{'made, s':>10}{'JSON, s':>10}{'disk, s':>10}{'in all, s':>10}{'MB':>8}")
    for name, masks in (("boxes", False), ("masks", True)):
        rng = np.random.default_rng(0)
        values = [value(rng, size, args.each, masks=masks) for _ in range(_VALUES)]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "coco.json"
            start = time.perf_counter()
            data = CocoDataset()
            for i in range(args.annotations // args.each):
                data.add(f"{i:012}.jpg", size, values[i % _VALUES])
            made = time.perf_counter()
            form = json_bytes(data.to_dict())
            turned = time.perf_counter()
            write_bytes(path, form)
            written = time.perf_counter()
            n = len(json.loads(path.read_bytes())["annotations"])
        parts = (made - start, turned - made, written - turned, written - start)
        print(f"{name:<14}{n:>8}{''.join(f'{seconds:>10.2f}' for seconds in parts)}{len(form) / 1e6:>8.1f}")


if __name__ == "__main__":
    main()
