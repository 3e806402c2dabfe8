"""Data sets of many images from parts: where their files are, and what several tasks of one image become together."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import pytest

import youtu_gguf as yg
from youtu_gguf.errors import InputError
from youtu_gguf.output import Source
from youtu_gguf.output.datasets import DATASETS, Joining, Piece
from youtu_gguf.output.datasets.places import Places
from youtu_gguf.types import Size

SIZE = Size(6, 4)
SOURCE = Source(size=SIZE)


def boxes(*labels: str) -> yg.Boxes:
    return yg.Boxes(xyxy=np.array([[0, 1, 3, 2]] * len(labels), np.float32).reshape(-1, 4), labels=labels)


def label_map(ids: Sequence[Sequence[int]], *classes: str) -> yg.LabelMap:
    return yg.LabelMap(ids=np.array(ids, np.int32), classes=classes)


def instances(*masks: tuple[str, tuple[slice, slice]]) -> yg.Instances:
    bits = np.zeros((len(masks), SIZE.height, SIZE.width), bool)
    for mask, (_, place) in zip(bits, masks, strict=True):
        mask[place] = True
    xyxy = np.tile(np.array([0, 0, 1, 1], np.float32), (len(masks), 1))
    return yg.Instances(masks=bits, xyxy=xyxy, labels=tuple(name for name, _ in masks))


def person() -> yg.Poses:
    return yg.Poses(xyv=np.ones((1, 16, 3), np.float32), boxes=np.array([[0, 0, 4, 4]], np.float32))


def joined(name: str, *values: tuple[str, Any], categories: Sequence[str] = ()) -> dict[str, bytes]:
    """Return the files of a data set; values of one image follow each other."""
    ids = {image: 10 * n for n, image in enumerate(dict.fromkeys(image for image, _ in values), 1)}
    pieces = []
    for image, value in values:
        part = json.loads(json.dumps(DATASETS[name].part(value, SOURCE)))
        pieces.append(Piece(ids[image], image, SIZE, lambda part=part: part))  # type: ignore[misc]
    return {file: b"".join(chunks) for file, chunks in DATASETS[name].files(Joining(pieces, categories))}


def test_a_coco_file_numbers_categories_as_they_are_asked_and_appear() -> None:
    values = [("a.jpg", boxes("dog")), ("a.jpg", boxes("cat", "owl")), ("b.jpg", boxes("owl"))]
    form = json.loads(joined("coco", *values, categories=["cat", "emu"])[""])
    assert [image["id"] for image in form["images"]] == [10, 20]
    names = {category["id"]: category["name"] for category in form["categories"]}
    assert names == {1: "cat", 2: "emu", 3: "dog", 4: "owl"}
    told = [(each["id"], each["image_id"], names[each["category_id"]]) for each in form["annotations"]]
    assert told == [(1, 10, "dog"), (2, 10, "cat"), (3, 10, "owl"), (4, 20, "owl")]


@pytest.mark.parametrize("name", sorted(DATASETS))
def test_no_images_are_a_data_set_too(name: str) -> None:
    files = joined(name)
    assert all(data.decode("utf-8-sig").strip() for file, data in files.items() if file != "train.txt")
    if name == "coco":
        assert json.loads(files[""]) == {"images": [], "annotations": [], "categories": []}


@pytest.mark.parametrize(("name", "what"), [("coco", "persons with joints"), ("yolo", "boxes and joints")])
def test_persons_and_other_objects_do_not_go_together(name: str, what: str) -> None:
    with pytest.raises(InputError, match=what):
        joined(name, ("a.jpg", person()), ("b.jpg", boxes("cat")))


def test_persons_have_their_joints_and_no_category_besides() -> None:
    form = json.loads(joined("coco", ("a.jpg", person()), categories=["cat"])[""])
    (category,) = form["categories"]
    assert (category["id"], category["name"], len(category["keypoints"])) == (1, "person", 16)
    yolo = joined("yolo", ("a.jpg", yg.Poses(xyv=np.zeros((0, 16, 3)), boxes=np.zeros((0, 4)))))
    assert b"kpt_shape: [16, 3]" in yolo["data.yaml"]
    assert b'0: "person"' in yolo["data.yaml"]
    assert yolo["labels/a.txt"] == b""


def test_yolo_numbers_classes_from_zero() -> None:
    files = joined("yolo", ("x/a.jpg", boxes("dog", "cat")), categories=["cat"])
    assert files["labels/x/a.txt"].split() == [
        *(b"1", b"0.250000", b"0.375000", b"0.500000", b"0.250000"),
        *(b"0", b"0.250000", b"0.375000", b"0.500000", b"0.250000"),
    ]
    assert files["train.txt"] == b"./images/x/a.jpg\n"


def test_groups_of_labelme_stay_apart_when_tasks_come_together() -> None:
    shapes = json.loads(joined("labelme", ("x/a.jpg", person()), ("x/a.jpg", person()))["x/a.json"])["shapes"]
    assert [shape["group_id"] for shape in shapes] == [1] * 17 + [2] * 17


def test_instances_lie_before_the_classes_of_a_label_map() -> None:
    ground = label_map([[0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0], [1] * 6, [-1] * 6], "sky", "cat")
    cats = instances(("cat", np.s_[1:3, 0:2]), ("dog", np.s_[0:4, 5:6]))
    files = joined("panoptic", ("a.jpg", ground), ("a.jpg", cats), categories=["dog"])
    form = json.loads(files["annotations/panoptic_default.json"])
    named = {category["id"]: (category["name"], category["isthing"]) for category in form["categories"]}
    assert named == {1: ("dog", 1), 2: ("sky", 0), 3: ("cat", 1)}
    (annotation,) = form["annotations"]
    assert (annotation["image_id"], annotation["file_name"]) == (10, "000000000010.png")
    png = cv2.imdecode(np.frombuffer(files["annotations/panoptic_default/000000000010.png"], np.uint8), 1)
    numbers = png[..., ::-1].astype(int) @ (1, 256, 65536)
    told = {
        each["id"]: (named[each["category_id"]][0], each["iscrowd"], each["area"])
        for each in annotation["segments_info"]
    }
    assert sorted(told.values()) == [("cat", 0, 4), ("cat", 1, 3), ("dog", 0, 4), ("sky", 0, 8)]
    assert told.keys() == set(np.unique(numbers)) - {0}
    assert all((numbers == number).sum() == area for number, (_, _, area) in told.items())
    with pytest.raises(InputError, match="one label map"):
        joined("panoptic", ("a.jpg", ground), ("a.jpg", ground))


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("a.jpg", "a.txt"),
        ("photos/a.b.jpg", "photos/a.b.txt"),
        ("/data/a.jpg", "data/a.txt"),
        ("../../a.jpg", "a.txt"),
        ("C:/photos/a.jpg", "photos/a.txt"),
        ("a\\b.jpg", "a/b.txt"),
        (".hidden", ".hidden.txt"),
        ("no suffix", "no suffix.txt"),
        ("line\nend.jpg", "line\nend.txt"),
    ],
)
def test_a_file_about_an_image_is_below_its_folder(name: str, place: str) -> None:
    assert Places(".txt").add(name) == place


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (("a.jpg", "a.png"), "share a.txt with a.jpg"),
        (("a.jpg", "../a.jpg"), "share"),
        (("a", "a.txt/b.jpg"), "a file and a folder"),
        (("a.txt/b.jpg", "a"), "a file and a folder"),
        (("m" * 300,), "too long"),
        (("\ud800.jpg",), "no text"),
        (("",), "no name"),
        (("..",), "no name"),
        (("a/..",), "no name"),
    ],
)
def test_images_without_a_place_of_their_own_say_why(names: Sequence[str], why: str) -> None:
    places = Places(".txt")
    for name in names[:-1]:
        places.add(name)
    with pytest.raises(InputError, match=why):
        places.add(names[-1])
