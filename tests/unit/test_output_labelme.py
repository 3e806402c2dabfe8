"""Results as LabelMe's shapes, filled by Pillow as LabelMe fills them."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

import youtu_gguf as yg
from youtu_gguf.output import Source, encode
from youtu_gguf.types import Bits, Result, Size

SOURCE = Source(name="photos/street.jpg", size=Size(80, 60), label="the cup")
BITS = np.zeros((60, 80), np.bool_)
BITS[10:50, 5:60] = True
BITS[20:30, 20:40] = False  # a hole
BITS[52:58, 70:79] = True


def shapes(result: Result) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(encode(result, "labelme.json", SOURCE))["shapes"]
    return found


def filled(polygons: list[dict[str, Any]]) -> Bits:
    image = Image.new("1", (80, 60))
    for polygon in polygons:
        ImageDraw.Draw(image).polygon([(int(x), int(y)) for x, y in polygon["points"]], fill=1, outline=1)
    return np.asarray(image)


def test_a_file_names_the_image_beside_it_and_its_size() -> None:
    form = json.loads(encode(yg.Boxes([[1, 2, 3, 4]], ("cup",)), "labelme.json", SOURCE))
    assert (form["imagePath"], form["imageData"]) == ("street.jpg", None)
    assert (form["imageWidth"], form["imageHeight"]) == (80, 60)
    assert form["version"].split(".")[0] == "5"


def test_a_box_is_a_rectangle_between_two_corners() -> None:
    (shape,) = shapes(yg.Boxes([[1, 2, 3.456, 4]], ("杯",), np.array([0.5])))
    assert (shape["label"], shape["shape_type"], shape["points"]) == ("杯", "rectangle", [[1, 2], [3.46, 4]])
    assert (shape["score"], shape["group_id"], shape["flags"]) == (0.5, None, {})


def test_polygons_fill_exactly_the_pixels_of_a_mask_its_holes_left_out() -> None:
    found = shapes(yg.Mask(BITS))
    assert [(s["label"], s["shape_type"], s["group_id"]) for s in found] == [("the cup", "polygon", 1)] * 2
    assert np.array_equal(filled(found), BITS)


def test_the_outlines_of_one_object_are_a_group() -> None:
    ring = np.array([[0, 0], [4, 0], [4, 3]], np.float32)
    found = shapes(yg.Polygons(((ring,), (ring, ring + 5)), ("cup", "cup")))
    assert [s["group_id"] for s in found] == [None, 2, 2]


def test_a_person_is_a_rectangle_and_points_of_one_group() -> None:
    xyv = np.zeros((1, 16, 3), np.float32)
    xyv[0, 0], xyv[0, 9] = (3, 4, 1), (5, 6, 0.5)
    box, ankle, head = shapes(yg.Poses(xyv, [[0, 0, 9, 9]]))
    assert (box["label"], box["shape_type"]) == ("person", "rectangle")
    assert (ankle["label"], ankle["shape_type"], ankle["points"], ankle["flags"]) == (
        "right_ankle",
        "point",
        [[3, 4]],
        {},
    )
    assert (head["label"], head["flags"]) == ("head_top", {"hidden": True})
    assert {shape["group_id"] for shape in (box, ankle, head)} == {1}
