"""Files of COCO's annotations, results and masks: read as pycocotools reads them, and refused with their place."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as masks

import youtu_gguf as yg
from youtu_gguf.evaluate.data.coco import read_coco, read_coco_results
from youtu_gguf.evaluate.data.needed import needed
from youtu_gguf.evaluate.data.segmentation import mask_of, rle_of
from youtu_gguf.types import Bits, Size

SIZE = Size(6, 4)
FORM: dict[str, Any] = {
    "images": [{"id": 7, "file_name": "a.jpg", "width": 6, "height": 4}],
    "categories": [{"id": 3, "name": "person", "keypoints": ["nose"]}, {"id": 4, "name": "dog"}],
    "annotations": [
        {
            "id": 1,
            "image_id": 7,
            "category_id": 3,
            "bbox": [1, 0.5, 2, 3],
            "area": 5,
            "iscrowd": 1,
            "segmentation": [[0, 0, 4, 0, 4, 3]],
            "keypoints": [2, 1, 2],
        },
        {"id": 2, "image_id": 7, "category_id": 4, "bbox": [0, 0, 2, 3]},
    ],
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "instances.json"


def write(path: Path, form: Any) -> None:
    path.write_text(json.dumps(form), encoding="utf-8")


def noise(rng: np.random.Generator) -> Bits:
    shape = tuple(rng.integers(1, 30, 2))
    return np.asarray(rng.random(shape) < rng.random(), np.bool_)


def column_runs(bits: Bits) -> list[int]:
    """The lengths of runs down the columns, beginning with outside, counted one pixel after the other."""
    runs, inside = [0], False
    for pixel in bits.ravel(order="F").tolist():
        if pixel != inside:
            runs.append(0)
            inside = pixel
        runs[-1] += 1
    return runs


def test_a_file_of_annotations_is_read(path: Path) -> None:
    write(path, FORM)
    file = read_coco(path)
    person, dog = file.annotations[1], file.annotations[2]
    assert file.images[7].size == SIZE
    assert file.categories[3].keypoints == ("nose",)
    assert (person.xyxy.tolist(), person.area, person.iscrowd) == ([1, 0.5, 3, 3.5], 5, True)
    assert person.keypoints is not None
    assert person.keypoints.tolist() == [[2, 1, 2]]
    assert (dog.area, dog.iscrowd, dog.segmentation, dog.keypoints) == (6, False, None, None)
    assert file.by_image() == {7: [person, dog]}


BROKEN: list[tuple[tuple[Any, ...], Any, str]] = [
    (("images",), None, r"expected 'images' to be list; got None"),
    (("images", 0, "width"), 0, r"instances.json, images\[0\]: expected an image of 1 to \d+ pixels; got 0x4"),
    (("images", 0, "height"), 1 << 40, r"images\[0\]: expected an image of 1 to"),
    (("images", 0, "file_name"), 5, r"images\[0\]: expected 'file_name' to be str; got 5"),
    (("categories", 1, "id"), 3, r"expected every category to have an id of its own; 3 stands there twice"),
    (("categories", 0, "keypoints"), [1], r"categories\[0\]: expected 'keypoints' to be a list of names"),
    (("annotations", 1, "image_id"), 8, r"annotations\[1\]: expected 'image_id' to be in the file; there is no 8"),
    (("annotations", 1, "category_id"), True, r"annotations\[1\]: expected 'category_id' to be int; got True"),
    (("annotations", 0, "bbox"), [1, 2, 3], r"annotations\[0\]: expected 'bbox' to be left, top, width, height"),
    (("annotations", 0, "bbox"), [1, 2, -1, 4], r"expected 'bbox' to be left, top, width, height"),
    (("annotations", 0, "bbox"), [1, 2, float("nan"), 4], r"expected 'bbox' to be a list of finite numbers"),
    (("annotations", 0, "bbox"), [1, 2, 10**400, 4], r"expected 'bbox' to be a list of finite numbers"),
    (("annotations", 0, "bbox"), ["1", 2, 3, 4], r"expected 'bbox' to be a list of finite numbers"),
    (("annotations", 0, "area"), 10**400, r"annotations\[0\]: expected 'area' to be float; got 1000"),
    (("annotations", 0, "area"), float("inf"), r"annotations\[0\]: expected 'area' to be a finite number; got inf"),
    (("annotations", 0, "keypoints"), [1, 2], r"annotations\[0\]: expected 'keypoints' to be x, y, visibility"),
    (("annotations", 1, "id"), 1, r"expected every annotation to have an id of its own; 1 stands there twice"),
    (("annotations", 1), None, r"annotations\[1\]: expected an object with 'bbox'; got None"),
]


@pytest.mark.parametrize(("place", "value", "message"), BROKEN)
def test_what_is_broken_is_told_with_its_place(path: Path, place: tuple[Any, ...], value: Any, message: str) -> None:
    form = copy.deepcopy(FORM)
    part: Any = form
    for key in place[:-1]:
        part = part[key]
    part[place[-1]] = value
    write(path, form)
    with pytest.raises(yg.InputError, match=message):
        read_coco(path)


def test_a_number_with_ten_thousand_digits_is_refused(path: Path) -> None:
    path.write_text('{"images": ' + "1" * 10_000 + "}", encoding="utf-8")
    with pytest.raises(yg.InputError, match=r"instances.json, line 1: expected JSON"):
        read_coco(path)


def test_results_have_a_box_or_a_mask(path: Path) -> None:
    result = {"image_id": 7, "category_id": 3, "score": 0.5}
    write(path, [{**result, "bbox": [0, 0, 1, 1]}, {**result, "segmentation": {"size": [4, 6], "counts": "h0"}}])
    boxed, masked = read_coco_results(path)
    assert boxed.xyxy is not None
    assert (boxed.xyxy.tolist(), boxed.segmentation, masked.xyxy) == ([0, 0, 1, 1], None, None)
    write(path, [result])
    with pytest.raises(yg.InputError, match=r"instances.json, \[0\]: expected 'bbox' or 'segmentation'"):
        read_coco_results(path)
    write(path, FORM)
    with pytest.raises(yg.InputError, match="expected COCO's results, a list of objects; got a dict"):
        read_coco_results(path)


def test_run_lengths_give_the_pixels_that_pycocotools_gives() -> None:
    rng = np.random.default_rng(1)
    for _ in range(200):
        bits = noise(rng)
        size = Size(bits.shape[1], bits.shape[0])
        encoded = masks.encode(np.asfortranarray(bits.astype(np.uint8)))
        compressed = {"size": [*bits.shape], "counts": encoded["counts"].decode("ascii")}
        plain = {"size": [*bits.shape], "counts": column_runs(bits)}
        for segmentation in (compressed, plain):
            assert np.array_equal(mask_of(segmentation, size), bits)
            assert rle_of(segmentation, size) == encoded


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning")
def test_outlines_are_filled_as_pycocotools_fills_them() -> None:
    rng = np.random.default_rng(2)
    for _ in range(100):
        outlines = [rng.uniform(-3, 33, 2 * rng.integers(3, 9)).tolist() for _ in range(rng.integers(1, 4))]
        reference = masks.decode(masks.merge(masks.frPyObjects(outlines, 20, 30)))
        assert np.array_equal(mask_of(outlines, Size(30, 20)), reference)
    assert not mask_of([], SIZE).any()


@pytest.mark.parametrize(
    ("segmentation", "message"),
    [
        (None, "expected outlines, or 'size' and 'counts'; got None"),
        ({"size": [4, 6]}, "expected outlines, or 'size' and 'counts'"),
        ({"size": [6, 4], "counts": [24]}, r"expected a mask of height and width \[4, 6\], as its image"),
        ({"size": [1 << 30, 1 << 30], "counts": "0"}, r"expected a mask of height and width \[4, 6\]"),
        ({"size": [4, 6], "counts": [23]}, "expected runs of 24 pixels in all; got 23"),
        ({"size": [4, 6], "counts": [25, -1]}, "expected 'counts' to be whole numbers or a text"),
        ({"size": [4, 6], "counts": [24.0]}, "expected 'counts' to be whole numbers or a text"),
        ({"size": [4, 6], "counts": [10**30]}, "expected 'counts' to be whole numbers or a text"),
        ({"size": [4, 6], "counts": "h"}, "expected 'counts' to be compressed run lengths"),
        ({"size": [4, 6], "counts": "猫"}, "expected 'counts' to be compressed run lengths"),
        ({"size": [4, 6], "counts": "oooooooo0"}, "a number has too many digits"),
        ({"size": [4, 6], "counts": "9i0N"}, "expected runs of 24 pixels in all"),
        ({"size": [4, 6], "counts": ""}, "expected 'counts' to be compressed run lengths"),
        ([[0, 0, 1, 1]], "outline 0: expected x, y of three points or more"),
        ([[0, 0, 1, 1, 2, 2], [0] * 7], "outline 1: expected x, y of three points or more"),
        ([["0", 0, 1, 1, 2, 2]], "expected x, y of three points or more"),
        ([[0, 0, 1e9, 0, 1, 1]], "expected points in 6x4; some are far off"),
        ([[0, 0, float("nan"), 0, 1, 1]], "expected points in 6x4; some are far off or no numbers"),
        ([[0, 0, 6, 4] * 100], "expected an outline of an object; got one of"),
    ],
)
def test_masks_that_no_image_has_are_refused_before_they_are_made(segmentation: Any, message: str) -> None:
    with pytest.raises(yg.InputError, match=message):
        mask_of(segmentation, SIZE)


def test_a_package_that_is_missing_is_named_with_its_extra() -> None:
    with pytest.raises(yg.InputError, match=r'no_such_package.*pip install "youtu_gguf\[eval\]"'):
        needed("no_such_package.mask")
