"""Phrases whose box is looked for: RefCOCO and its relatives."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import NoneType
from typing import Any

import numpy as np

import youtu_gguf as yg
from youtu_gguf.evaluate.base import Data, Figure, Measure, Prediction, Sample
from youtu_gguf.evaluate.data.coco import box_of
from youtu_gguf.evaluate.data.files import entry, read_json
from youtu_gguf.evaluate.data.segmentation import Rle
from youtu_gguf.evaluate.mean import Mean
from youtu_gguf.types import Size

RIGHT_IOU = 0.5
"""From this overlap on a box is right."""

Xyxy = tuple[float, float, float, float]
"""Left, top, right, bottom in source pixels; pixel j covers j to j + 1."""

_CORNERS = 4


@dataclass(frozen=True)
class Region:
    """What a phrase means.

    Attributes:
        xyxy: Its box.
        size: Of the image.
        mask: Its mask, where that is asked for.
    """

    xyxy: Xyxy
    size: Size
    mask: Rle | None = None


@dataclass(frozen=True)
class Grounding:
    """The model is asked for the box of a phrase.

    Samples have a `Region` as their truth, and ask with the texts "sent" and "raw", of which an option chooses.
    Predictions have "box": `Xyxy`, or None where the answer held no box.
    """

    figures: tuple[Figure, ...] = (
        Figure("accuracy", "Acc@0.5"),
        Figure("mean_iou", "Mean IoU"),
        Figure("no_box", "No box", lower_is_better=True),
    )

    def ask(self, scene: yg.Scene, sample: Sample, options: Mapping[str, Any]) -> Prediction:
        """Ask for the box of the phrase; of several, the option "box" says which counts."""
        found = scene.ground(phrase_of(sample, options), zoom=options["zoom"]).xyxy.astype(np.float64)
        if not len(found):
            return Prediction({"box": None})
        sides = found[:, 2:] - found[:, :2]
        which = 0 if options["box"] == "first" else int(sides.prod(axis=1).argmax())
        return Prediction({"box": found[which].tolist()})

    def perfect(self, sample: Sample) -> Prediction:
        """Return the true box."""
        return Prediction({"box": list(region_of(sample).xyxy)})

    def measure(self, data: Data, options: Mapping[str, Any]) -> Measure:  # noqa: ARG002 - every sample counts alike
        """Return means over phrases."""
        return Mean(_judge)

    def baselines(
        self,
        data: Data,
        options: Mapping[str, Any],  # noqa: ARG002 - the same for all
    ) -> Mapping[str, Callable[[Sample], Prediction]]:
        """Return the whole image, and a box in its middle."""
        share = mean_share(data)

        def whole(sample: Sample) -> Prediction:
            return Prediction({"box": [0.0, 0.0, *map(float, region_of(sample).size)]})

        def middle(sample: Sample) -> Prediction:
            return Prediction({"box": list(middle_box(region_of(sample).size, share))})

        return {"whole image": whole, "middle of the image, mean size": middle}

    def read_predictions(self, path: Path, data: Data) -> Mapping[str, Prediction]:
        """Return boxes from a JSON list of objects with "sent_id" and "bbox", as COCO's results have boxes."""
        found = {}
        for sample, record, where in by_sentence(path, data):
            found[sample.id] = Prediction({"box": box_of(entry(record, "bbox", list, where), where).tolist()})
        return found


def region_of(sample: Sample) -> Region:
    """Return the truth of a sample."""
    assert isinstance(sample.truth, Region)
    return sample.truth


def phrase_of(sample: Sample, options: Mapping[str, Any]) -> str:
    """Return what is asked for.

    Raises:
        InputError: The data have no such text.
    """
    text = sample.asked.get(options["text"])
    if not isinstance(text, str):
        raise yg.InputError(
            f"expected the phrase {sample.id} to have a text {options['text']!r}; it has none. Use --set text=sent."
        )
    return text


def box_iou(one: Xyxy, other: Xyxy) -> float:
    """Return the overlap of two boxes: the area in both as a share of the area in either; 0 where that has none."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    common = max(width, 0.0) * max(height, 0.0)
    either = _area(one) + _area(other) - common
    return common / either if either > 0 else 0.0


def mean_share(data: Data) -> tuple[float, float]:
    """Return the mean width and height of the boxes of all samples, as shares of those of their images."""
    shares = [
        ((right - left) / size.width, (bottom - top) / size.height)
        for (left, top, right, bottom), size in ((region.xyxy, region.size) for region in map(region_of, data.samples))
    ]
    width, height = np.mean(shares, axis=0).tolist()
    return width, height


def middle_box(size: Size, share: tuple[float, float]) -> Xyxy:
    """Return the box in the middle of an image that has these shares of its width and height."""
    margins = [side * (1 - part) / 2 for side, part in zip(size, share, strict=True)]
    return margins[0], margins[1], size.width - margins[0], size.height - margins[1]


def by_sentence(path: Path, data: Data) -> Iterator[tuple[Sample, Any, str]]:
    """Yield the sample, the record and its place for each object of a JSON list, whose "sent_id" says the sample.

    Raises:
        InputError: The file is broken, a sentence is not in the data, or is there twice.
    """
    records = read_json(path)
    if not isinstance(records, list):
        raise yg.InputError(
            f"{path}: expected a list of objects with 'sent_id'; got {type(records).__name__}. "
            "Lines with 'id' and 'prediction' are read from a file that ends in .jsonl."
        )
    waiting = {sample.id.rpartition("-")[2]: sample for sample in data.samples}
    for number, record in enumerate(records):
        where = f"{path}, [{number}]"
        sent_id = entry(record, "sent_id", int, where)
        sample = waiting.pop(str(sent_id), None)
        if sample is None:
            raise yg.InputError(f"{where}: expected a sentence of this split, once; got sent_id {sent_id}.")
        yield sample, record, where


def _judge(sample: Sample, said: Prediction | None) -> Mapping[str, float]:
    box = None if said is None else _box(sample, said)
    if box is None:
        return {"accuracy": 0.0, "mean_iou": 0.0, "no_box": 1.0}
    iou = box_iou(box, region_of(sample).xyxy)
    return {"accuracy": float(iou >= RIGHT_IOU), "mean_iou": iou, "no_box": 0.0}


def _box(sample: Sample, said: Prediction) -> Xyxy | None:
    where = f"answer to {sample.id}"
    box = entry(said.form, "box", (list, NoneType), where)
    if box is None:
        return None
    numbers = [float(value) for value in box if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(box) != _CORNERS or len(numbers) != _CORNERS or not all(map(math.isfinite, numbers)):
        raise yg.InputError(f"{where}: expected 'box' to be left, top, right, bottom; got {str(box)[:60]}.")
    left, top, right, bottom = numbers
    return left, top, right, bottom


def _area(box: Xyxy) -> float:
    return max(box[2] - box[0], 0.0) * max(box[3] - box[1], 0.0)
