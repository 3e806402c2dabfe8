"""Objects as CVAT's annotations, by hand; tests/unit/test_datumaro.py has an independent reader."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest

import youtu_gguf as yg
from youtu_gguf.facts import MPII_JOINTS
from youtu_gguf.output import Source, encode
from youtu_gguf.output.cvat import CvatDataset
from youtu_gguf.types import Result, Size

SIZE = Size(6, 4)
SOURCE = Source(name="a/street.jpg", size=SIZE, label="the cup")
BITS = np.zeros((4, 6), np.bool_)
BITS[1, 2:5] = BITS[2, 3:4] = True
XYV = np.full((1, 16, 3), np.nan, np.float32)
XYV[0, :, :2] = 1, 2
XYV[0, 1] = 5, 3, 0.4
XYV[0, 2] = 9, 9, 0
BOXES = yg.Boxes([[1, 2, 3.456, 4]], ("cup",))


def parsed(data: bytes) -> ElementTree.Element:
    return ElementTree.fromstring(data)


def image_of(result: Result) -> ElementTree.Element:
    image = parsed(encode(result, "cvat.xml", SOURCE)).find("image")
    assert image is not None
    assert image.attrib == {"id": "0", "name": "a/street.jpg", "width": "6", "height": "4"}
    return image


def test_a_box_is_its_corners() -> None:
    (box,) = image_of(BOXES)
    assert (box.tag, box.attrib) == (
        "box",
        {
            "label": "cup", "source": "auto", "occluded": "0", "z_order": "0",
            "xtl": "1.00", "ytl": "2.00", "xbr": "3.46", "ybr": "4.00",
        },
    )  # fmt: skip


def test_a_mask_is_runs_along_the_rows_of_its_rectangle() -> None:
    (mask,) = image_of(yg.Mask(BITS))
    assert {key: mask.get(key) for key in ("label", "left", "top", "width", "height", "rle")} == {
        "label": "the cup", "left": "2", "top": "1", "width": "3", "height": "2", "rle": "0, 3, 1, 1, 1",
    }  # fmt: skip


def test_an_outline_is_a_polygon() -> None:
    ring = np.array([[0, 0], [4, 0], [4, 3]], np.float32)
    (polygon,) = image_of(yg.Polygons(((ring,),), ("cup",)))
    assert polygon.get("points") == "0.00,0.00;4.00,0.00;4.00,3.00"


def test_a_person_is_a_skeleton_of_all_joints() -> None:
    (skeleton,) = image_of(yg.Poses(XYV, [[0, 0, 5, 4]]))
    assert (skeleton.tag, skeleton.get("label")) == ("skeleton", "person")
    assert [point.get("label") for point in skeleton] == [*MPII_JOINTS]
    states = [(point.get("outside"), point.get("occluded"), point.get("points")) for point in skeleton]
    assert states[:3] == [("0", "0", "1.00,2.00"), ("0", "1", "5.00,3.00"), ("1", "0", "0.00,0.00")]


def test_labels_are_described_and_text_is_what_xml_can_have() -> None:
    root = parsed(encode(yg.Boxes([[0, 0, 1, 1]], ('a "<\0\ud83d&',)), "cvat.xml", SOURCE))
    (label,) = root.iter("label")
    assert (label.findtext("name"), label.findtext("type")) == ('a "<\ufffd\ufffd&', "any")
    poses = parsed(encode(yg.Poses(XYV, [[0, 0, 5, 4]]), "cvat.xml", SOURCE))
    kinds = [
        (label.findtext("name"), label.findtext("type"), label.findtext("parent")) for label in poses.iter("label")
    ]
    assert kinds[:2] == [("person", "skeleton", None), ("right_ankle", "points", "person")]
    assert len(kinds) == 17


def test_what_cvat_would_refuse_is_not_added() -> None:
    data = CvatDataset(["dog"])
    data.add("a.jpg", SIZE, BOXES)
    data.add("b.jpg", SIZE)
    before = data.to_xml()
    assert [image.get("id") for image in parsed(before).iter("image")] == ["0", "1"]
    with pytest.raises(yg.InputError, match="persons with joints or other objects"):
        data.add("c.jpg", SIZE, yg.Poses(XYV, [[0, 0, 5, 4]]))
    with pytest.raises(yg.InputError, match="was added as 6x4; got 4x6"):
        data.add("a.jpg", Size(4, 6))
    assert data.to_xml() == before
