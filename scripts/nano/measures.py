"""The accuracy measures of `evaluate.py`, on values of the public API.

Label maps, detections and distances are measured by the code of `youtu-gguf eval`, here with arrays instead of files.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from scripts.nano.answers import NUMBER_WORDS
from scripts.nano.chinese import CHINESE_NAMES, CHINESE_NUMBERS
from scripts.nano.scenes import CLASSES, COLOURS, THINGS, Scene, Thing
from youtu_gguf.evaluate.average_precision import AveragePrecision
from youtu_gguf.evaluate.base import F64, Data, Sample
from youtu_gguf.evaluate.data.numbering import NONE
from youtu_gguf.evaluate.kinds import grounding
from youtu_gguf.evaluate.kinds.depth import depth_figures
from youtu_gguf.evaluate.kinds.labels import LabelMeasure, count_pairs

F32 = npt.NDArray[np.float32]
Bits = npt.NDArray[np.bool_]

PCK_SHARE = 0.1
"""Largest error of a joint, as a share of the figure's height."""
DEPTH_OPTIONS = {"near_m": 1e-3, "far_m": np.inf, "crop": "none", "align": "none"}
"""Every pixel whose distance is known counts."""
NO_DATA = Data([], Path())
"""For measures that need none."""
_NAMED = re.compile(rf"\b(a|{'|'.join(NUMBER_WORDS[1:])}) ({'|'.join(COLOURS)}) ({'|'.join(THINGS)})(?:es|s)?\b")


def box_iou(a: Sequence[float] | F32, b: Sequence[float] | F32) -> float:
    """Intersection over union of two boxes x1, y1, x2, y2."""
    return grounding.box_iou(_corners(a), _corners(b))


def mask_iou(a: Bits, b: Bits) -> float:
    """Intersection over union of two masks."""
    either = int((a | b).sum())
    return float((a & b).sum() / either) if either else 1.0


class Confusion:
    """Intersection over union of the classes of label maps."""

    def __init__(self) -> None:
        self._measure = LabelMeasure(CLASSES)

    @property
    def n_images(self) -> int:
        """How many maps were added."""
        return self._measure.n_images

    def add(self, scene: Scene, ids: npt.NDArray[np.int32], names: Sequence[str]) -> None:
        """Count one label map whose values index `names`; -1 and names that are not classes are always wrong."""
        places = np.array([*(CLASSES.index(name) if name in CLASSES else NONE for name in names), NONE], np.uint8)
        pairs = count_pairs(scene.labels.astype(np.uint8), places[ids])[: len(CLASSES)]
        counts = np.stack([pairs.diagonal(), pairs.sum(1), pairs.sum(0)[: len(CLASSES)]])
        self._measure.add_counts(Sample(str(self.n_images), Path(str(self.n_images))), counts)

    def iou(self) -> dict[str, float]:
        """Return the IoU of every class that occurs."""
        ious = zip(CLASSES, self._measure.class_ious().tolist(), strict=True)
        return {name: iou for name, iou in ious if not np.isnan(iou)}

    def mean(self) -> float:
        """Return the mean IoU."""
        return self._measure.figures()["miou"]


class Detections:
    """Boxes or masks of many images, ranked by the area of the box, as in the authors' evaluation (docs/facts.md).

    Where all have scores they are ranked by these too.
    """

    def __init__(self) -> None:
        self.n_images = 0
        self._ranked = {"area": AveragePrecision(), "scores": AveragePrecision()}

    def add(
        self, scene: Scene, xyxy: F32, labels: Sequence[str], masks: Bits | None = None, scores: F32 | None = None
    ) -> None:
        """Match one image's boxes, or (n, H, W) `masks`, with things of their kind."""
        ranks = {"area": np.prod(xyxy[:, 2:] - xyxy[:, :2], axis=1), "scores": scores}
        for kind in THINGS:
            found = [i for i, label in enumerate(labels) if label == kind]
            true = [thing for thing in scene.things if thing.kind == kind]
            if masks is None:
                overlaps = [box_iou(xyxy[i], thing.box) for i in found for thing in true]
            else:
                overlaps = [mask_iou(masks[i], thing.mask) for i in found for thing in true]
            table = np.array(overlaps, np.float64).reshape(len(found), len(true))
            for name, values in ranks.items():
                if values is not None:
                    no_crowds = np.zeros(len(true), np.bool_)
                    self._ranked[name].add(self.n_images, kind, values[found].astype(np.float64), table, no_crowds)
        self.n_images += 1

    def ap50(self, ranked_by: Literal["area", "scores"] = "area") -> float:
        """Return the average precision at IoU 0.5, the mean over the kinds."""
        return float(self._ranked[ranked_by].at_thresholds(np.ones(self.n_images))[0])


def _corners(xyxy: Sequence[float] | F32) -> tuple[float, float, float, float]:
    left, top, right, bottom = map(float, xyxy)
    return left, top, right, bottom


def depth_errors(predicted: F32 | F64, scene: Scene) -> tuple[float, float]:
    """Return the share of valid pixels within 1.25 times, and the mean relative error."""
    figures = depth_figures(predicted.astype(np.float64), scene.depth.astype(np.float64), DEPTH_OPTIONS)
    return figures["d1"], figures["absrel"]


def pose_hits(xyv: F32, scene: Scene) -> tuple[int, int]:
    """Return the correct and the visible joints of all persons, each matched to the figure with the nearest joints."""
    hits = total = 0
    free = list(range(len(xyv)))
    for person in (t for t in scene.things if t.joints is not None):
        joints = _joints(person)
        seen = joints[:, 2] > 0
        total += int(seen.sum())
        if not free:
            continue
        away = {i: np.hypot(*(xyv[i, :, :2] - joints[:, :2]).T) for i in free}
        best = min(free, key=lambda i: float(np.median(away[i])))
        free.remove(best)
        height = person.box[3] - person.box[1]
        hits += int((away[best][seen] <= PCK_SHARE * height).sum())
    return hits, total


def _joints(person: Thing) -> F32:
    assert person.joints is not None
    return person.joints


def named_things(text: str) -> Counter[tuple[str, str]]:
    """Return the coloured things that a description names and the number of each."""
    found: Counter[tuple[str, str]] = Counter()
    for number, colour, kind in _NAMED.findall(text):
        found[colour, kind] += 1 if number == "a" else NUMBER_WORDS.index(number)
    return found


_IN_CHINESE = re.compile(
    "({})个({})的?({})".format(
        "|".join(CHINESE_NUMBERS[1:]),
        "|".join(CHINESE_NAMES[colour] for colour in COLOURS),
        "|".join(CHINESE_NAMES[kind] for kind in THINGS),
    )
)


def named_in_chinese(text: str) -> Counter[tuple[str, str]]:
    """Return the coloured things that a Chinese description names, by their English names, and the number of each."""
    english = {chinese: word for word, chinese in CHINESE_NAMES.items()}
    found: Counter[tuple[str, str]] = Counter()
    for number, colour, kind in _IN_CHINESE.findall(text):
        found[english[colour], english[kind]] += CHINESE_NUMBERS.index(number)
    return found


def f1(pairs: Sequence[tuple[Counter[Any], Counter[Any]]]) -> float:
    """Return the F1 of (found, true) multisets, pooled."""
    right = sum((found & true).total() for found, true in pairs)
    total = sum(found.total() + true.total() for found, true in pairs)
    return 2 * right / total if total else 1.0
