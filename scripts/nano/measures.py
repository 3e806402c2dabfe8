"""The accuracy measures of `evaluate.py`, on values of the public API."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from scripts.nano.lessons import NUMBER_WORDS
from scripts.nano.scenes import CLASSES, COLOURS, THINGS, Scene, Thing

F32 = npt.NDArray[np.float32]
Bits = npt.NDArray[np.bool_]

PCK_SHARE = 0.1
"""Largest error of a joint, as a share of the figure's height."""
DELTA = 1.25
_NAMED = re.compile(rf"\b(a|{'|'.join(NUMBER_WORDS[1:])}) ({'|'.join(COLOURS)}) ({'|'.join(THINGS)})s?\b")


def box_iou(a: Sequence[float] | F32, b: Sequence[float] | F32) -> float:
    """Intersection over union of two boxes x1, y1, x2, y2."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    return float(both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both))


def mask_iou(a: Bits, b: Bits) -> float:
    """Intersection over union of two masks."""
    either = int((a | b).sum())
    return float((a & b).sum() / either) if either else 1.0


class Confusion:
    """Confusion matrix: the number of pixels of each true class by predicted class."""

    def __init__(self) -> None:
        self.counts = np.zeros((len(CLASSES), len(CLASSES) + 1), np.int64)

    def add(self, scene: Scene, ids: npt.NDArray[np.int32], names: Sequence[str]) -> None:
        """Count one label map whose values index `names`; -1 and names that are not classes are always wrong."""
        places = np.array([*(CLASSES.index(name) if name in CLASSES else len(CLASSES) for name in names), len(CLASSES)])
        pairs = scene.labels.astype(np.int64) * (len(CLASSES) + 1) + places[ids]
        self.counts += np.bincount(pairs.ravel(), minlength=self.counts.size).reshape(self.counts.shape)

    def iou(self) -> dict[str, float]:
        """Return the IoU of every class that occurs."""
        right = np.diag(self.counts)
        either = self.counts.sum(axis=1) + self.counts[:, :-1].sum(axis=0) - right
        return {name: float(right[i] / either[i]) for i, name in enumerate(CLASSES) if either[i]}

    def mean(self) -> float:
        """Return the mean IoU."""
        return float(np.mean(list(self.iou().values())))


class Detections:
    """Boxes or masks of many images; confidence is the area of a box, as in the authors' evaluation (docs/facts.md)."""

    def __init__(self) -> None:
        self.found: dict[str, list[tuple[float, bool]]] = {kind: [] for kind in THINGS}
        self.true = Counter[str]()

    def add(self, scene: Scene, xyxy: F32, labels: Sequence[str], masks: Bits | None = None) -> None:
        """Match one image's boxes, or (n, H, W) `masks`, to things of their kind at IoU 0.5; the largest box first."""
        self.true.update(thing.kind for thing in scene.things)
        free = list(scene.things)
        areas = (xyxy[:, 2] - xyxy[:, 0]) * (xyxy[:, 3] - xyxy[:, 1]) if len(labels) else np.zeros(0)
        for i in np.argsort(-areas):
            if labels[i] not in self.found:
                continue
            alike = [(n, thing) for n, thing in enumerate(free) if thing.kind == labels[i]]
            if masks is None:
                fits = [(box_iou(xyxy[i], thing.box), n) for n, thing in alike]
            else:
                fits = [(mask_iou(masks[i], thing.mask), n) for n, thing in alike]
            best, which = max(fits, default=(0.0, -1))
            right = best >= 0.5
            if right:
                free.pop(which)
            self.found[labels[i]].append((float(areas[i]), right))

    def ap50(self) -> float:
        """Return the mean over the kinds of the area under the precision-recall curve."""
        return float(np.mean([self._ap(kind) for kind in THINGS if self.true[kind]]))

    def _ap(self, kind: str) -> float:
        right = np.array([r for _, r in sorted(self.found[kind], key=lambda pair: -pair[0])], bool)
        if not len(right):
            return 0.0
        precision = np.cumsum(right) / np.arange(1, len(right) + 1)
        envelope = np.maximum.accumulate(precision[::-1])[::-1]
        return float(envelope[right].sum() / self.true[kind])


def depth_errors(predicted: F32, scene: Scene) -> tuple[float, float]:
    """Return the share of valid pixels within 1.25 times, and the mean relative error."""
    valid = scene.depth > 0
    got, true = np.maximum(predicted[valid], 1e-3), scene.depth[valid]
    ratio = np.maximum(got / true, true / got)
    return float((ratio < DELTA).mean()), float((np.abs(got - true) / true).mean())


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


def f1(pairs: Sequence[tuple[Counter[Any], Counter[Any]]]) -> float:
    """Return the F1 of (found, true) multisets, pooled."""
    right = sum((found & true).total() for found, true in pairs)
    total = sum(found.total() + true.total() for found, true in pairs)
    return 2 * right / total if total else 1.0
