"""What refinement gains on drawn scenes of known labels, and what it costs.

    python scripts/bench/refinement.py             # gain, by radius and epsilon of the guided filter
    python scripts/bench/refinement.py --cost      # seconds and peak memory

Scores are the share of each class in a token's cell, from -1 to 1, with noise: what a model gives that sees well but
coarsely. Scenes are circles and rectangles on two halves, textured and noisy.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable

import cv2
import numpy as np

from youtu_gguf.decode.calibration import DEFAULT
from youtu_gguf.decode.dense import label_map
from youtu_gguf.decode.probabilities import ProbabilityMaps
from youtu_gguf.refine import crf
from youtu_gguf.refine.guided import EPSILON
from youtu_gguf.tasks import refining
from youtu_gguf.types import F32, I32, U8, Size

N_CLASSES = 7
CELL = 32
SIZE = Size(640, 480)


def draw(rng: np.random.Generator) -> tuple[U8, I32]:
    labels = np.zeros((SIZE.height, SIZE.width), np.int32)
    labels[SIZE.height // 2 :] = 1
    for i in range(8):
        x, y, r = int(rng.integers(SIZE.width)), int(rng.integers(SIZE.height)), int(rng.integers(20, 110))
        if rng.random() < 0.5:
            cv2.circle(labels, (x, y), r, i % 5 + 2, -1)
        else:
            cv2.rectangle(labels, (x - r, y - r // 2), (x + r, y + r // 2), i % 5 + 2, -1)
    noise = rng.normal(0, 1, (*labels.shape, 3))
    texture = cv2.GaussianBlur(noise.astype(np.float32), (0, 0), 3)
    picture = rng.integers(0, 256, (N_CLASSES, 3))[labels] + texture * (8 / texture.std()) + 6 * noise
    return np.clip(picture, 0, 255).astype(np.uint8), labels


def coarse_scores(labels: I32, rng: np.random.Generator, noise: float) -> F32:
    cells = labels.reshape(SIZE.height // CELL, CELL, SIZE.width // CELL, CELL)
    shares = np.stack([(cells == i).mean(axis=(1, 3)) for i in range(N_CLASSES)])
    return (2 * shares - 1 + rng.normal(0, noise, shares.shape)).astype(np.float32)


def mean_iou(found: I32, truth: I32) -> float:
    pairs = [(found == i, truth == i) for i in np.unique(truth)]
    return float(np.mean([(a & b).sum() / (a | b).sum() for a, b in pairs]))


def gains(n_scenes: int, noise: float) -> None:
    rng = np.random.default_rng(0)
    scenes = [(*scene, coarse_scores(scene[1], rng, noise)) for scene in (draw(rng) for _ in range(n_scenes))]

    def report(name: str, label: Callable[[F32, U8], I32]) -> None:
        figure = np.mean([mean_iou(label(scores, rgb), labels) for rgb, labels, scores in scenes])
        print(f"{name:<44}{figure:.3f}")

    print(f"{n_scenes} scenes of {SIZE.width}x{SIZE.height}, scores with noise {noise}: mean IoU")
    report("bilinear, no refinement", lambda scores, _: label_map(scores, SIZE))
    for radius in (0.25, 0.5, refining.GUIDED_RADIUS, 1.0, 1.5):
        for epsilon in (1e-4, EPSILON, 1e-2):

            def guided(scores: F32, rgb: U8, radius: float = radius, epsilon: float = epsilon) -> I32:
                maps = ProbabilityMaps(scores, SIZE)
                return refining.labels_by_guided_filter(maps, rgb, round(radius * CELL), epsilon)

            report(f"guided, radius {radius} tokens, epsilon {epsilon:g}", guided)
    if crf.installed():
        report("crf", lambda scores, rgb: refining.refined_labels(scores, rgb, "crf", calibration=DEFAULT))


def cost(method: refining.Method) -> None:
    rng = np.random.default_rng(0)
    for n_classes, (width, height) in ((20, (640, 480)), (150, (1280, 960)), (20, (4000, 3000))):
        noise = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        rgb = np.asarray(cv2.GaussianBlur(noise, (0, 0), 3), np.uint8)
        scores = rng.normal(size=(n_classes, 30, 40)).astype(np.float32)
        started = time.perf_counter()
        refining.refined_labels(scores, rgb, method, calibration=DEFAULT)
        seconds = time.perf_counter() - started
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{method}, {n_classes} classes, {width}x{height}: {seconds:.2f} s, peak of the process {peak:.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, default=10)
    parser.add_argument("--noise", type=float, nargs="+", default=[0.1, 0.4])
    parser.add_argument("--cost", choices=["guided", "crf"], nargs="?", const="guided")
    args = parser.parse_args()
    if args.cost:
        cost(args.cost)
    else:
        for noise in args.noise:
            gains(args.scenes, noise)


if __name__ == "__main__":
    main()
