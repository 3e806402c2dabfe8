"""Phrases whose mask is looked for: RefCOCO and its relatives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

import youtu_gguf as yg
from youtu_gguf.evaluate.base import F64, Data, Figure, Measure, Prediction, Sample
from youtu_gguf.evaluate.data.files import entry
from youtu_gguf.evaluate.data.needed import needed
from youtu_gguf.evaluate.data.segmentation import Rle, rle_of
from youtu_gguf.evaluate.kinds.grounding import (
    RIGHT_IOU,
    by_sentence,
    mean_share,
    middle_box,
    phrase_of,
    region_of,
)
from youtu_gguf.output.rle import coco_rle
from youtu_gguf.tasks.core_target import has_pixels
from youtu_gguf.types import F32, Bits

FoundBy = Literal["polygon", "ground"]
"""What gives the box around which a mask is made: the extent of the outline that the model draws, or its box."""


@dataclass(frozen=True)
class Referred:
    """The model is asked for the mask of a phrase.

    Samples are those of `Grounding`, with masks. Predictions have "mask": compressed run lengths of the image,
    as COCO's results have them.
    """

    figures: tuple[Figure, ...] = (
        Figure("ciou", "cIoU"),
        Figure("giou", "gIoU"),
        Figure("precision", "P@0.5"),
    )

    def ask(self, scene: yg.Scene, sample: Sample, options: Mapping[str, Any]) -> Prediction:
        """Ask for the place of the phrase, and for the mask there; without a place the mask is empty."""
        phrase = phrase_of(sample, options)
        how = {name: options[name] for name in ("crop_size", "padding", "refine")}
        if options["found"] == "ground":
            return _said(scene.refer(phrase, **how).bits)
        box = outline_box(scene.polygon(phrase))
        if box is None or not has_pixels(box[None], scene.size).all():
            return _said(np.zeros(scene.size[::-1], np.bool_))
        return _said(scene.refer(box=box.tolist(), **how).bits)

    def perfect(self, sample: Sample) -> Prediction:
        """Return the true mask."""
        rle = _truth(sample)
        return Prediction({"mask": {**rle, "counts": rle["counts"].decode("ascii")}})

    def measure(self, data: Data, options: Mapping[str, Any]) -> Measure:  # noqa: ARG002 - every sample counts alike
        """Return sums over phrases."""
        return Overlap()

    def baselines(
        self,
        data: Data,
        options: Mapping[str, Any],  # noqa: ARG002 - the same for all
    ) -> Mapping[str, Callable[[Sample], Prediction]]:
        """Return the whole image, and a rectangle in its middle."""
        share = mean_share(data)

        def whole(sample: Sample) -> Prediction:
            return _said(np.ones(region_of(sample).size[::-1], np.bool_))

        def middle(sample: Sample) -> Prediction:
            size = region_of(sample).size
            left, top, right, bottom = map(round, middle_box(size, share))
            bits = np.zeros(size[::-1], np.bool_)
            bits[top:bottom, left:right] = True
            return _said(bits)

        return {"whole image": whole, "middle of the image, mean size": middle}

    def read_predictions(self, path: Path, data: Data) -> Mapping[str, Prediction]:
        """Return masks from a JSON list of objects with "sent_id" and "segmentation", as COCO's results have masks."""
        found = {}
        for sample, record, where in by_sentence(path, data):
            found[sample.id] = Prediction({"mask": entry(record, "segmentation", (dict, list), where)})
        return found


class Overlap(Measure):
    """How far masks of phrases overlap with the true ones.

    "ciou" is the sum of the pixels in both masks over the sum of those in either, so that large objects count more;
    "giou" the mean of the phrases' own shares; "precision" the share of phrases with 0.5 or more. A phrase without an
    answer has no pixels. Where neither mask has pixels, the phrase's share is 1.
    """

    def __init__(self) -> None:
        super().__init__()
        self._sums: list[list[float]] = []

    def add(self, sample: Sample, said: Prediction | None) -> None:
        """Compare a mask with the true one."""
        common, either = _overlap(_truth(sample), None if said is None else _mask(sample, said))
        iou = common / either if either else 1.0
        number = self.image_number(sample)
        if number == len(self._sums):
            self._sums.append([0.0] * 5)
        for i, value in enumerate((common, either, iou, float(iou >= RIGHT_IOU), 1)):
            self._sums[number][i] += value

    def figures(self, weights: F64 | None = None) -> dict[str, float]:
        """Return the three figures."""
        sums = np.array(self._sums, np.float64).reshape(-1, 5)
        counts = np.ones(len(sums)) if weights is None else weights
        common, either, iou, right, n = (counts @ sums).tolist()
        nan = float("nan")
        return {
            "ciou": common / either if either else nan,
            "giou": iou / n if n else nan,
            "precision": right / n if n else nan,
        }


def outline_box(found: yg.Polygons) -> F32 | None:
    """Return the extent (4,) xyxy of all outlines in source pixels; None where there are none."""
    points = [ring for parts in found.parts for ring in parts]
    if not points:
        return None
    joined = np.concatenate(points)
    return np.concatenate([joined.min(axis=0), joined.max(axis=0)])


def _said(bits: Bits) -> Prediction:
    return Prediction({"mask": coco_rle(bits)})


def _truth(sample: Sample) -> Rle:
    mask = region_of(sample).mask
    assert mask is not None
    return mask


def _mask(sample: Sample, said: Prediction) -> Rle:
    where = f"answer to {sample.id}"
    return rle_of(entry(said.form, "mask", (dict, list), where), region_of(sample).size, where)


def _overlap(truth: Rle, said: Rle | None) -> tuple[int, int]:
    """Return how many pixels are in both masks, and how many in either."""
    masks = needed("pycocotools.mask")
    n_true = int(masks.area(truth))
    if said is None:
        return 0, n_true
    common = int(masks.area(masks.merge([truth, said], intersect=True)))
    return common, n_true + int(masks.area(said)) - common
