#!/usr/bin/env python3
"""Whether maps are the same as another version of this package computes them, to the last pixel.

    python scripts/bench/maps_compare.py --write /tmp/maps           # with the version to compare with on PYTHONPATH
    python scripts/bench/maps_compare.py --against /tmp/maps         # with this one

Scores are smooth and random, sizes even, odd, of crops and smaller than the grid; it prints the share of pixels with
the same label, by how much margins and scores differ at most, and by how much depth does, relatively. Where a label
differs, the two classes were equal up to rounding: that is shown too, as the largest difference of their values.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from youtu_gguf.calibration.assumptions import DEFAULT, OWN_MODELS, Calibration
from youtu_gguf.decode.dense import class_scores, foreground, label_map, label_margin
from youtu_gguf.decode.depth import depth_map
from youtu_gguf.engines.base import PatchStates
from youtu_gguf.refine.labels import refined_labels
from youtu_gguf.types import F32, U8, Size

CALIBRATIONS = {
    "grid": DEFAULT,
    "pixels": OWN_MODELS["Youtu-VL-nano"],
    "corners": Calibration(align_corners=True, bin_base=0),
}
SHAPES = (
    ((15, 20), Size(640, 480)),
    ((30, 40), Size(1277, 955)),
    ((12, 9), Size(211, 307)),
    ((7, 23), Size(701, 240)),
    ((1, 5), Size(160, 33)),
    ((6, 8), Size(5, 4)),
)
N_CLASSES = (2, 20, 150)
KINDS = {"smooth": 2.0, "peaked": 3.0, "noise": 0.0}
"""Kinds of scores, and the sigma of their blur in tokens."""


class Rows:
    """A head of random rows."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.table = rng.normal(scale=0.1, size=(500, 64)).astype(np.float32)

    def rows(self, ids: Any) -> F32:
        return self.table[list(ids)]


def scores_of(rng: np.random.Generator, n: int, grid: tuple[int, int], kind: str) -> F32:
    noise = rng.normal(size=(n, *grid)).astype(np.float32)
    if KINDS[kind]:
        noise = np.stack([cv2.GaussianBlur(layer, (0, 0), KINDS[kind]) for layer in noise])
        noise *= (8 if kind == "peaked" else 1) / noise.std()
    return noise


def picture(rng: np.random.Generator, size: Size) -> U8:
    noise = rng.normal(size=(size.height, size.width, 3))
    smooth = np.asarray(cv2.GaussianBlur(noise, (0, 0), 5))
    return np.asarray(np.clip(128 + smooth * (50 / smooth.std()) + 5 * noise, 0, 255), np.uint8)


def maps() -> Iterator[tuple[str, Any]]:
    """Yield the name of each map, which begins with what it is, and the map."""
    rng = np.random.default_rng(0)
    head = Rows(rng)
    states = PatchStates(rng.normal(size=(15, 20, 64)).astype(np.float32), head)
    yield "scores", class_scores(states, [rng.integers(0, 500, 3).tolist() for _ in range(20)])
    for grid, size in SHAPES:
        rgb = picture(rng, size)
        for kind in KINDS:
            for named, calibration in CALIBRATIONS.items():
                title = f"{size.width}x{size.height} {kind} {named}"
                logits = np.ascontiguousarray(np.moveaxis(scores_of(rng, 1000, grid, kind), 0, -1))
                if kind != "noise":  # neighbouring bins are alike
                    logits = np.asarray(cv2.blur(logits.reshape(-1, 1000), (60, 1)), np.float32).reshape(logits.shape)
                for scale in ("open", "nyuv2"):
                    yield f"depth {scale} {title}", depth_map(logits, size, scale, calibration=calibration)
                for n in N_CLASSES:
                    scores = scores_of(rng, n, grid, kind)
                    for background in (False, True):
                        options: dict[str, Any] = {"background": background, "calibration": calibration}
                        what = f"{n} {'background ' if background else ''}{title}"
                        yield f"label {what}", label_map(scores, size, **options)
                        yield f"margin {what}", label_margin(scores, size, **options)
                    yield f"guided {n} {title}", refined_labels(scores, rgb, "guided", calibration=calibration)
                yield f"foreground {title}", foreground(scores[:2], size, calibration=calibration)[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--write", type=Path, metavar="FOLDER")
    where.add_argument("--against", type=Path, metavar="FOLDER")
    args = parser.parse_args()
    if args.write:
        args.write.mkdir(parents=True)
        for number, (_, found) in enumerate(maps()):
            np.save(args.write / f"{number}.npy", found.astype(np.uint8) if found.dtype == np.int32 else found)
        return
    worst: dict[str, list[tuple[float, str]]] = {}
    pixels: dict[str, list[int]] = {}
    for number, (name, found) in enumerate(maps()):
        other = np.load(args.against / f"{number}.npy")
        kind = " ".join(name.split()[:1])
        if found.dtype in (np.int32, np.bool_):
            same = found.astype(np.uint8) == other
            total = pixels.setdefault(kind, [0, 0])
            total[0] += int(same.sum())
            total[1] += same.size
            worst.setdefault(kind, []).append((float(1 - same.mean()), name))
        else:
            difference = np.abs(found - other)
            if kind == "depth":
                difference = difference / np.maximum(np.abs(other), 1e-3)
                difference = np.where((found > 0) == (other > 0), difference, 1)
            worst.setdefault(kind, []).append((float(difference.max()), name))
            if kind == "depth":
                total = pixels.setdefault("depth to 1e-5", [0, 0])
                total[0] += int((difference < 1e-5).sum())
                total[1] += difference.size
    for kind, cases in worst.items():
        print(
            f"{kind}: {len(cases)} maps, worst "
            + ", ".join(f"{value:.2g} ({name})" for value, name in sorted(cases)[-3:])
        )
    for kind, (same, n) in pixels.items():
        print(f"{kind}: {same:,} of {n:,} pixels the same, {100 * same / n:.5f} %")


if __name__ == "__main__":
    main()
