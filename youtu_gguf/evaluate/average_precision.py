"""Average precision of ranked detections, as COCO defines it: over ten thresholds of overlap and 101 of recall.

Source: cocodataset/cocoapi, PythonAPI/pycocotools/cocoeval.py (`evaluateImg`, `accumulate`). Its figures are these for
equal input, except that one detection, which is right, has a precision of 1 here and of 1 - 2e-16 there; and that an
annotation with the id 0 counts here, while COCOeval takes what matches it for wrong.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from youtu_gguf.evaluate.base import F64
from youtu_gguf.types import Bits

THRESHOLDS: F64 = np.linspace(0.5, 0.95, 10)
"""Least overlap of what counts as found."""

MOST_DETECTIONS = 100
"""Detections of one class in one image that count, the first in rank."""

_RECALLS: F64 = np.linspace(0, 1, 101)


@dataclass(frozen=True, eq=False)
class _Judged:
    """Detections of one class in one image, the first in rank first: `right` and `wrong` (T, n) for each threshold.

    What is neither is ignored, since it lies in a crowd.
    """

    image: int
    ranks: F64
    right: Bits
    wrong: Bits


@dataclass(frozen=True, eq=False)
class _Ranked:
    """Detections of one class in all images, sorted, as numbers of images, and `right` and `wrong` (T, n) as 0 or 1."""

    images: npt.NDArray[np.int64]
    right: F64
    wrong: F64


@dataclass
class _Class:
    """What is known of one class: what was judged, and how many objects there are by number of the image."""

    judged: list[_Judged] = field(default_factory=list)
    objects: dict[int, int] = field(default_factory=dict)
    ranked: _Ranked | None = None


class AveragePrecision:
    """Collects detections with their overlaps, image by image, and gives their average precision."""

    def __init__(self) -> None:
        self._classes: dict[str, _Class] = {}

    def add(self, image: int, name: str, ranks: F64, overlaps: F64, crowds: Bits) -> None:
        """Add the detections and the objects of one class in one image, all at once.

        Args:
            image: Number of the image.
            name: The class.
            ranks: (n,) by what detections are ranked: higher comes first, of equal ones the earlier.
            overlaps: (n, m) of each detection with each object, 0 to 1; with a crowd, the share of the detection.
            crowds: (m,) whether an object is a crowd, in which no detection counts.
        """
        known = self._classes.setdefault(name, _Class())
        known.ranked = None
        known.objects[image] = known.objects.get(image, 0) + int(np.count_nonzero(~crowds))
        order = np.argsort(-ranks, kind="stable")[:MOST_DETECTIONS]
        if order.size:
            known.judged.append(_Judged(image, ranks[order], *matched(overlaps[order], crowds)))

    def at_thresholds(self, weights: F64) -> F64:
        """Return (T,) the mean over the classes that have objects; NaN where none has.

        Args:
            weights: How often each image counts, by its number.
        """
        of_classes = [_precision(known, weights) for known in self._classes.values()]
        with_objects = [found for found in of_classes if found is not None]
        return np.mean(with_objects, axis=0) if with_objects else np.full(len(THRESHOLDS), np.nan)


def matched(overlaps: F64, crowds: Bits) -> tuple[Bits, Bits]:
    """Return which detections are right and which are wrong at each threshold, both (T, n).

    Every detection, in its turn, takes the object that it overlaps most of those that no earlier one has taken, the
    later of equal ones. If there is none it may lie in a crowd, and is then neither right nor wrong.

    Args:
        overlaps: (n, m), the detection that is first in rank first.
        crowds: (m,).
    """
    n, m = overlaps.shape
    right = np.zeros((len(THRESHOLDS), n), np.bool_)
    in_crowd = np.zeros_like(right)
    free = np.repeat(~crowds[None], len(THRESHOLDS), axis=0)
    for i in np.flatnonzero((overlaps >= THRESHOLDS[0]).any(axis=1)) if m else ():
        enough = overlaps[i] >= THRESHOLDS[:, None]
        fits = np.where(free & enough, overlaps[i], -1.0)
        best = m - 1 - np.argmax(fits[:, ::-1], axis=1)
        found = np.flatnonzero(fits[np.arange(len(THRESHOLDS)), best] >= 0)
        right[found, i] = True
        free[found, best[found]] = False
        in_crowd[:, i] = (enough & crowds).any(axis=1)
    return right, ~right & ~in_crowd


def _precision(known: _Class, weights: F64) -> F64 | None:
    """Return the average precision of a class at each threshold (T,); None where it has no objects."""
    if known.ranked is None:
        known.ranked = _ranked(known.judged)
    holders = np.fromiter(known.objects, np.int64)
    n_objects = float(np.dot(weights[holders], np.fromiter(known.objects.values(), np.float64)))
    if n_objects <= 0:
        return None
    times = weights[known.ranked.images]
    right = np.cumsum(known.ranked.right * times, axis=1)
    counted = right + np.cumsum(known.ranked.wrong * times, axis=1)
    precision = np.divide(right, counted, out=np.zeros_like(right), where=counted > 0)
    best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    best = np.concatenate([best, np.zeros((len(best), 1))], axis=1)  # a recall that is never reached
    recall = right / n_objects
    places = [np.searchsorted(reached, _RECALLS) for reached in recall]
    found: F64 = np.take_along_axis(best, np.array(places), axis=1).mean(axis=1)
    return found


def _ranked(judged: list[_Judged]) -> _Ranked:
    none = _Judged(0, np.zeros(0), *np.zeros((2, len(THRESHOLDS), 0), np.bool_))
    several = [none, *judged]
    order = np.argsort(-np.concatenate([each.ranks for each in several]), kind="stable")
    images = np.concatenate([np.full(len(each.ranks), each.image) for each in several])
    right, wrong = (
        np.concatenate([getattr(each, side) for each in several], axis=1)[:, order].astype(np.float64)
        for side in ("right", "wrong")
    )
    return _Ranked(images[order], right, wrong)
