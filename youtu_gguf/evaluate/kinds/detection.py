"""Objects of fixed classes, found as boxes or as masks. Their measure is average precision as COCO defines it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import youtu_gguf as yg
from youtu_gguf.decode.merge import distinct_boxes
from youtu_gguf.evaluate.base import Data, Figure, Measure, Prediction, Sample
from youtu_gguf.evaluate.data.coco import CocoResult, read_coco_results
from youtu_gguf.evaluate.data.needed import needed
from youtu_gguf.evaluate.data.objects import TrueObjects, true_objects
from youtu_gguf.evaluate.data.segmentation import Rle, rle_of
from youtu_gguf.evaluate.kinds.detected import DetectionMeasure
from youtu_gguf.output.rle import coco_rle
from youtu_gguf.types import F32, Find, Size, each_score

_DIGITS = 2  # of coordinates and scores in files, as in COCO's own


@dataclass(frozen=True)
class Detection:
    """Boxes of objects, or their masks.

    A prediction is `{"boxes": [[left, top, right, bottom], ...], "labels": [...], "scores": [...]}`, and for masks
    "masks", compressed run lengths. Scores may be null. With `"ranked_by": "scores"` the objects have a ranking of
    their own, which is used in place of the one that is set.

    Options: "rank" is what objects are ranked by, "area" of their boxes or "scores". "prompt" is "all" for one question
    about all classes, "everything" for one that names none, a number for questions about so many classes at a time,
    and for masks also "named", for the classes that the model names before. "zoom" is for boxes; "limit", "crop_size"
    and "refine" are for masks. All are those of `Scene.detect` and `Scene.instances`.

    Attributes:
        masks: Whether masks are asked for and compared, and not boxes.
    """

    masks: bool = False

    @property
    def figures(self) -> tuple[Figure, ...]:
        """AP by the ranking that is set, and by each of both."""
        return (
            Figure("ap", "AP"),
            Figure("ap50", "AP50"),
            Figure("ap75", "AP75"),
            Figure("ap_area", "AP by area"),
            Figure("ap_scores", "AP by scores"),
        )

    def ask(self, scene: yg.Scene, sample: Sample, options: Mapping[str, Any]) -> Prediction:
        """Find objects of the data's classes."""
        classes = sample.asked["classes"]
        return Prediction(_masked(scene, classes, options) if self.masks else _boxed(scene, classes, options))

    def perfect(self, sample: Sample) -> Prediction:
        """Return the objects that are no crowds."""
        truth = true_objects(sample)
        objects = [each for each in truth.annotations if not each.iscrowd]
        form: dict[str, Any] = {
            "boxes": [each.xyxy.tolist() for each in objects],
            "labels": [truth.categories[each.category_id] for each in objects],
            "scores": [1.0] * len(objects),
        }
        if self.masks:
            form["masks"] = [_as_json(rle_of(each.segmentation, truth.size, each.where)) for each in objects]
        return Prediction(form)

    def measure(self, data: Data, options: Mapping[str, Any]) -> Measure:
        """Return an empty measure.

        Raises:
            InputError: The package pycocotools is not installed.
        """
        return DetectionMeasure(data.classes, masks=self.masks, by_area=options["rank"] == "area")

    def baselines(self, data: Data, options: Mapping[str, Any]) -> Mapping[str, Callable[[Sample], Prediction]]:  # noqa: ARG002
        """Return what finds one object of the most frequent class in every image, as large as the image."""
        truths = [true_objects(sample) for sample in data.samples]
        frequent = Counter(truth.categories[each.category_id] for truth in truths for each in truth.annotations)
        if not frequent:
            return {}
        name = frequent.most_common(1)[0][0]

        def whole(sample: Sample) -> Prediction:
            width, height = true_objects(sample).size
            form: dict[str, Any] = {"boxes": [[0, 0, width, height]], "labels": [name], "scores": [1.0]}
            if self.masks:
                form["masks"] = [coco_rle(np.ones((height, width), np.bool_))]
            return Prediction(form)

        return {f"{name}, as large as the image": whole}

    def read_predictions(self, path: Path, data: Data) -> Mapping[str, Prediction]:
        """Return answers of a COCO file of results. They are ranked by their scores; images without any have none.

        Raises:
            InputError: It is broken, lacks the masks, or is about images or categories that the data lack.
        """
        truths = {sample.id: true_objects(sample) for sample in data.samples}
        found: dict[str, list[CocoResult]] = {name: [] for name in truths}
        for result in read_coco_results(path):
            name = str(result.image_id)
            if name not in found:
                raise yg.InputError(
                    f"{result.where}: expected 'image_id' of the data; got {name}. Is it another split?"
                )
            if result.category_id not in truths[name].categories:
                raise yg.InputError(f"{result.where}: expected 'category_id' of the data; got {result.category_id}.")
            found[name].append(result)
        return {name: Prediction(self._form(results, truths[name])) for name, results in found.items()}

    def _form(self, results: Sequence[CocoResult], truth: TrueObjects) -> dict[str, Any]:
        form: dict[str, Any] = {
            "boxes": [_box(each, truth.size) for each in results],
            "labels": [truth.categories[each.category_id] for each in results],
            "scores": [each.score for each in results],
            "ranked_by": "scores",
        }
        if self.masks:
            form["masks"] = [_as_json(rle_of(each.segmentation, truth.size, each.where)) for each in results]
        return form


def _boxed(scene: yg.Scene, classes: Sequence[str], options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the boxes of all questions, those found by several left out."""
    several = [
        scene.detect(names, zoom=list(options["zoom"]), scores=True) for names in _questions(classes, options["prompt"])
    ]
    xyxy = np.concatenate([boxes.xyxy for boxes in several])
    labels = [label for boxes in several for label in boxes.labels]
    scores = [score for boxes in several for score in _scores(boxes)]
    kept = range(len(labels)) if len(several) == 1 else distinct_boxes(xyxy, labels).tolist()
    return _form(xyxy[kept], [labels[i] for i in kept], [scores[i] for i in kept])


def _masked(scene: yg.Scene, classes: Sequence[str], options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the objects of all questions whose masks are not empty."""
    find: Find = "everything" if options["prompt"] == "everything" else "names"
    how = {name: options[name] for name in ("limit", "crop_size", "refine")}
    form: dict[str, Any] = {"boxes": [], "labels": [], "scores": [], "masks": []}
    for names in _questions(classes, options["prompt"]):
        found = scene.instances(names, find=find, **how)
        found = found[np.flatnonzero(found.masks.any(axis=(1, 2)))]
        part = _form(found.xyxy, found.labels, _scores(found))
        part["masks"] = [coco_rle(mask) for mask in found.masks]
        form = {key: form[key] + part[key] for key in form}
    return form


def _questions(classes: Sequence[str], prompt: str | int) -> Iterator[Sequence[str] | None]:
    """Yield the classes that each question names; None for a question that names none."""
    if isinstance(prompt, str):
        yield classes if prompt == "all" else None
    else:
        yield from (classes[start : start + prompt] for start in range(0, len(classes), prompt))


def _form(xyxy: F32, labels: Sequence[str], scores: Sequence[float | None]) -> dict[str, Any]:
    return {
        "boxes": [[round(number, _DIGITS) for number in box] for box in xyxy.tolist()],
        "labels": [*labels],
        "scores": [*scores],
    }


def _scores(found: yg.Boxes | yg.Instances) -> list[float | None]:
    return [
        None if score is None or np.isnan(score) else round(score, 4) for score in each_score(found.scores, len(found))
    ]


def _as_json(rle: Rle) -> dict[str, Any]:
    return {**rle, "counts": rle["counts"].decode("ascii")}


def _box(result: CocoResult, size: Size) -> list[float]:
    """Return the box of a result, or that of its mask where it has none, as left, top, right, bottom."""
    if result.xyxy is not None:
        return [*map(float, result.xyxy)]
    mask = rle_of(result.segmentation, size, result.where)
    left, top, width, height = needed("pycocotools.mask").toBbox(mask).tolist()
    return [left, top, left + width, top + height]
