"""Objects that were found, compared with those that are there."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from youtu_gguf.errors import InputError
from youtu_gguf.evaluate.average_precision import AveragePrecision
from youtu_gguf.evaluate.base import F64, Measure, Prediction, Sample
from youtu_gguf.evaluate.data.coco import CocoAnnotation, finite_numbers
from youtu_gguf.evaluate.data.files import entry
from youtu_gguf.evaluate.data.needed import needed
from youtu_gguf.evaluate.data.objects import true_objects
from youtu_gguf.evaluate.data.segmentation import rle_of
from youtu_gguf.types import Size

_75 = 5  # place of the threshold 0.75


@dataclass(frozen=True, eq=False)
class Found:
    """The objects of a prediction.

    Attributes:
        xyxy: (n, 4) their boxes.
        labels: n names.
        scores: (n,) how sure the model was; NaN where that is not known.
        masks: n masks as the prediction has them; None where boxes are compared.
        has_own_ranking: They are to be ranked by their scores, whatever is set.
    """

    xyxy: F64
    labels: Sequence[str]
    scores: F64
    masks: Sequence[Any] | None
    has_own_ranking: bool


class DetectionMeasure(Measure):
    """Average precision of boxes or masks, ranked by the areas of their boxes and by their scores.

    An object counts for the class that its label names, case and spaces aside; one of no class does not count, as a
    category that the data lack does not for pycocotools. An object without a score ranks behind those that have one;
    where none has one, there is no figure by scores. A true object without area cannot be found, and does count, as
    for pycocotools.

    Args:
        classes: Names of the data's classes.
        masks: Whether masks are compared, and not boxes.
        by_area: Whether the main figures rank objects by area, where they have no ranking of their own.

    Raises:
        InputError: The package pycocotools is not installed.
    """

    draws = 200
    """A draw of 5,000 images with 75,000 objects takes 0.04 s."""

    def __init__(self, classes: Sequence[str], *, masks: bool, by_area: bool) -> None:
        super().__init__()
        self._classes = {_plain(name): name for name in classes}
        self._masks = masks
        self._by_area = by_area
        self._has_scores = False
        self._iou = needed("pycocotools.mask").iou
        self._ranked = {name: AveragePrecision() for name in ("set", "area", "scores")}

    def add(self, sample: Sample, said: Prediction | None) -> None:
        """Match the objects of an image with those that are there."""
        image = self.image_number(sample)
        truth = true_objects(sample)
        found = found_objects({} if said is None else said.form, masks=self._masks)
        self._has_scores |= bool(np.isfinite(found.scores).any())
        named = [self._classes.get(_plain(label)) for label in found.labels]
        scores = np.where(np.isnan(found.scores), -np.inf, found.scores)
        areas = np.prod(found.xyxy[:, 2:] - found.xyxy[:, :2], axis=1)
        ranks = {"area": areas, "scores": scores}
        ranks["set"] = areas if self._by_area and not found.has_own_ranking else scores
        for name in dict.fromkeys([*filter(None, named), *truth.names]):
            ours = [i for i, label in enumerate(named) if label == name]
            true = [each for each in truth.annotations if truth.categories[each.category_id] == name]
            crowds = np.array([each.iscrowd for each in true], np.bool_)
            overlaps = self._overlaps(found, ours, true, truth.size)
            for ranking, ranked in self._ranked.items():
                ranked.add(image, name, ranks[ranking][np.array(ours, np.intp)], overlaps, crowds)

    def figures(self, weights: F64 | None = None) -> dict[str, float]:
        """Return AP, AP50 and AP75 by the ranking that is set, and AP by both."""
        times = np.ones(self.n_images) if weights is None else weights
        found = {ranking: ranked.at_thresholds(times) for ranking, ranked in self._ranked.items()}
        return {
            "ap": float(found["set"].mean()),
            "ap50": float(found["set"][0]),
            "ap75": float(found["set"][_75]),
            "ap_area": float(found["area"].mean()),
            "ap_scores": float(found["scores"].mean()) if self._has_scores else math.nan,
        }

    def _overlaps(self, found: Found, ours: Sequence[int], true: Sequence[CocoAnnotation], size: Size) -> F64:
        """Return (n, m) intersection over union; with a crowd, over the found object alone."""
        if not ours or not true:
            return np.zeros((len(ours), len(true)))
        crowds = [int(each.iscrowd) for each in true]
        if found.masks is not None:
            masks = [rle_of(found.masks[i], size, f"masks[{i}] of the answer") for i in ours]
            overlaps = self._iou(masks, [rle_of(each.segmentation, size, each.where) for each in true], crowds)
        else:
            overlaps = self._iou(_xywh(found.xyxy[ours]), _xywh(np.stack([each.xyxy for each in true])), crowds)
        return np.asarray(overlaps, np.float64)


def found_objects(form: Any, *, masks: bool) -> Found:
    """Return the objects of a prediction; none for an empty one.

    Raises:
        InputError: It is of another form.
    """
    if not form:
        return Found(np.zeros((0, 4)), (), np.zeros(0), () if masks else None, has_own_ranking=False)
    where = "the answer"
    labels = entry(form, "labels", list, where)
    columns = {key: entry(form, key, list, where) for key in ("boxes", "scores", *(["masks"] if masks else []))}
    for key, column in columns.items():
        if len(column) != len(labels):
            raise InputError(f"{where}: expected {key!r} for each of {len(labels)} labels; got {len(column)}.")
    if not all(isinstance(label, str) for label in labels):
        raise InputError(f"{where}: expected 'labels' to be names.")
    scores = [math.nan if score is None else score for score in columns["scores"]]
    if not all(isinstance(score, int | float) and not math.isinf(score) for score in scores):
        raise InputError(f"{where}: expected 'scores' to be finite numbers or null.")
    boxes = [_box(box, f"{where}, boxes[{i}]") for i, box in enumerate(columns["boxes"])]
    return Found(
        np.array(boxes, np.float64).reshape(-1, 4),
        labels,
        np.array(scores, np.float64),
        columns.get("masks"),
        form.get("ranked_by") == "scores",
    )


def _box(told: Any, where: str) -> F64:
    numbers = finite_numbers(told, "xyxy", where)
    if numbers.shape != (4,) or (numbers[2:] < numbers[:2]).any():
        raise InputError(f"{where}: expected left, top, right, bottom; got {str(told)[:60]}.")
    return numbers


def _xywh(xyxy: F64) -> F64:
    return np.concatenate([xyxy[:, :2], xyxy[:, 2:] - xyxy[:, :2]], axis=1)


def _plain(name: str) -> str:
    """Return a name as it is compared with others."""
    return " ".join(name.split()).casefold()
