"""COCO's panoptic form: numbers of segments read back from the colours, by hand and by datumaro."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pytest
from PIL import Image

import youtu_gguf as yg
from youtu_gguf.output import WRITERS, Source, encode
from youtu_gguf.output.panoptic import PanopticDataset
from youtu_gguf.types import I32, Bits, Size

MAP = yg.LabelMap([[0, 0, 1, 1], [0, 2, 2, -1], [0, 0, 0, 0]], ("road", "sky", "car", "tree"))
CAR: Bits = np.array([[0, 0, 0, 0], [0, 1, 0, 0], [0, 1, 0, 0]], np.bool_)
DOG: Bits = np.array([[0, 0, 0, 1], [0, 1, 0, 1], [0, 0, 0, 0]], np.bool_)
OBJECTS = yg.Instances(np.stack([CAR, DOG, CAR & DOG & False]), np.zeros((3, 4)), ("car", "dog", "dog"))


def numbers(png: bytes) -> I32:
    """The numbers of the pixels, as the format's definition says."""
    rgb = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"), np.int32)
    return np.asarray(rgb[..., 0] + 256 * rgb[..., 1] + 65536 * rgb[..., 2], np.int32)


def read(data: PanopticDataset) -> list[tuple[I32, dict[int, dict[str, Any]]]]:
    """Each image's numbers, and what is said of them, with the category's name."""
    form = json.loads(json.dumps(data.to_dict()))
    names = {category["id"]: category["name"] for category in form["categories"]}
    pngs = dict(data.pngs())
    return [
        (
            numbers(pngs[told["file_name"]]),
            {segment["id"]: {**segment, "name": names[segment["category_id"]]} for segment in told["segments_info"]},
        )
        for told in form["annotations"]
    ]


def made(*results: yg.LabelMap | yg.Instances, name: str = "a.jpg") -> PanopticDataset:
    data = PanopticDataset()
    for result in results:
        data.add(name, result)
    return data


def test_classes_of_a_map_are_stuff_and_those_without_pixels_are_no_segments() -> None:
    data = made(MAP)
    ((ids, segments),) = read(data)
    assert ids.tolist() == (MAP.ids + 1).tolist()
    assert [(each["name"], each["area"], each["bbox"], each["iscrowd"]) for each in segments.values()] == [
        ("road", 7, [0, 0, 4, 3], 0),
        ("sky", 2, [2, 0, 2, 1], 0),
        ("car", 2, [1, 1, 2, 1], 0),
    ]
    assert [(each["name"], each["isthing"]) for each in data.to_dict()["categories"]] == [
        ("road", 0),
        ("sky", 0),
        ("car", 0),
    ]


def test_instances_are_things_and_the_later_is_in_front() -> None:
    data = made(OBJECTS)
    ((ids, segments),) = read(data)
    assert ids.tolist() == [[0, 0, 0, 2], [0, 2, 0, 2], [0, 1, 0, 0]]
    assert [(number, each["name"], each["area"]) for number, each in segments.items()] == [(1, "car", 1), (2, "dog", 3)]
    assert all(category["isthing"] for category in data.to_dict()["categories"])


@pytest.mark.parametrize("results", [(MAP, OBJECTS), (OBJECTS, MAP)], ids=["map first", "objects first"])
def test_a_map_lies_behind_objects_and_shows_the_rest_of_a_thing_as_a_crowd(results: Any) -> None:
    ((ids, segments),) = read(made(*results))
    named = [[segments[number]["name"] if number else "" for number in row] for row in ids.tolist()]
    assert named == [["road", "road", "sky", "dog"], ["road", "dog", "car", "dog"], ["road", "car", "road", "road"]]
    crowds = {number for number, each in segments.items() if each["iscrowd"]}
    assert ids[1, 2] in crowds
    assert len(crowds) == 1
    assert ids[2, 1] != ids[1, 2]


def test_images_and_categories_are_numbered_as_they_come() -> None:
    data = PanopticDataset(["tree", "sky"])
    data.add("b/../b.jpg", MAP)
    data.add("a.jpg", OBJECTS)
    form = data.to_dict()
    assert [(each["id"], each["file_name"]) for each in form["images"]] == [(1, "b/../b.jpg"), (2, "a.jpg")]
    assert [each["name"] for each in form["categories"]] == ["tree", "sky", "road", "car", "dog"]
    assert [name for name, _ in data.pngs()] == ["000000000001.png", "000000000002.png"]
    assert form["annotations"][0]["segments_info"][2]["iscrowd"] == 1  # of a car, which is a thing in the other image


def test_results_that_do_not_go_together_are_refused() -> None:
    data = made(MAP)
    with pytest.raises(yg.InputError, match=r"an image has one label map; a.jpg has one already"):
        data.add("a.jpg", MAP)
    with pytest.raises(yg.InputError, match=r"a.jpg was added as 4x3; got 2x1"):
        data.add("a.jpg", yg.LabelMap([[0, 0]], ("road",)))
    with pytest.raises(yg.InputError, match="needs pixels"):
        data.add("b.jpg", yg.LabelMap(np.zeros((0, 3)), ("road",)))
    assert len(data.to_dict()["images"]) == 1


def random_results(rng: np.random.Generator, size: Size, n_objects: int) -> tuple[yg.LabelMap, yg.Instances]:
    blocks = rng.integers(-1, 5, (size.height // 4, size.width // 4))
    masks = np.zeros((n_objects, size.height, size.width), np.bool_)
    for mask in masks:
        (top, below), (left, right) = (np.sort(rng.integers(0, side + 1, 2)) for side in mask.shape)
        mask[top:below, left:right] = True
    labels = tuple(rng.choice(["car", "dog"], n_objects).tolist())
    ids = blocks.repeat(4, axis=0).repeat(4, axis=1)
    return yg.LabelMap(ids, ("road", "sky", "car", "sea", "ice")), yg.Instances(masks, np.zeros((n_objects, 4)), labels)


def test_areas_boxes_and_pixels_are_exact_also_with_many_segments() -> None:
    rng = np.random.default_rng(6)
    for n_objects in (0, 1, 9, 400):
        labels, objects = random_results(rng, Size(40, 24), n_objects)
        ((ids, segments),) = read(made(labels, objects))
        front = np.full(ids.shape, -1)
        for i, mask in enumerate(objects.masks):
            front[mask] = i
        for number in np.unique(ids):
            where = ids == number
            if number == 0:
                assert ((front < 0) & (labels.ids < 0))[where].all()
                continue
            told = segments.pop(int(number))
            rows, columns = np.nonzero(where)
            left, top = int(columns.min()), int(rows.min())
            assert told["area"] == np.count_nonzero(where)
            assert told["bbox"] == [left, top, int(columns.max()) - left + 1, int(rows.max()) - top + 1]
            of_map = labels.classes.index(told["name"]) if told["name"] in labels.classes else -2
            same = {i for i in np.unique(front[where]).tolist() if i >= 0}
            if same:
                assert np.array_equal(where, front == same.pop())
                assert not same
            else:
                assert np.array_equal(where, (front < 0) & (labels.ids == of_map))
        assert segments == {}


@pytest.mark.filterwarnings("ignore")  # of datumaro's own imports
def test_datumaro_reads_the_same_pixels_and_categories(tmp_path: Path) -> None:
    datumaro = pytest.importorskip("datumaro")
    rng = np.random.default_rng(7)
    labels, objects = random_results(rng, Size(40, 24), 5)
    data = made(labels, objects)
    with ZipFile(io.BytesIO(data.to_zip())) as archive:
        archive.extractall(tmp_path)
    (tmp_path / "images").mkdir()
    Image.new("RGB", (40, 24)).save(tmp_path / "images" / "a.jpg")
    read_by_datumaro = datumaro.Dataset.import_from(str(tmp_path), "coco_panoptic")
    (item,) = read_by_datumaro
    names = [label.name for label in read_by_datumaro.categories()[datumaro.AnnotationType.label]]
    ((ids, segments),) = read(data)
    assert len(item.annotations) == len(segments)
    for annotation in item.annotations:
        told = segments[annotation.id]
        assert np.array_equal(annotation.image, ids == annotation.id)
        assert names[annotation.label] == told["name"]


@pytest.mark.parametrize("result", [MAP, OBJECTS])
def test_a_value_is_written_as_a_data_set_of_one_image(result: Any, tmp_path: Path) -> None:
    WRITERS["panoptic.zip"](tmp_path / "x.panoptic.zip", result, Source(name="street.jpg"))
    with ZipFile(tmp_path / "x.panoptic.zip") as archive:
        form = json.loads(archive.read("annotations/panoptic_default.json"))
        png = archive.read("annotations/panoptic_default/000000000001.png")
    assert form["images"] == [{"id": 1, "file_name": "street.jpg", "width": 4, "height": 3}]
    assert {segment["id"] for segment in form["annotations"][0]["segments_info"]} == set(numbers(png).ravel()) - {0}
    assert encode(result, "panoptic.zip", Source(name="street.jpg")) == (tmp_path / "x.panoptic.zip").read_bytes()


def test_boxes_have_no_segments() -> None:
    with pytest.raises(yg.InputError, match=r"the format panoptic.zip is for LabelMap, Instances; got a Boxes"):
        encode(yg.Boxes([[0, 0, 1, 1]], ("cup",)), "panoptic.zip")
