"""Data sets as datumaro reads them: COCO's objects and persons, YOLO's boxes, and CVAT's shapes."""

from __future__ import annotations

from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest

import youtu_gguf as yg
from tests.readers import datumaro_annotations
from youtu_gguf.output import WRITERS, Source

RGB = np.zeros((40, 50, 3), np.uint8)
SOURCE = Source(RGB, name="street.png")
MASKS = np.random.default_rng(0).random((3, 40, 50)) > np.array([0.2, 0.5, 0.9])[:, None, None]
FOUND = yg.Instances(MASKS, [[0, 0, 50, 40]] * 3, ("猫", "dog", "猫"))
XYV = np.ones((2, 16, 3), np.float32)
XYV[..., :2] = np.arange(64).reshape(2, 16, 2) / 2
XYV[0, 3, 2], XYV[1, 2, 2] = 0, 0.5
POSES = yg.Poses(XYV, [[1, 1, 40, 30], [0, 0, 9, 9]])
BOXES = yg.Boxes([[1, 2, 30, 40], [8.5, 0, 50, 40]], ("cup", "dog"))

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")  # datumaro's own


def test_the_masks_of_a_coco_file(tmp_path: Path) -> None:
    (tmp_path / "annotations").mkdir()
    WRITERS["coco.json"](tmp_path / "annotations" / "instances_default.json", FOUND, SOURCE)
    read = [*datumaro_annotations(tmp_path, "coco_instances", RGB, "RleMask")]
    assert np.array_equal(np.stack([mask.image for mask in read]), MASKS)
    assert [mask.label for mask in read] == [0, 1, 0]


def test_the_joints_of_a_coco_file(tmp_path: Path) -> None:
    (tmp_path / "annotations").mkdir()
    WRITERS["coco.json"](tmp_path / "annotations" / "person_keypoints_default.json", POSES, SOURCE)
    read = [*datumaro_annotations(tmp_path, "coco_person_keypoints", RGB, "Points")]
    expected = np.where(XYV[..., 2:] > 0, XYV[..., :2], 0)
    assert np.array_equal(np.array([person.points for person in read]).reshape(2, 16, 2), expected)
    assert [int(seen) for seen in read[0].visibility][:4] == [2, 2, 2, 0]
    assert [int(seen) for seen in read[1].visibility][:4] == [2, 2, 1, 2]


def test_the_boxes_of_a_data_set_for_yolo(tmp_path: Path) -> None:
    WRITERS["yolo.zip"](tmp_path / "x.yolo.zip", BOXES, SOURCE)
    with ZipFile(tmp_path / "x.yolo.zip") as archive:
        archive.extractall(tmp_path)
    read = [*datumaro_annotations(tmp_path, "yolo", RGB, "Bbox")]
    assert np.array([box.points for box in read]) == pytest.approx(BOXES.xyxy, abs=0.01)  # datumaro's two digits
    assert [box.label for box in read] == [0, 1]


def test_the_shapes_of_a_cvat_file(tmp_path: Path) -> None:
    WRITERS["cvat.xml"](tmp_path / "annotations.xml", FOUND, SOURCE)
    masks = [*datumaro_annotations(tmp_path, "cvat", RGB, "Mask")]
    assert np.array_equal(np.stack([mask.image for mask in masks]).astype(np.bool_), MASKS)
    assert [mask.label for mask in masks] == [0, 1, 0]

    WRITERS["cvat.xml"](tmp_path / "annotations.xml", BOXES, SOURCE)
    boxes = [*datumaro_annotations(tmp_path, "cvat", RGB, "Bbox")]
    assert np.array([box.points for box in boxes]).tolist() == BOXES.xyxy.tolist()

    rings = ((np.array([[0, 0], [20, 0], [20, 30.25]]),),)
    WRITERS["cvat.xml"](tmp_path / "annotations.xml", yg.Polygons(rings, ("cup",)), SOURCE)
    (polygon,) = datumaro_annotations(tmp_path, "cvat", RGB, "Polygon")
    assert polygon.points == [0, 0, 20, 0, 20, 30.25]

    WRITERS["cvat.xml"](tmp_path / "annotations.xml", POSES, SOURCE)
    joints = [*datumaro_annotations(tmp_path, "cvat", RGB, "Points")]  # it reads a skeleton as its points
    assert [joint.label for joint in joints] == [*range(1, 17)] * 2
    assert joints[16].points == [16, 16.5]
