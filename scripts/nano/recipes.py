#!/usr/bin/env python3
"""What recipes of several steps gain and cost: each compared with its simple form, through the public API only.

    python scripts/nano/recipes.py --n 300 [--only refer zoom auto small instances]

The scenes are those of `evaluate.py`. Seconds are processor time, so that other work of the machine does not matter: of
opening the image and asking, on one thread, with empty caches.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import youtu_gguf as yg
from scripts._arguments import count
from scripts.nano import measures
from scripts.nano.questions import CORE_CROP_PX, phrases
from scripts.nano.scenes import TEST_SEEDS, THINGS, Scene, draw
from youtu_gguf.decode.polygons import fill_outlines
from youtu_gguf.engines.native.engine import NativeEngine
from youtu_gguf.images.zoom import Zoom
from youtu_gguf.types import Find

CROP_SIZES = (160, 224, 320)
DEFAULT_CROP_SCENES = 2
"""Number of scenes for the default crop size, 1280 px, which takes a hundred times as long as 224."""
AUTO_SCENES = 25
"""Number of scenes for zoom "auto", which enlarges an image of 300 px to 1200."""
PHRASES_PER_SCENE = 2
GROUPS = ("refer", "zoom", "auto", "small", "instances")

R = TypeVar("R")


@dataclass
class Row:
    """One way of asking: its accuracy, or the boxes and masks from which to compute it, and its seconds."""

    values: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    boxes: measures.Detections | None = None
    masks: measures.Detections | None = None

    def timed(self, model: yg.Model, truth: Scene, ask: Callable[[yg.Scene], R]) -> R:
        """Open the image, ask, and record the seconds."""
        assert isinstance(model.engine, NativeEngine)
        model.engine.clear()
        began = time.process_time()
        with closing(model.open(truth.rgb)) as scene:
            answer = ask(scene)
        self.seconds.append(time.process_time() - began)
        return answer

    def line(self, name: str) -> str:
        """Return its line of the table."""
        figures = [f"mean IoU {np.mean(self.values):.3f}"] if self.values else []
        figures += [f"box AP50 {self.boxes.ap50():.3f}"] if self.boxes else []
        figures += [f"mask AP50 {self.masks.ap50():.3f}"] if self.masks else []
        cost = f"{np.mean(self.seconds):7.3f} s" if self.seconds else " " * 9
        return f"{name:44} {'  '.join(figures):34} {cost}  n={len(self.seconds) or len(self.values)}"


class Recipes:
    """The rows of the table, by name."""

    def __init__(self, model: yg.Model) -> None:
        self._model = model
        self.rows: dict[str, Row] = {}

    def lines(self) -> list[str]:
        """Return the lines of the table."""
        return [row.line(name) for name, row in self.rows.items()]

    def refer(self, index: int, truth: Scene) -> None:
        """Mask the things that phrases mean: by the filled outline, by the grounded box, and by the true box."""
        sizes = (*CROP_SIZES, 1280) if index < DEFAULT_CROP_SCENES else CROP_SIZES
        for phrase, which in phrases(truth)[:PHRASES_PER_SCENE]:
            true = truth.things[which]

            def outline(scene: yg.Scene, phrase: str = phrase) -> measures.Bits:
                return fill_outlines(scene.polygon(phrase).parts, scene.size)

            self._mask("polygon(phrase), filled", truth, true.mask, outline)
            for size in sizes:

                def by_phrase(scene: yg.Scene, phrase: str = phrase, size: int = size) -> measures.Bits:
                    return scene.refer(phrase, crop_size=size).bits

                def by_box(scene: yg.Scene, box: Sequence[float] = true.box, size: int = size) -> measures.Bits:
                    return scene.refer(box=box, crop_size=size).bits

                self._mask(f"refer(phrase), crop_size {size}", truth, true.mask, by_phrase)
                self._mask(f"refer(box=truth), crop_size {size}", truth, true.mask, by_box)
            self._extent(truth, phrase, which)

    def zoom(self, _: int, truth: Scene) -> None:
        """Detect everything at several zooms, and at two zooms merged."""
        for zoom in (1, 2, (1, 2)):
            self._detect(f"detect(zoom={zoom})", truth, zoom)

    def auto(self, index: int, truth: Scene) -> None:
        """Detect everything at the largest size that fits."""
        if index < AUTO_SCENES:
            self._detect(f"detect(zoom=1), first {AUTO_SCENES} scenes", truth, 1)
            self._detect("detect(zoom='auto')", truth, "auto")

    def small(self, _: int, truth: Scene) -> None:
        """Detect everything in images of half the size."""
        half = halved(truth)
        for zoom in (1, 2, (1, 2)):
            self._detect(f"half the size: detect(zoom={zoom})", half, zoom)

    def instances(self, _: int, truth: Scene) -> None:
        """Mask everything: by the names that the model gives, by all possible names, and by all that it detects."""
        ways: tuple[tuple[str, Sequence[str] | None, Find], ...] = (
            ("instances()", None, "names"),
            ("instances(the seven kinds)", THINGS, "names"),
            ("instances(find='everything')", None, "everything"),
        )
        for name, classes, find in ways:
            row = self._row(name, boxes=True, masks=True)

            def ask(scene: yg.Scene, classes: Sequence[str] | None = classes, find: Find = find) -> yg.Instances:
                return scene.instances(classes, crop_size=CORE_CROP_PX, find=find)

            found = row.timed(self._model, truth, ask)
            self._judge(row, truth, found.xyxy, found.labels, found.masks)

    def _extent(self, truth: Scene, phrase: str, which: int) -> None:
        """Compare the box that the model gives for a phrase with the extent of the outline that it gives."""
        with closing(self._model.open(truth.rgb)) as scene:
            grounded, outlines = scene.ground(phrase).xyxy, scene.polygon(phrase).parts
        points = [ring for parts in outlines for ring in parts]
        extent = np.concatenate(points) if points else np.zeros((1, 2), np.float32)
        found = {
            "box of ground(phrase)": grounded[0] if len(grounded) else np.zeros(4, np.float32),
            "box around polygon(phrase)": np.concatenate([extent.min(axis=0), extent.max(axis=0)]),
        }
        for name, box in found.items():
            self._row(name).values.append(measures.box_iou(box, truth.things[which].box))

    def _mask(self, name: str, truth: Scene, mask: measures.Bits, ask: Callable[[yg.Scene], measures.Bits]) -> None:
        row = self._row(name)
        row.values.append(measures.mask_iou(row.timed(self._model, truth, ask), mask))

    def _detect(self, name: str, truth: Scene, zoom: Zoom | tuple[Zoom, ...]) -> None:
        row = self._row(name, boxes=True)
        found = row.timed(self._model, truth, lambda scene: scene.detect(zoom=zoom))
        self._judge(row, truth, found.xyxy, found.labels)

    @staticmethod
    def _judge(
        row: Row, truth: Scene, xyxy: measures.F32, labels: Sequence[str], masks: measures.Bits | None = None
    ) -> None:
        if row.boxes is not None:
            row.boxes.add(truth, xyxy, labels)
        if row.masks is not None:
            row.masks.add(truth, xyxy, labels, masks)

    def _row(self, name: str, *, boxes: bool = False, masks: bool = False) -> Row:
        if name not in self.rows:
            self.rows[name] = Row(
                boxes=measures.Detections() if boxes else None, masks=measures.Detections() if masks else None
            )
        return self.rows[name]


def halved(truth: Scene) -> Scene:
    """Return the scene at half its size, as far as detection uses it: pixels and boxes."""
    height, width = truth.labels.shape
    rgb = np.asarray(cv2.resize(truth.rgb, (width // 2, height // 2), interpolation=cv2.INTER_AREA), np.uint8)
    across, down = (width // 2) / width, (height // 2) / height
    factors = (across, down, across, down)
    things = [replace(t, box=tuple(v * f for v, f in zip(t.box, factors, strict=True))) for t in truth.things]
    return replace(truth, rgb=rgb, things=tuple(things))


def measure(model: yg.Model, n: int, groups: Sequence[str] = GROUPS, seed: int = 0) -> Recipes:
    """Ask about `n` unseen scenes in every way of `groups`."""
    recipes = Recipes(model)
    for i in range(n):
        truth = draw(TEST_SEEDS + seed * 1_000_000 + i)
        for group in groups:
            getattr(recipes, group)(i, truth)
        if (i + 1) % 25 == 0:
            print(f"{i + 1} scenes", *recipes.lines(), sep="\n", file=sys.stderr, flush=True)
    return recipes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="nano")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--n", type=count, default=300, help="scenes")
    parser.add_argument("--only", nargs="*", choices=GROUPS, default=GROUPS, help="groups of recipes")
    args = parser.parse_args()
    with yg.load(args.model, threads=1, max_tokens=200, cache_bytes=0) as model:
        recipes = measure(model, args.n, args.only, args.seed)
    for line in recipes.lines():
        print(line)


if __name__ == "__main__":
    main()
