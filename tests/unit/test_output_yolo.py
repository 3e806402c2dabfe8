"""Results as labels for YOLO, read back from the archive and filled by OpenCV as training programs fill them."""

from __future__ import annotations

from io import BytesIO
from typing import Any
from zipfile import ZipFile

import cv2
import numpy as np
import pytest

import youtu_gguf as yg
from youtu_gguf.facts import MPII_JOINTS
from youtu_gguf.output import Source, encode
from youtu_gguf.output.yolo import YoloDataset
from youtu_gguf.types import Bits, Result, Size

SIZE = Size(80, 60)
SOURCE = Source(name="street.jpg", size=SIZE)
BITS = np.zeros((60, 80), np.bool_)
BITS[10:50, 5:60] = True
BITS[20:30, 20:40] = False


def files(archive: bytes) -> dict[str, str]:
    with ZipFile(BytesIO(archive)) as read:
        assert read.testzip() is None
        return {name: read.read(name).decode() for name in read.namelist()}


def lines(result: Result) -> list[list[float]]:
    text = files(encode(result, "yolo.zip", SOURCE))["labels/street.txt"]
    return [[float(number) for number in line.split()] for line in text.splitlines()]


def filled(line: list[float]) -> Bits:
    """Return what a line's outline fills where coordinates are rounded down, as `cv2.fillPoly` needs them."""
    pixels = np.zeros((SIZE.height, SIZE.width), np.uint8)
    cv2.fillPoly(pixels, [(np.reshape(line[1:], (-1, 2)) * SIZE).astype(np.int32)], 1)
    return pixels.astype(np.bool_)


def test_a_box_is_its_middle_and_its_size_as_shares_of_the_image() -> None:
    assert lines(yg.Boxes([[20, 15, 60, 45], [-5, 30, 40, 70]], ("cup", "dog"))) == [
        [0, 0.5, 0.5, 0.5, 0.5],
        [1, 0.25, 0.75, 0.5, 0.5],
    ]


def test_classes_are_numbered_as_they_appear_and_named_beside_the_labels() -> None:
    yaml = pytest.importorskip("yaml")
    names = ("cup", 'a "b" \\c', "猫: #1", "cup", "\x85\u2028\ud83d")
    found = files(encode(yg.Boxes([[0, 0, 9, 9]] * 5, names), "yolo.zip", SOURCE))
    assert [line.split()[0] for line in found["labels/street.txt"].splitlines()] == ["0", "1", "2", "0", "3"]
    data = yaml.safe_load(found["data.yaml"])
    assert data["names"] == dict(enumerate(dict.fromkeys(names)))
    assert (data["train"], data["val"]) == ("images", "images")


def test_an_outline_fills_exactly_the_pixels_of_its_mask() -> None:
    (line,) = lines(yg.Mask(BITS))
    assert np.array_equal(filled(line), BITS)
    assert all(0 <= share <= 1 for share in line[1:])


def test_the_parts_of_an_object_are_one_line_and_those_of_a_class_are_several() -> None:
    bits = BITS.copy()
    bits[52:58, 70:79] = True
    (line,) = lines(yg.Mask(bits))
    assert np.count_nonzero(filled(line) != bits) < 20  # the line that joins them, a pixel wide
    parts = lines(yg.LabelMap(np.where(bits, 0, -1), ("cup",)))
    assert [line[0] for line in parts] == [0, 0]
    assert np.array_equal(filled(parts[0]) | filled(parts[1]), bits)


def test_a_person_is_a_box_and_sixteen_joints_that_mirror_each_other() -> None:
    xyv = np.zeros((1, 16, 3), np.float32)
    xyv[0, 0], xyv[0, 1] = (40, 30, 1), (20, 15, np.nan)
    poses = yg.Poses(xyv, [[20, 15, 60, 45]])
    (line,) = lines(poses)
    assert line == [0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 2, 0.25, 0.25, 2] + [0] * 42
    text = files(encode(poses, "yolo.zip", SOURCE))["data.yaml"]
    assert "kpt_shape: [16, 3]\nflip_idx: [5, 4, 3, 2, 1, 0, 6, 7, 8, 9, 15, 14, 13, 12, 11, 10]" in text
    assert len(MPII_JOINTS) == 16


def test_a_data_set_has_labels_below_labels_whatever_the_images_are_called() -> None:
    data = YoloDataset(["dog"])
    for name in ("../../a.jpg", "C:\\photos\\b.png", "sub/c.d.jpg"):
        data.add(name, SIZE, yg.Boxes([[0, 0, 1, 1]], ("cat",)))
    data.add("empty.jpg", SIZE)
    found = files(data.to_zip())
    assert list(found) == ["data.yaml", "labels/a.txt", "labels/photos/b.txt", "labels/sub/c.d.txt", "labels/empty.txt"]
    assert found["labels/empty.txt"] == ""
    assert found["labels/a.txt"].startswith("1 ")


@pytest.mark.parametrize(
    ("name", "result", "told"),
    [
        ("b.jpg", yg.Mask(BITS), "labels of one kind; got boxes and outlines"),
        ("a.png", yg.Boxes([[0, 0, 1, 1]], ("cat",)), "a.jpg and a.png share the labels labels/a.txt"),
        ("b.jpg", yg.Count(2), "expected a count with its boxes"),
    ],
)
def test_what_does_not_fit_into_a_data_set_is_refused(name: str, result: Any, told: str) -> None:
    data = YoloDataset()
    data.add("a.jpg", SIZE, yg.Boxes([[0, 0, 1, 1]], ("cat",)))
    before = data.to_zip()
    with pytest.raises(yg.InputError, match=told):
        data.add(name, SIZE, result)
    assert data.to_zip() == before
