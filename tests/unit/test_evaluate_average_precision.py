"""Average precision: by hand on small cases, and equal to pycocotools' on random ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from youtu_gguf.evaluate.average_precision import THRESHOLDS, AveragePrecision
from youtu_gguf.evaluate.base import Data, Prediction, Sample
from youtu_gguf.evaluate.data.coco import CocoAnnotation
from youtu_gguf.evaluate.data.objects import TrueObjects
from youtu_gguf.evaluate.kinds.detection import Detection
from youtu_gguf.types import Bits, Size

NO_CROWD = np.zeros(1, np.bool_)
BY_SCORES = {"rank": "scores"}


def scored(*images: tuple[list[float], list[list[float]], Bits], weights: list[float] | None = None) -> list[float]:
    """AP at each threshold of one class: ranks, overlaps and crowds of each image."""
    found = AveragePrecision()
    for number, (ranks, overlaps, crowds) in enumerate(images):
        shaped = np.reshape(np.array(overlaps, np.float64), (len(ranks), len(crowds)))
        found.add(number, "cup", np.array(ranks, np.float64), shaped, crowds)
    return found.at_thresholds(np.array(weights or [1.0] * len(images))).tolist()


def test_one_that_is_right_before_one_that_is_wrong_costs_nothing() -> None:
    assert scored(([0.9, 0.1], [[1.0], [0.0]], NO_CROWD)) == [1.0] * 10


def test_one_that_is_right_behind_one_that_is_wrong_halves_the_precision() -> None:
    assert scored(([0.1, 0.9], [[1.0], [0.0]], NO_CROWD)) == [0.5] * 10


def test_the_second_that_finds_the_same_is_wrong() -> None:
    both = scored(([0.9, 0.8, 0.7], [[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]], np.zeros(2, np.bool_)))
    # Recall 1/2 at precision 1, then 1 at 2/3: 51 of the 101 recalls are at most 1/2.
    assert both == pytest.approx([(51 * 1 + 50 * 2 / 3) / 101] * 10)


def test_an_overlap_of_six_tenths_passes_three_thresholds() -> None:
    assert scored(([0.9], [[0.6]], NO_CROWD)) == [1, 1, 1, *[0] * 7]
    assert THRESHOLDS[2] == 0.6


def test_what_is_never_found_is_a_recall_that_is_not_reached() -> None:
    assert scored(([0.9], [[1.0, 0.0]], np.zeros(2, np.bool_))) == pytest.approx([51 / 101] * 10)
    assert scored(([], [], NO_CROWD)) == [0] * 10


def test_what_lies_in_a_crowd_is_neither_right_nor_wrong() -> None:
    crowds = np.array([False, True])
    assert scored(([0.9, 0.8, 0.7], [[0.0, 1.0], [0.0, 0.87], [1.0, 1.0]], crowds)) == [1.0] * 8 + [0.5] * 2


def test_classes_without_objects_do_not_count() -> None:
    found = AveragePrecision()
    found.add(0, "cup", np.ones(1), np.ones((1, 1)), NO_CROWD)
    found.add(0, "dog", np.ones(1), np.zeros((1, 0)), NO_CROWD[:0])
    found.add(0, "car", np.ones(1), np.ones((1, 1)), ~NO_CROWD)
    assert found.at_thresholds(np.ones(1)).tolist() == [1.0] * 10
    assert np.isnan(found.at_thresholds(np.zeros(1))).all()


def test_a_hundred_detections_of_a_class_in_an_image_count() -> None:
    last = [[0.0]] * 100 + [[1.0]]
    assert scored((np.arange(101, 0, -1).tolist(), last, NO_CROWD)) == [0] * 10
    assert scored((np.arange(100, 0, -1).tolist(), last[1:], NO_CROWD)) == pytest.approx([0.01] * 10)


def test_an_image_that_counts_twice_is_as_if_it_came_twice() -> None:
    rng = np.random.default_rng(3)
    images: list[Any] = [
        (rng.random(n).tolist(), rng.random((n, m)).tolist(), rng.random(m) < 0.2)
        for n, m in rng.integers(1, 6, (12, 2))
    ]
    weights = rng.integers(0, 3, 12).tolist()
    repeated = [image for image, times in zip(images, weights, strict=True) for _ in range(times)]
    assert scored(*images, weights=weights) == pytest.approx(scored(*repeated), abs=1e-12)


def drawn(rng: np.random.Generator, n_images: int, n_classes: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Objects, some of them crowds, and detections near them: coarse numbers, so that ties occur."""
    objects: list[dict[str, Any]] = []
    found: list[dict[str, Any]] = []
    for image in range(n_images):
        for _ in range(rng.integers(0, 7)):
            box = np.concatenate([rng.integers(0, 40, 2), rng.integers(1, 20, 2)]).astype(float)
            category = int(rng.integers(1, n_classes + 1))
            objects.append(
                {
                    "id": len(objects) + 1, "image_id": image, "category_id": category, "bbox": box.tolist(),
                    "area": box[2] * box[3], "iscrowd": int(rng.random() < 0.15), "segmentation": [outline(box)],
                }
            )  # fmt: skip
            for _ in range(rng.integers(0, 3)):
                near = box + rng.integers(-2, 3, 4) * (rng.random() < 0.8)
                near[:2], near[2:] = np.clip(near[:2], 0, 43), np.maximum(near[2:], 1)
                named = category if rng.random() < 0.9 else int(rng.integers(1, n_classes + 1))
                found.append(
                    {
                        "image_id": image, "category_id": named, "bbox": near.tolist(),
                        "score": round(float(rng.random()), 1), "segmentation": [outline(near)],
                    }
                )  # fmt: skip
    return objects, found


def outline(box: Any) -> list[float]:
    left, top, width, height = map(float, box)
    return [left, top, left + width, top, left + width, top + height, left, top + height]


def by_pycocotools(objects: list[Any], found: list[Any], n_images: int, n_classes: int, kind: str) -> list[float]:
    truth = COCO()
    truth.dataset = {
        "info": {}, "images": [{"id": i, "width": 64, "height": 64} for i in range(n_images)],
        "categories": [{"id": i + 1, "name": f"c{i + 1}"} for i in range(n_classes)],
        "annotations": [dict(each) for each in objects],
    }  # fmt: skip
    truth.createIndex()
    if kind == "bbox":
        found = [{key: each[key] for key in each if key != "segmentation"} for each in found]
    judged = COCOeval(truth, truth.loadRes([dict(each) for each in found]), kind)
    judged.params.areaRng, judged.params.areaRngLbl, judged.params.maxDets = [[0, 1e10]], ["all"], [100]
    judged.evaluate()
    judged.accumulate()
    precision = judged.eval["precision"][..., 0, 0]  # threshold, recall, class; -1 for classes without objects
    return [float(part[part > -1].mean()) for part in (precision, precision[0], precision[5])]


def by_us(objects: list[Any], found: list[Any], n_images: int, n_classes: int, kind: str) -> list[float]:
    names = {i + 1: f"c{i + 1}" for i in range(n_classes)}
    detection = Detection(masks=kind == "segm")
    measure = detection.measure(Data([], Path(), tuple(names.values())), BY_SCORES)
    for image in range(n_images):
        annotations = tuple(
            CocoAnnotation(
                each["id"], image, each["category_id"], corners(each["bbox"]), each["area"], bool(each["iscrowd"]),
                each["segmentation"], None, "truth",
            )
            for each in objects if each["image_id"] == image
        )  # fmt: skip
        said = [each for each in found if each["image_id"] == image]
        form = {
            "boxes": [corners(each["bbox"]).tolist() for each in said],
            "labels": [names[each["category_id"]] for each in said],
            "scores": [each["score"] for each in said],
            "masks": [each["segmentation"] for each in said],
        }
        sample = Sample(str(image), Path(f"{image}.jpg"), truth=TrueObjects(annotations, Size(64, 64), names))
        measure.add(sample, Prediction(form))
    figures = measure.figures()
    assert figures["ap"] == figures["ap_scores"] or np.isnan(figures["ap"])
    return [figures[name] for name in ("ap", "ap50", "ap75")]


def corners(bbox: list[float]) -> Any:
    left, top, width, height = bbox
    return np.array([left, top, left + width, top + height])


@pytest.mark.parametrize("kind", ["bbox", "segm"])
def test_figures_are_those_of_pycocotools(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(4)
    compared = 0
    while compared < 50:
        n_images, n_classes = int(rng.integers(1, 9)), int(rng.integers(1, 4))
        objects, found = drawn(rng, n_images, n_classes)
        if not found or all(each["iscrowd"] for each in objects):
            continue
        reference = by_pycocotools(objects, found, n_images, n_classes, kind)
        ours = by_us(objects, found, n_images, n_classes, kind)
        assert ours == pytest.approx(reference, abs=1e-12)
        compared += 1
    capsys.readouterr()
