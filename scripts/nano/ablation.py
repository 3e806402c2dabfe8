#!/usr/bin/env python3
"""What each step from hidden states to a label map gains: segmentation of unseen scenes, one step changed at a time.

    python scripts/nano/ablation.py --n 300 [--json]

Every line is the mean IoU over all classes, each of which is scored on every image.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import youtu_gguf as yg
from scripts._arguments import count
from scripts.nano.measures import Confusion
from scripts.nano.scenes import CLASSES, TEST_SEEDS, draw
from youtu_gguf.calibration.assumptions import Calibration
from youtu_gguf.decode.dense import class_scores, label_map
from youtu_gguf.refine import crf
from youtu_gguf.refine.labels import refined_labels
from youtu_gguf.tasks.segment import class_tokens
from youtu_gguf.types import F32, I32, U8, Size


class Seen(NamedTuple):
    """An image and its class scores on the token grid, (K, rows, cols): by whole names and by their first tokens."""

    rgb: U8
    scores: F32
    by_first: F32

    @property
    def size(self) -> Size:
        return Size(self.rgb.shape[1], self.rgb.shape[0])


def argmax_first(seen: Seen) -> I32:
    """Take the best class of every image token, then enlarge the map of classes."""
    best = seen.scores.argmax(axis=0)
    rows = np.arange(seen.size.height) * best.shape[0] // seen.size.height
    cols = np.arange(seen.size.width) * best.shape[1] // seen.size.width
    enlarged: I32 = best[rows][:, cols].astype(np.int32)
    return enlarged


def plain(scores: F32, seen: Seen, calibration: Calibration) -> I32:
    return label_map(scores, seen.size, calibration=calibration)


GRID, PIXELS = Calibration(normalise="grid"), Calibration(normalise="pixels")

WAYS: dict[str, Callable[[Seen], I32]] = {
    "mean of the name's tokens, upsampled, then argmax": lambda seen: plain(seen.scores, seen, PIXELS),
    "first token of the name only": lambda seen: plain(seen.by_first, seen, PIXELS),
    "argmax, then upsampled": argmax_first,
    "refined: guided filter": lambda seen: refined_labels(seen.scores, seen.rgb, "guided", calibration=PIXELS),
    "refined: CRF": lambda seen: refined_labels(seen.scores, seen.rgb, "crf", calibration=PIXELS),
    "probabilities upsampled": lambda seen: plain(seen.scores, seen, GRID),
    "probabilities upsampled, refined: guided filter": lambda seen: refined_labels(
        seen.scores, seen.rgb, "guided", calibration=GRID
    ),
    "probabilities upsampled, refined: CRF": lambda seen: refined_labels(
        seen.scores, seen.rgb, "crf", calibration=GRID
    ),
}


def ablate(model: yg.Model, n: int, seed: int) -> dict[str, float]:
    """Return the mean IoU of every variant that can run on this machine."""
    ways = {name: way for name, way in WAYS.items() if "CRF" not in name or crf.installed()}
    tallies = {name: Confusion() for name in ways}
    tokens = class_tokens(model.engine.vocabulary, CLASSES, leading_space=GRID.leading_space)
    for i in range(n):
        truth = draw(TEST_SEEDS + seed * 1_000_000 + i)
        with closing(model.open(truth.rgb)) as scene:
            states = scene.patches()
            by_first = class_scores(states, [ids[:1] for ids in tokens])
            seen = Seen(scene.rgb, class_scores(states, tokens), by_first)
        for name, way in ways.items():
            tallies[name].add(truth, way(seen), CLASSES)
    return {name: tally.mean() for name, tally in tallies.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="nano")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--n", type=count, default=300, help="scenes")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with yg.load(args.model) as model:
        figures = ablate(model, args.n, args.seed)
    if args.json:
        print(json.dumps({name: round(value, 4) for name, value in figures.items()}))
        return
    for name, value in figures.items():
        print(f"{name:52}{value:.3f}")
    if not crf.installed():
        print("the CRF needs the extra: pip install 'youtu-gguf[crf]'")


if __name__ == "__main__":
    main()
