"""Boxes out of COCO's JSON, of annotations or of results. Source: cocodataset.org, "Data format"."""

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from youtu_gguf.errors import InputError

_SIDES = 4
_SHOWN = 60


class CocoBox(NamedTuple):
    """A box of a COCO file: `xyxy`; its `label`, "" where the file names none; its `score`, or None."""

    xyxy: list[float]
    label: str
    score: float | None


def coco_boxes(data: Any, image: str | int | None) -> Iterator[CocoBox]:
    """Yield the boxes of an image in COCO's JSON, in its order, crowds left out.

    Args:
        data: A file of annotations, or a list of results, as `json` reads them.
        image: File name or id of the image; None for the only one there is.

    Raises:
        InputError: It is no such JSON, or has no such image.
    """
    if isinstance(data, Mapping):
        records = _list(data, "annotations")
        wanted = _image_id(_list(data, "images"), image)
        names = {_id(record, "id", where): _get(record, "name", where) for record, where in _list(data, "categories")}
    elif isinstance(data, list):
        records = [(record, f"[{i}]") for i, record in enumerate(data)]
        wanted = _only_id(records, image)
        names = None
    else:
        raise InputError(f"expected COCO's JSON, a dict or a list; got {_shown(data)}. Read it with json.load.")
    for record, where in records:
        if _id(record, "image_id", where) == wanted and not record.get("iscrowd"):
            yield CocoBox(_xyxy(record, where), _name(record, names, where), _score(record, where))


def _list(data: Mapping[str, Any], key: str) -> list[tuple[Any, str]]:
    records = data.get(key)
    if not isinstance(records, list):
        raise InputError(f"expected COCO's JSON with a list {key!r}; got {_shown(records)}.")
    return [(record, f"{key}[{i}]") for i, record in enumerate(records)]


def _get(record: Any, key: str, where: str) -> Any:
    if not isinstance(record, Mapping) or key not in record:
        raise InputError(f"{where}: expected an object with {key!r}; got {_shown(record)}.")
    return record[key]


def _id(record: Any, key: str, where: str) -> int | str:
    number = _get(record, key, where)
    if type(number) not in (int, str):
        raise InputError(f"{where}: expected {key!r} to be a whole number; got {_shown(number)}.")
    return number  # type: ignore[no-any-return]  # of JSON


def _image_id(images: list[tuple[Any, str]], image: str | int | None) -> Any:
    """Return the id of an image that is named by it, by its file name, or not at all."""
    if image is None and len(images) == 1:
        ((record, where),) = images
        return _id(record, "id", where)
    key = "file_name" if isinstance(image, str) else "id"
    found = [_id(record, "id", where) for record, where in images if _get(record, key, where) == image]
    if image is None or len(found) != 1:
        raise InputError(
            f"expected the file name or the id of one of {len(images)} images; got {image!r}, which {len(found)} have."
        )
    return found[0]


def _only_id(results: list[tuple[Any, str]], image: str | int | None) -> Any:
    """Return the id of the image that results are wanted of, which name images by their ids alone."""
    ids = dict.fromkeys(_id(record, "image_id", where) for record, where in results)
    if image is None and len(ids) <= 1:
        return next(iter(ids), None)
    if image is None or isinstance(image, str):
        raise InputError(f"expected the id of an image, since results have no file names; got {image!r}.")
    return image


def _name(record: Any, names: Mapping[Any, Any] | None, where: str) -> str:
    number = _id(record, "category_id", where)
    if names is None:
        return ""
    if not isinstance(names.get(number), str):
        raise InputError(f"{where}: expected 'category_id' among the categories; got {_shown(number)}.")
    return str(names[number])


def _xyxy(record: Any, where: str) -> list[float]:
    bbox = _get(record, "bbox", where)
    if not isinstance(bbox, list) or len(bbox) != _SIDES or not all(map(_is_number, bbox)) or min(bbox[2:]) < 0:
        raise InputError(f"{where}: expected 'bbox' to be left, top, width, height; got {_shown(bbox)}.")
    left, top, width, height = map(float, bbox)
    return [left, top, left + width, top + height]


def _score(record: Any, where: str) -> float | None:
    score = record.get("score")
    if score is not None and not _is_number(score):
        raise InputError(f"{where}: expected 'score' to be a number; got {_shown(score)}.")
    return None if score is None else float(score)


def _is_number(value: object) -> bool:
    """Whether it is a number that a float can hold, and no truth value."""
    try:
        return type(value) in (int, float) and math.isfinite(value)  # type: ignore[arg-type]  # it is one of these
    except OverflowError:
        return False


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
