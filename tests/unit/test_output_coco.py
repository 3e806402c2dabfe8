"""Results as COCO's annotations: by hand, and as pycocotools reads them where it is installed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import youtu_gguf as yg
from youtu_gguf.facts import MPII_JOINTS
from youtu_gguf.output import WRITERS, Source, encode
from youtu_gguf.output.coco import CocoDataset
from youtu_gguf.output.rle import coco_rle
from youtu_gguf.types import Result, Size

SIZE = Size(6, 4)
BITS = np.zeros((4, 6), np.bool_)
BITS[1:3, 2:5] = True
RING = np.array([[0, 0], [4, 0], [4, 3]], np.float32)
XYV = np.full((1, 16, 3), np.nan, np.float32)
XYV[0, :, :2] = 1, 2
XYV[0, 0] = 3, 1, 1
XYV[0, 1] = 5, 3, 0.4
XYV[0, 2] = 9, 9, 0


def annotations(result: Result, source: Source | None = None) -> list[dict[str, Any]]:
    form = json.loads(encode(result, "coco.json", source or Source(size=SIZE)))
    return [{key: a[key] for key in a if key not in ("id", "image_id", "iscrowd")} for a in form["annotations"]]


def test_a_box_is_left_top_width_height() -> None:
    boxes = yg.Boxes([[1, 2, 3.456, 4]], ("cup",), np.array([0.5]))
    assert annotations(boxes) == [
        {"category_id": 1, "bbox": [1, 2, 2.46, 2], "area": 4.91, "segmentation": [], "score": 0.5}
    ]


def test_boxes_that_were_counted_are_objects_too() -> None:
    boxes = yg.Boxes([[1, 2, 3, 4]], ("cup",))
    assert annotations(yg.Count(1, boxes=boxes)) == annotations(boxes)
    with pytest.raises(yg.InputError, match="expected a count with its boxes"):
        annotations(yg.Count(1))


def test_a_mask_has_its_pixels_their_extent_and_the_phrase_it_was_asked_for_by() -> None:
    source = Source(label="the cup")
    (form,) = annotations(yg.Mask(BITS, score=float("nan")), source)
    assert form == {"category_id": 1, "bbox": [2, 1, 3, 2], "area": 6, "segmentation": coco_rle(BITS)}
    categories = json.loads(encode(yg.Mask(BITS), "coco.json", source))["categories"]
    assert categories == [{"id": 1, "name": "the cup", "supercategory": ""}]
    assert annotations(yg.Mask(BITS & False)) == []


def test_outlines_are_lists_of_numbers_and_enclose_their_area() -> None:
    (form,) = annotations(yg.Polygons(((RING, RING + 1),), ("cup",)))
    assert form["segmentation"] == [[0, 0, 4, 0, 4, 3], [1, 1, 5, 1, 5, 4]]
    assert (form["area"], form["bbox"]) == (12, [0, 0, 5, 4])


def test_every_class_of_a_label_map_that_has_pixels_is_an_annotation() -> None:
    labels = yg.LabelMap(np.where(BITS, 2, 0), ("road", "sky", "car"))
    assert [(a["category_id"], a["area"]) for a in annotations(labels)] == [(1, 18), (2, 6)]


def test_an_instance_with_an_empty_mask_has_its_box_alone() -> None:
    found = yg.Instances(np.stack([BITS, BITS & False]), [[1, 1, 6, 4], [0, 0, 2, 2]], ("cup", ""))
    first, second = annotations(found)
    assert (first["bbox"], first["area"]) == ([2, 1, 3, 2], 6)
    assert (second["bbox"], second["area"], second["segmentation"]) == ([0, 0, 2, 2], 4, [])


def test_a_person_has_sixteen_joints_each_seen_hidden_or_nowhere() -> None:
    (form,) = annotations(yg.Poses(XYV, [[0, 0, 5, 4]]))
    assert form["keypoints"][:12] == [3, 1, 2, 5, 3, 1, 0, 0, 0, 1, 2, 2]
    assert (len(form["keypoints"]), form["num_keypoints"]) == (48, 15)
    (category,) = json.loads(encode(yg.Poses(XYV, [[0, 0, 5, 4]]), "coco.json", Source(size=SIZE)))["categories"]
    assert (category["name"], category["keypoints"]) == ("person", [*MPII_JOINTS])
    assert [1, 2] in category["skeleton"]
    assert min(map(min, category["skeleton"])) == 1


def test_a_person_without_a_box_has_that_of_its_joints() -> None:
    (form,) = annotations(yg.Poses(XYV, [[np.nan] * 4]))
    assert form["bbox"] == [1, 1, 4, 2]
    (lost,) = annotations(yg.Poses(np.zeros((1, 16, 3)), [[np.nan] * 4]))
    assert (lost["bbox"], lost["num_keypoints"]) == ([0, 0, 0, 0], 0)


def test_boxes_need_the_size_of_the_image() -> None:
    with pytest.raises(yg.InputError, match="COCO needs the size of the image"):
        encode(yg.Boxes([[1, 2, 3, 4]], ("cup",)), "coco.json")


def test_a_data_set_counts_images_and_categories_in_the_order_of_their_coming() -> None:
    data = CocoDataset(["dog"])
    data.add("b.jpg", SIZE, yg.Boxes([[0, 0, 1, 1]], ("cat",)))
    data.add("a/a.jpg", SIZE)
    data.add("b.jpg", SIZE, yg.Mask(BITS), label="dog")
    form = data.to_dict()
    assert form["images"] == [
        {"id": 1, "file_name": "b.jpg", "width": 6, "height": 4},
        {"id": 2, "file_name": "a/a.jpg", "width": 6, "height": 4},
    ]
    assert [(c["id"], c["name"]) for c in form["categories"]] == [(1, "dog"), (2, "cat")]
    assert [(a["id"], a["image_id"], a["category_id"]) for a in form["annotations"]] == [(1, 1, 2), (2, 1, 1)]


def test_what_readers_would_refuse_is_not_added() -> None:
    data = CocoDataset()
    data.add("a.jpg", SIZE, yg.Poses(XYV, [[0, 0, 5, 4]]))
    before = json.dumps(data.to_dict())
    with pytest.raises(yg.InputError, match="persons with joints or other objects"):
        data.add("b.jpg", SIZE, yg.Boxes([[0, 0, 1, 1]], ("cat",)))
    with pytest.raises(yg.InputError, match=r"was added as 6x4; got 4x6"):
        data.add("a.jpg", Size(4, 6))
    assert json.dumps(data.to_dict()) == before


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning")
def test_pycocotools_reads_the_same_pixels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    coco = pytest.importorskip("pycocotools.coco")
    noise = np.random.default_rng(1).random((3, 40, 50)) > np.array([0.2, 0.5, 0.9])[:, None, None]
    found = yg.Instances(noise, [[0, 0, 50, 40]] * 3, ("猫", "dog", "猫"), np.array([0.9, 0.8, 0.7]))
    path = tmp_path / "found.coco.json"
    WRITERS["coco.json"](path, found, Source(name="猫.jpg"))
    read = coco.COCO(str(path))
    assert read.loadImgs([1])[0]["file_name"] == "猫.jpg"
    assert [read.loadCats(a["category_id"])[0]["name"] for a in read.loadAnns([1, 2, 3])] == ["猫", "dog", "猫"]
    for annotation, mask in zip(read.loadAnns([1, 2, 3]), noise, strict=True):
        assert np.array_equal(read.annToMask(annotation), mask)
        assert annotation["area"] == np.count_nonzero(mask)
    assert read.getAnnIds(catIds=[1]) == [1, 3]


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning")
def test_pycocotools_gives_full_marks_to_what_was_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    coco = pytest.importorskip("pycocotools.coco")
    evaluation = pytest.importorskip("pycocotools.cocoeval")
    bits = np.zeros((2, 64, 64), np.bool_)
    bits[0, 4:40, 8:50] = bits[1, 44:60, 10:60] = True
    cases: list[tuple[str, yg.Result]] = [
        ("segm", yg.Instances(bits, [[8, 4, 50, 40], [10, 44, 60, 60]], ("a", "b"), np.array([0.9, 0.8]))),
        ("bbox", yg.Boxes([[8, 4, 50, 40], [10, 44, 60, 60]], ("a", "b"), np.array([0.9, 0.8]))),
    ]
    for kind, result in cases:
        path = tmp_path / f"{kind}.coco.json"
        WRITERS["coco.json"](path, result, Source(size=Size(64, 64)))
        truth = coco.COCO(str(path))
        judged = evaluation.COCOeval(truth, truth.loadRes(truth.dataset["annotations"]), kind)
        judged.evaluate()
        judged.accumulate()
        judged.summarize()
        assert judged.stats[0] == pytest.approx(1)
