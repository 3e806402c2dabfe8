"""Boxes out of COCO's JSON: what our own files and pycocotools say, as prompts for masks, and what is broken."""

from __future__ import annotations

import copy
import json
from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO

import youtu_gguf as yg
from youtu_gguf.output.coco import CocoDataset
from youtu_gguf.types import Size

BOXES = yg.Boxes([[1, 2, 3.5, 4], [0, 0, 6, 4]], ("cup", "dog"), np.array([0.5, 0.25]))
OTHER = yg.Boxes([[2, 2, 3, 3]], ("cup",))


@pytest.fixture
def form() -> dict[str, Any]:
    data = CocoDataset()
    data.add("a.jpg", Size(6, 4), BOXES)
    data.add("b/b.jpg", Size(6, 4), OTHER)
    data.add("c.jpg", Size(6, 4))
    return json.loads(json.dumps(data.to_dict()))  # type: ignore[no-any-return]


def test_boxes_come_back_out_of_a_file_that_was_written(form: dict[str, Any]) -> None:
    for image in ("a.jpg", 1):
        found = yg.Boxes.from_coco(form, image)
        assert found.xyxy.tolist() == BOXES.xyxy.tolist()
        assert found.labels == BOXES.labels
        assert found.scores is not None
        assert found.scores.tolist() == [0.5, 0.25]
    assert yg.Boxes.from_coco(form, "b/b.jpg").scores is None
    assert yg.Boxes.from_coco(form, "c.jpg").xyxy.shape == (0, 4)


def test_crowds_are_left_out_and_a_score_that_is_missing_is_not_known(form: dict[str, Any]) -> None:
    del form["annotations"][0]["score"]
    found = yg.Boxes.from_coco(form, 1)
    assert found.scores is not None
    assert np.isnan(found.scores[0])
    form["annotations"][1]["iscrowd"] = 1
    assert yg.Boxes.from_coco(form, 1).labels == ("cup",)


def test_the_only_image_need_not_be_named(form: dict[str, Any]) -> None:
    with pytest.raises(yg.InputError, match=r"file name or the id of one of 3 images; got None"):
        yg.Boxes.from_coco(form)
    form["images"] = form["images"][:1]
    assert yg.Boxes.from_coco(form).labels == ("cup", "dog")


def test_results_are_named_by_ids_and_have_no_labels(form: dict[str, Any]) -> None:
    results = form["annotations"]
    found = yg.Boxes.from_coco(results, 1)
    assert (found.xyxy.tolist(), found.labels) == (BOXES.xyxy.tolist(), ("", ""))
    assert len(yg.Boxes.from_coco(results, 3)) == 0
    assert yg.Boxes.from_coco(results[:2]).xyxy.tolist() == BOXES.xyxy.tolist()
    assert len(yg.Boxes.from_coco([])) == 0
    with pytest.raises(yg.InputError, match="expected the id of an image, since results have no file names"):
        yg.Boxes.from_coco(results, "a.jpg")
    with pytest.raises(yg.InputError, match="expected the id of an image"):
        yg.Boxes.from_coco(results)


def test_they_are_those_of_pycocotools(capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(5)
    data = CocoDataset(["c", "b", "a"])
    for image in range(20):
        n = int(rng.integers(0, 9))
        corners = np.sort(rng.uniform(0, 500, (n, 2, 2)), axis=1).reshape(n, 4)
        labels = tuple(rng.choice(["a", "b", "c"], n).tolist())
        data.add(f"{image}.jpg", Size(500, 500), yg.Boxes(corners, labels))
    form = json.loads(json.dumps(data.to_dict()))
    reader = COCO()
    reader.dataset = form
    reader.createIndex()
    for image in form["images"]:
        theirs = reader.loadAnns(reader.getAnnIds(imgIds=[image["id"]]))
        found = yg.Boxes.from_coco(form, image["file_name"])
        names = tuple(reader.loadCats(each["category_id"])[0]["name"] for each in theirs)
        assert found.labels == names
        boxes = np.array([each["bbox"] for each in theirs]).reshape(-1, 4)
        ours = np.concatenate([found.xyxy[:, :2], found.xyxy[:, 2:] - found.xyxy[:, :2]], axis=1)
        assert np.abs(ours - boxes).max(initial=0) < 1e-4  # float32 of numbers below 500
    capsys.readouterr()


BROKEN: list[tuple[tuple[Any, ...], Any, str]] = [
    (("images",), {}, r"expected COCO's JSON with a list 'images'; got \{\}"),
    (("annotations",), None, "expected COCO's JSON with a list 'annotations'; got None"),
    (("categories", 0), "cup", r"categories\[0\]: expected an object with 'id'; got 'cup'"),
    (("images", 1, "file_name"), "a.jpg", r"got 'a.jpg', which 2 have"),
    (("annotations", 1, "bbox"), [1, 2, 3], r"annotations\[1\]: expected 'bbox' to be left, top, width, height"),
    (("annotations", 1, "bbox"), [1, 2, 3, -1], r"annotations\[1\]: expected 'bbox' to be left, top, width, height"),
    (("annotations", 1, "bbox"), [1, 2, 3, 10**400], r"annotations\[1\]: expected 'bbox'"),
    (("annotations", 1, "bbox"), [1, 2, 3, float("nan")], r"annotations\[1\]: expected 'bbox'"),
    (("annotations", 1, "score"), "high", r"annotations\[1\]: expected 'score' to be a number; got 'high'"),
    (("annotations", 1, "image_id"), [1], r"annotations\[1\]: expected 'image_id' to be a whole number; got \[1\]"),
    (("categories", 0, "id"), {}, r"categories\[0\]: expected 'id' to be a whole number; got \{\}"),
    (("annotations", 1, "category_id"), 9, r"annotations\[1\]: expected 'category_id' among the categories; got 9"),
]


@pytest.mark.parametrize(("place", "value", "message"), BROKEN)
def test_what_is_broken_is_told_with_its_place(
    place: tuple[Any, ...], value: Any, message: str, form: dict[str, Any]
) -> None:
    broken = copy.deepcopy(form)
    part: Any = broken
    for key in place[:-1]:
        part = part[key]
    part[place[-1]] = value
    with pytest.raises(yg.InputError, match=message):
        yg.Boxes.from_coco(broken, "a.jpg")


def test_a_path_is_no_json() -> None:
    with pytest.raises(yg.InputError, match=r"expected COCO's JSON, a dict or a list; got 'a.json'. Read it with json"):
        yg.Boxes.from_coco("a.json")
