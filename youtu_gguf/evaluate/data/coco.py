"""Files of COCO's annotations and results, checked before anything is computed from them.

Masks stay as the file has them; `data.segmentation` makes pixels of them.

Source: cocodataset.org, "Data format" and "Results format".
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from youtu_gguf.errors import InputError
from youtu_gguf.evaluate.base import F64
from youtu_gguf.evaluate.data.files import entry, read_json
from youtu_gguf.types import Size

MOST_PX = 1 << 28
"""Most pixels of an image, 16384 x 16384: masks are allocated for the size that a file states."""


@dataclass(frozen=True)
class CocoImage:
    """An image of a COCO file.

    Attributes:
        id: Its number in the file.
        file_name: As the file has it; not yet a path.
        size: As the file has it.
    """

    id: int
    file_name: str
    size: Size


@dataclass(frozen=True)
class CocoCategory:
    """A category of a COCO file.

    Attributes:
        id: Its number in the file.
        name: Its name.
        keypoints: Names of its joints; empty where it has none.
    """

    id: int
    name: str
    keypoints: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class CocoAnnotation:
    """An object of a COCO file of annotations.

    Attributes:
        id: Its number in the file.
        image_id: Of its image, which is in the file.
        category_id: Of its category, which is in the file.
        xyxy: (4,) left, top, right, bottom in source pixels, finite, with left <= right and top <= bottom.
        area: Pixels, as the file has it; the area of the box where it has none.
        iscrowd: It marks a crowd, in which no object is told from another.
        segmentation: As the file has it, for `mask_of`; None where there is none.
        keypoints: (k, 3) x, y, visibility (2 seen, 1 hidden, 0 neither); None where there are none.
        where: The file and the place in it, for messages.
    """

    id: int
    image_id: int
    category_id: int
    xyxy: F64
    area: float
    iscrowd: bool
    segmentation: Any
    keypoints: F64 | None
    where: str


@dataclass(frozen=True, eq=False)
class CocoFile:
    """What a COCO file of annotations holds, in the order of the file.

    Attributes:
        images: Images by id.
        categories: Categories by id.
        annotations: Annotations by id.
    """

    images: Mapping[int, CocoImage]
    categories: Mapping[int, CocoCategory]
    annotations: Mapping[int, CocoAnnotation]

    def by_image(self) -> dict[int, list[CocoAnnotation]]:
        """Return the annotations of each image, by the image's id; an empty list for one that has none."""
        found: dict[int, list[CocoAnnotation]] = {number: [] for number in self.images}
        for annotation in self.annotations.values():
            found[annotation.image_id].append(annotation)
        return found


@dataclass(frozen=True, eq=False)
class CocoResult:
    """An object of a COCO file of results.

    Attributes:
        image_id: Of its image.
        category_id: Of its category.
        score: How sure the model was.
        xyxy: (4,) as `CocoAnnotation.xyxy`; None where it has a mask alone.
        segmentation: As the file has it; None where it has a box alone.
        where: The file and the place in it, for messages.
    """

    image_id: int
    category_id: int
    score: float
    xyxy: F64 | None
    segmentation: Any
    where: str


def read_coco(path: Path) -> CocoFile:
    """Return what a COCO file of annotations holds.

    A file as large as instances_val2017.json (5,000 images, 36,781 annotations) takes about a second.

    Raises:
        InputError: It cannot be read, is no COCO file, an id stands twice, or an annotation is of an image or a
            category that is not in the file.
    """
    form = read_json(path)
    images = _by_id("image", [_image(*told) for told in _records(form, "images", path)], path)
    categories = _by_id("category", [_category(*told) for told in _records(form, "categories", path)], path)
    annotations = []
    for record, where in _records(form, "annotations", path):
        annotation = _annotation(record, where)
        _known(annotation.image_id, images, "image_id", where)
        _known(annotation.category_id, categories, "category_id", where)
        annotations.append(annotation)
    return CocoFile(images, categories, _by_id("annotation", annotations, path))


def read_coco_results(path: Path) -> list[CocoResult]:
    """Return what a COCO file of results holds: a list of objects with scores.

    Raises:
        InputError: It cannot be read, or is no such file.
    """
    form = read_json(path)
    if not isinstance(form, list):
        raise InputError(
            f"{path}: expected COCO's results, a list of objects; got a {type(form).__name__}. "
            "Of a file with annotations, give that list alone."
        )
    return [_result(record, f"{path.name}, [{i}]") for i, record in enumerate(form)]


def _records(form: Any, key: str, path: Path) -> list[tuple[Any, str]]:
    return [(record, f"{path.name}, {key}[{i}]") for i, record in enumerate(entry(form, key, list, str(path)))]


def _by_id(kind: str, things: Sequence[Any], path: Path) -> dict[int, Any]:
    found = {thing.id: thing for thing in things}
    if len(found) < len(things):
        twice = Counter(thing.id for thing in things).most_common(1)[0][0]
        raise InputError(f"{path}: expected every {kind} to have an id of its own; {twice} stands there twice.")
    return found


def _known(number: int, things: Mapping[int, Any], key: str, where: str) -> None:
    if number not in things:
        raise InputError(f"{where}: expected {key!r} to be in the file; there is no {number}.")


def _image(record: Any, where: str) -> CocoImage:
    size = Size(entry(record, "width", int, where), entry(record, "height", int, where))
    if min(size) < 1 or size.width * size.height > MOST_PX:
        raise InputError(f"{where}: expected an image of 1 to {MOST_PX} pixels; got {size.width}x{size.height}.")
    return CocoImage(entry(record, "id", int, where), entry(record, "file_name", str, where), size)


def _category(record: Any, where: str) -> CocoCategory:
    names = record.get("keypoints", []) if isinstance(record, dict) else []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InputError(f"{where}: expected 'keypoints' to be a list of names.")
    return CocoCategory(entry(record, "id", int, where), entry(record, "name", str, where), tuple(names))


def _annotation(record: Any, where: str) -> CocoAnnotation:
    xyxy = box_of(entry(record, "bbox", list, where), where)
    left, top, right, bottom = xyxy.tolist()
    has_area = record.get("area") is not None
    return CocoAnnotation(
        entry(record, "id", int, where),
        entry(record, "image_id", int, where),
        entry(record, "category_id", int, where),
        xyxy,
        _finite(entry(record, "area", float, where), "area", where) if has_area else (right - left) * (bottom - top),
        record.get("iscrowd", 0) not in (0, None),
        record.get("segmentation"),
        _keypoints(record.get("keypoints"), where),
        where,
    )


def _result(record: Any, where: str) -> CocoResult:
    image, category = entry(record, "image_id", int, where), entry(record, "category_id", int, where)
    score = _finite(entry(record, "score", float, where), "score", where)
    bbox = record.get("bbox")
    segmentation = record.get("segmentation")
    if bbox is None and segmentation is None:
        raise InputError(f"{where}: expected 'bbox' or 'segmentation'; there is neither.")
    xyxy = None if bbox is None else box_of(bbox, where)
    return CocoResult(image, category, score, xyxy, segmentation, where)


def box_of(bbox: Any, where: str) -> F64:
    """Return COCO's left, top, width, height as left, top, right, bottom (4,).

    Raises:
        InputError: These are not four finite numbers, or a side is negative.
    """
    numbers = finite_numbers(bbox, "bbox", where)
    if numbers.shape != (4,) or numbers[2:].min() < 0:
        raise InputError(f"{where}: expected 'bbox' to be left, top, width, height; got {str(bbox)[:60]}.")
    numbers[2:] += numbers[:2]
    return numbers


def _keypoints(told: Any, where: str) -> F64 | None:
    if told is None or told == []:
        return None
    numbers = finite_numbers(told, "keypoints", where)
    if len(numbers) % 3:
        raise InputError(f"{where}: expected 'keypoints' to be x, y, visibility of each; got {len(numbers)} numbers.")
    return numbers.reshape(-1, 3)


def finite_numbers(told: Any, key: str, where: str) -> F64:
    """Return what a file has under `key` as an array (n,).

    Raises:
        InputError: It is no list of finite numbers.
    """
    try:
        if isinstance(told, list) and all(type(number) in (int, float) for number in told):
            numbers = np.array(told, np.float64)
            if np.isfinite(numbers).all():
                return numbers
    except OverflowError:  # a whole number beyond all floats
        pass
    raise InputError(f"{where}: expected {key!r} to be a list of finite numbers; got {str(told)[:60]}.")


def _finite(number: float, key: str, where: str) -> float:
    if not math.isfinite(number):
        raise InputError(f"{where}: expected {key!r} to be a finite number; got {number}.")
    return number
