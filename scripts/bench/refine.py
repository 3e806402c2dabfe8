"""What refinement gains and costs: none, the guided filter, and the CRF if it is installed, side by side.

    python scripts/bench/refine.py --n 100         # nano on unseen drawn scenes: gain, seconds per map
    python scripts/bench/refine.py --noise         # scores of noise, in which every class occurs: seconds per map
    python scripts/bench/refine.py --settings      # gain by radius and epsilon of the guided filter
    python scripts/bench/refine.py --memory guided # peak memory of one method on scores of noise

The methods alternate in one process; seconds are medians, from scores on the grid to labels. Maps of 640x480 and
1280x960 consist of several scenes side by side, each of them scored separately at a size that nano was trained on.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import youtu_gguf as yg
from scripts._arguments import count
from scripts.nano.measures import Confusion
from scripts.nano.scenes import CLASSES, TEST_SEEDS
from scripts.nano.scenes import draw as draw_scene
from youtu_gguf.calibration.assumptions import OWN_MODELS
from youtu_gguf.decode.dense import class_scores, label_map
from youtu_gguf.refine import crf
from youtu_gguf.refine import labels as refining
from youtu_gguf.refine.guided import EPSILON
from youtu_gguf.tasks.segment import class_tokens
from youtu_gguf.types import F32, I32, U8, Size

NANO = OWN_MODELS["Youtu-VL-nano"]
CELL = 32
SIZES = (Size(640, 480), Size(1280, 960))
ROW_PX = {480: (256, 224), 960: (256, 256, 224, 224)}
"""Heights of the scenes that make up a map, in whole tokens; all scenes are 320 px wide."""
MOSAIC_SEEDS = TEST_SEEDS + 5_000_000
N_SHAPES = 7


class Map(NamedTuple):
    """An image and the scores of the classes on its grid, (K, rows, cols)."""

    rgb: U8
    scores: F32


def methods() -> tuple[str, ...]:
    return ("none", "guided", *(("crf",) if crf.installed() else ()))


def labels(method: str, given: Map) -> I32:
    if method == "none":
        return label_map(given.scores, Size(given.rgb.shape[1], given.rgb.shape[0]), calibration=NANO)
    return refining.refined_labels(given.scores, given.rgb, method, calibration=NANO)  # type: ignore[arg-type]


def seconds(given: Map, rounds: int) -> dict[str, float]:
    taken: dict[str, list[float]] = {method: [] for method in methods()}
    for _ in range(rounds):
        for method, times in taken.items():
            started = time.perf_counter()
            labels(method, given)
            times.append(time.perf_counter() - started)
    return {method: statistics.median(times) for method, times in taken.items()}


def print_seconds(name: str, taken: dict[str, float]) -> None:
    ratio = f"   crf / guided {taken['crf'] / taken['guided']:.1f}" if "crf" in taken else ""
    print(f"{name:<32}" + "  ".join(f"{method} {value:.3f} s" for method, value in taken.items()) + ratio)


def mosaic(model: yg.Model, size: Size) -> Map:
    """Return scenes side by side."""
    tokens = class_tokens(model.engine.vocabulary, CLASSES, model.calibration.leading_space)
    seed, rows, scores = MOSAIC_SEEDS, [], []
    for height in ROW_PX[size.height]:
        drawn = [draw_scene(seed + i, (320, height)).rgb for i in range(size.width // 320)]
        seed += len(drawn)
        rows.append(np.hstack(drawn))
        seen = []
        for rgb in drawn:
            with closing(model.open(rgb)) as scene:
                seen.append(class_scores(scene.patches(), tokens))
        scores.append(np.concatenate(seen, axis=2))
    return Map(np.vstack(rows), np.concatenate(scores, axis=1))


def on_nano(n: int, rounds: int) -> None:
    tallies = {method: Confusion() for method in methods()}
    with yg.load("nano", threads=1) as model:
        for seed in range(TEST_SEEDS, TEST_SEEDS + n):
            truth = draw_scene(seed)
            with closing(model.open(truth.rgb)) as scene:
                for method, tally in tallies.items():
                    found = scene.segment(CLASSES, present="all", refine=method)  # type: ignore[arg-type]
                    tally.add(truth, found.ids, found.classes)
        maps = [(size, mosaic(model, size)) for size in SIZES]
    print(f"mIoU over {n} scenes: " + "  ".join(f"{method} {tally.mean():.4f}" for method, tally in tallies.items()))
    for size, given in maps:
        print_seconds(f"{len(CLASSES)} classes, {size.width}x{size.height}", seconds(given, rounds))


def noise_map(n_classes: int, size: Size) -> Map:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (size.height, size.width, 3), dtype=np.uint8)
    rgb = np.asarray(cv2.GaussianBlur(noise, (0, 0), 3), np.uint8)
    grid = size.height // CELL, size.width // CELL
    return Map(rgb, rng.normal(size=(n_classes, *grid)).astype(np.float32))


def on_noise(rounds: int) -> None:
    for n_classes, size in zip((20, 150), SIZES, strict=True):
        taken = seconds(noise_map(n_classes, size), rounds)
        print_seconds(f"{n_classes} classes, {size.width}x{size.height}, noise", taken)


def memory(method: str) -> None:
    for n_classes, size in ((20, SIZES[0]), (150, SIZES[1]), (20, Size(4000, 3000))):
        labels(method, noise_map(n_classes, size))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{method}, {n_classes} classes, {size.width}x{size.height}: peak of the process {peak:.0f} MB")


def draw_shapes(rng: np.random.Generator) -> tuple[U8, I32]:
    """Return circles and rectangles on two halves, textured and noisy, and their labels."""
    width, height = SIZES[0]
    truth = np.zeros((height, width), np.int32)
    truth[height // 2 :] = 1
    for i in range(8):
        x, y, r = int(rng.integers(width)), int(rng.integers(height)), int(rng.integers(20, 110))
        if rng.random() < 0.5:
            cv2.circle(truth, (x, y), r, i % 5 + 2, -1)
        else:
            cv2.rectangle(truth, (x - r, y - r // 2), (x + r, y + r // 2), i % 5 + 2, -1)
    noise = rng.normal(0, 1, (*truth.shape, 3))
    texture = cv2.GaussianBlur(noise.astype(np.float32), (0, 0), 3)
    image = rng.integers(0, 256, (N_SHAPES, 3))[truth] + texture * (8 / texture.std()) + 6 * noise
    return np.clip(image, 0, 255).astype(np.uint8), truth


def coarse_scores(truth: I32, rng: np.random.Generator, noise: float) -> F32:
    """Return the share of each class in the cell of each token, -1 to 1, with noise: a good model of low resolution."""
    cells = truth.reshape(truth.shape[0] // CELL, CELL, truth.shape[1] // CELL, CELL)
    shares = np.stack([(cells == i).mean(axis=(1, 3)) for i in range(N_SHAPES)])
    return (2 * shares - 1 + rng.normal(0, noise, shares.shape)).astype(np.float32)


def mean_iou(found: I32, truth: I32) -> float:
    pairs = [(found == i, truth == i) for i in np.unique(truth)]
    return float(np.mean([(a & b).sum() / (a | b).sum() for a, b in pairs]))


def settings(n_scenes: int, noises: Iterable[float]) -> None:
    for noise in noises:
        rng = np.random.default_rng(0)
        maps = [
            (Map(rgb, coarse_scores(truth, rng, noise)), truth)
            for rgb, truth in (draw_shapes(rng) for _ in range(n_scenes))
        ]

        def report(name: str, label: Callable[[Map], I32], maps: list[tuple[Map, I32]] = maps) -> None:
            print(f"{name:<44}{np.mean([mean_iou(label(given), truth) for given, truth in maps]):.3f}")

        print(f"{n_scenes} images of 640x480 with {N_SHAPES} classes, scores with noise {noise}: mean IoU")
        report("none", lambda given: labels("none", given))
        for radius in (0.25, 0.5, refining.GUIDED_RADIUS, 1.0, 1.5):
            for epsilon in (1e-4, EPSILON, 1e-2):

                def guided(given: Map, radius: float = radius, epsilon: float = epsilon) -> I32:
                    return refining.labels_by_guided_filter(
                        given.scores, given.rgb, round(radius * CELL), epsilon, calibration=NANO
                    )

                report(f"guided, radius {radius} tokens, epsilon {epsilon:g}", guided)
        if crf.installed():
            report("crf", lambda given: labels("crf", given))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=count, default=100, help="scenes")
    parser.add_argument("--rounds", type=count, default=5, help="runs of each method, for the seconds")
    parser.add_argument("--noise", action="store_true")
    parser.add_argument("--settings", action="store_true")
    parser.add_argument("--memory", choices=["none", "guided", "crf"])
    args = parser.parse_args()
    if args.memory:
        memory(args.memory)
    elif args.settings:
        settings(10, (0.1, 0.4))
    elif args.noise:
        on_noise(args.rounds)
    else:
        on_nano(args.n, args.rounds)


if __name__ == "__main__":
    main()
