"""Objects as Label Studio's predictions: by hand, and a setup that has what the regions name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

import youtu_gguf as yg
from tests.unit.test_output_brush_rle import decoded
from youtu_gguf.output import WRITERS, Source, encode
from youtu_gguf.output.label_studio import LabelStudioTasks
from youtu_gguf.types import Result, Size

SIZE = Size(200, 100)
SOURCE = Source(name="a/street.jpg", size=SIZE)
BITS = np.zeros((100, 200), np.bool_)
BITS[10:30, 20:50] = True
XYV = np.full((1, 16, 3), np.nan, np.float32)
XYV[0, :, :2] = 20, 50
XYV[0, 2] = 9, 9, 0
BOXES = yg.Boxes([[20, 10, 50, 30]], ("cup",), np.array([0.5]))


def regions(result: Result) -> list[dict[str, Any]]:
    (task,) = json.loads(encode(result, "label_studio.json", SOURCE))
    assert task["data"] == {"image": "a/street.jpg"}
    found: list[dict[str, Any]] = task["predictions"][0]["result"]
    return found


def test_a_box_is_a_rectangle_in_percent() -> None:
    (region,) = regions(BOXES)
    assert region["value"] == {
        "x": 10, "y": 10, "width": 15, "height": 20, "rotation": 0, "rectanglelabels": ["cup"]
    }  # fmt: skip
    assert {key: region[key] for key in ("from_name", "to_name", "type", "original_width", "original_height")} == {
        "from_name": "box", "to_name": "image", "type": "rectanglelabels",
        "original_width": 200, "original_height": 100,
    }  # fmt: skip
    (task,) = json.loads(encode(BOXES, "label_studio.json", SOURCE))
    assert (task["predictions"][0]["score"], task["predictions"][0]["model_version"]) == (0.5, "youtu-gguf")


def test_a_mask_is_a_brush_stroke_with_every_pixel() -> None:
    (region,) = regions(yg.Mask(BITS))
    assert (region["type"], region["value"]["brushlabels"]) == ("brushlabels", ["object"])
    assert np.array_equal(decoded(region["value"]["rle"]).reshape(100, 200, 4)[..., 3] > 0, BITS)


def test_an_outline_is_a_polygon_in_percent() -> None:
    ring = np.array([[0, 0], [20, 0], [20, 30]], np.float32)
    (region,) = regions(yg.Polygons(((ring,),), ("cup",)))
    assert region["value"] == {"points": [[0, 0], [10, 0], [10, 30]], "closed": True, "polygonlabels": ["cup"]}


def test_the_joints_of_a_person_belong_to_its_box() -> None:
    box, *joints = regions(yg.Poses(XYV, [[0, 0, 50, 60]]))
    assert (box["type"], len(joints)) == ("rectanglelabels", 15)
    assert {joint["parentID"] for joint in joints} == {box["id"]}
    assert (joints[0]["value"]["x"], joints[0]["value"]["y"], joints[0]["value"]["keypointlabels"]) == (
        10, 50, ["right_ankle"],
    )  # fmt: skip


def test_the_setup_beside_it_has_the_labels_of_all_regions(tmp_path: Path) -> None:
    poses = yg.Poses(XYV, [[0, 0, 50, 60]])
    WRITERS["label_studio.json"](tmp_path / "x.label_studio.json", poses, SOURCE)
    view = ElementTree.parse(tmp_path / "x.label_studio.xml").getroot()
    known = {control.get("name"): {label.get("value") for label in control} for control in view}
    assert view[0].attrib == {"name": "image", "value": "$image"}
    for region in regions(poses):
        assert set(region["value"][region["type"]]) <= known[region["from_name"]]


def test_tasks_of_many_images_are_a_list_whose_regions_have_names_of_their_own() -> None:
    tasks = LabelStudioTasks("/data/local-files/?d=")
    tasks.add("a.jpg", SIZE, BOXES)
    tasks.add("b.jpg", SIZE)
    tasks.add("c.jpg", SIZE, BOXES)
    tasks.add("a.jpg", SIZE, yg.Mask(BITS), label="mug\0")
    first, second, third = tasks.to_list()
    assert [task["data"]["image"] for task in (first, third)] == [
        "/data/local-files/?d=a.jpg",
        "/data/local-files/?d=c.jpg",
    ]
    assert second["predictions"] == []
    ids = [region["id"] for task in (first, third) for region in task["predictions"][0]["result"]]
    assert len({*ids}) == 3
    assert "mug\ufffd" in tasks.setup().decode()
    with pytest.raises(yg.InputError, match="was added as 200x100; got 1x1"):
        tasks.add("a.jpg", Size(1, 1))
