"""What the best constant answers get on drawn scenes: the most common class or number, the median of all distances."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from PIL import Image

from scripts.nano.measures import DEPTH_OPTIONS
from scripts.nano.questions import category_samples, counting_samples, grounding_samples
from scripts.nano.scenes import CLASSES, TEST_SEEDS, THINGS, Scene, draw
from youtu_gguf.evaluate.base import Data, Kind, Sample
from youtu_gguf.evaluate.data.depth_levels import DepthFile
from youtu_gguf.evaluate.data.numbering import Numbering, TrueLabels
from youtu_gguf.evaluate.kinds.categories import Categories
from youtu_gguf.evaluate.kinds.depth import Depth
from youtu_gguf.evaluate.kinds.grounding import Grounding
from youtu_gguf.evaluate.kinds.labels import Labels
from youtu_gguf.evaluate.kinds.numbers import Numbers
from youtu_gguf.output.png import grey_png

_PER_METRE = 600.0
"""Levels of a metre; scenes end at 100 m."""

_KINDS: tuple[tuple[Kind, tuple[str, ...], dict[str, Any], dict[str, str]], ...] = (
    (Labels(), CLASSES, {}, {"miou": "segment_all_miou"}),
    (Grounding(), (), {}, {"accuracy": "ground_acc50"}),
    (Depth(_PER_METRE), (), DEPTH_OPTIONS, {"d1": "depth_d1", "absrel": "depth_absrel"}),
    (Numbers(), (), {"number_words": "no"}, {"exact": "count_exact"}),
    (Categories(), THINGS, {"match": "exact"}, {"accuracy": "classify_accuracy"}),
)
"""Kinds of questions with the names of their classes, their options, and the names that their figures have here."""


def baselines(n: int, seed: int = 0) -> dict[str, dict[str, float]]:
    """Return, by figure and by what is always answered, what that gets on the scenes of `evaluate.py`."""
    found: dict[str, dict[str, float]] = {}
    with TemporaryDirectory() as folder:
        scenes = (draw(TEST_SEEDS + seed * 1_000_000 + i) for i in range(n))
        questions = [_questions(scene, Path(folder)) for scene in scenes]
        for i, (kind, classes, options, names) in enumerate(_KINDS):
            data = Data([sample for scene in questions for sample in scene[i]], Path(folder), classes)
            for name, answer in kind.baselines(data, options).items():
                measure = kind.measure(data, options)
                for sample in data.samples:
                    measure.add(sample, answer(sample))
                for figure, own in names.items():
                    found.setdefault(own, {})[name] = round(measure.figures()[figure], 4)
    return found


def _questions(scene: Scene, folder: Path) -> Sequence[Sequence[Sample]]:
    """Return the questions of each kind; maps are written into `folder`."""
    labels, depth = folder / f"{scene.seed}-labels.png", folder / f"{scene.seed}-depth.png"
    labels.write_bytes(grey_png(scene.labels.astype(np.uint8)))
    Image.fromarray(np.rint(scene.depth * _PER_METRE).astype(np.uint16)).save(depth)
    name, image = str(scene.seed), Path(str(scene.seed))
    numbering = Numbering(tuple(range(len(CLASSES))), frozenset())
    return (
        [Sample(name, image, truth=TrueLabels(labels, numbering))],
        grounding_samples(scene),
        [Sample(name, image, truth=DepthFile(depth, _PER_METRE))],
        counting_samples(scene),
        category_samples(scene),
    )
