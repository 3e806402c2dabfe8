"""Objects as COCO's annotations: of one result, or of a data set of many images.

Boxes are left, top, width, height; masks are compressed run lengths, which keep every pixel. Scores stand as `score`
in the annotations, as in files of results. Source: cocodataset.org, "Data format".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from youtu_gguf.atomic import json_bytes
from youtu_gguf.errors import InputError
from youtu_gguf.facts import MPII_JOINTS, MPII_SKELETON
from youtu_gguf.output.objects import PERSON, UNSEEN, Item, check_size, items_of, size_of
from youtu_gguf.output.rle import coco_rle
from youtu_gguf.output.source import UNNAMED, Source
from youtu_gguf.types import F32, Poses, Result, Size

_DIGITS = 2


class CocoDataset:
    """Annotations of images as COCO tells them. Ids count from 1: images and annotations as they are added.

    Persons with joints make a data set of their own, since readers refuse files that mix them with other objects.

    Args:
        categories: Names whose ids come first, in this order; others follow as they appear.
    """

    def __init__(self, categories: Iterable[str] = ()) -> None:
        self._categories: dict[str, int] = {}
        self._images: dict[str, dict[str, Any]] = {}
        self._annotations: list[dict[str, Any]] = []
        self._has_joints: bool | None = None
        for name in categories:
            self._category(name)

    def add(self, name: str, size: Size, result: Result | None = None, *, label: str = UNNAMED) -> None:
        """Add an image, or a further result of one that is there.

        Args:
            name: File name of the image, which may begin with folders. Images of the same name are one.
            size: Its size, upright.
            result: One of `objects.WITH_OBJECTS`; None for an image about which nothing is known.
            label: The category of a mask, which has none.

        Raises:
            InputError: A count without boxes; persons together with other objects; or another size than before.
        """
        image = {"id": len(self._images) + 1, "file_name": name, "width": size.width, "height": size.height}
        found = () if result is None else tuple(items_of(result, label))
        known = self._images.get(name, image)
        check_size(name, Size(known["width"], known["height"]), size)
        if result is not None:
            self._check_kind(isinstance(result, Poses))
        self._images[name] = known
        for item in found:
            self._annotations.append(
                {
                    "id": len(self._annotations) + 1,
                    "image_id": known["id"],
                    "category_id": self._category(item.label),
                    **annotation_of(item),
                }
            )

    def to_dict(self) -> dict[str, Any]:
        """Return the data set as COCO's JSON has it."""
        limbs = [[a + 1, b + 1] for a, b in MPII_SKELETON]
        joints = {"keypoints": [*MPII_JOINTS], "skeleton": limbs} if self._has_joints else {}
        return {
            "images": [*self._images.values()],
            "categories": [
                {"id": id_, "name": name, "supercategory": name if self._has_joints else "", **joints}
                for name, id_ in self._categories.items()
            ],
            "annotations": self._annotations,
        }

    def _category(self, name: str) -> int:
        return self._categories.setdefault(name, len(self._categories) + 1)

    def _check_kind(self, has_joints: bool) -> None:
        if self._has_joints not in (None, has_joints):
            raise InputError(
                "a COCO file holds persons with joints or other objects; got both. Make a data set for each."
            )
        self._has_joints = has_joints
        if has_joints:
            self._category(PERSON)


def encode_coco(result: Result, source: Source) -> bytes:
    """Return the objects of a result as a COCO file about one image.

    Raises:
        InputError: A count without boxes, or the image's size is not known.
    """
    data = CocoDataset()
    data.add(source.name, size_of(result, source, "COCO"), result, label=source.label)
    return json_bytes(data.to_dict())


def annotation_of(item: Item) -> dict[str, Any]:
    """Return an object as an annotation without ids."""
    left, top, right, bottom = _rounded(item.xyxy.tolist())
    form: dict[str, Any] = {
        "bbox": [left, top, round(right - left, _DIGITS), round(bottom - top, _DIGITS)],
        "area": round(item.area, _DIGITS),
        "iscrowd": 0,
        "segmentation": _segmentation(item),
    }
    if item.joints is not None:
        form["keypoints"] = [n for x, y, v in item.joints for n in (*_rounded((x, y)), int(v))]
        form["num_keypoints"] = int((item.joints[:, 2] > UNSEEN).sum())
    return form if item.score is None else {**form, "score": item.score}


def _segmentation(item: Item) -> dict[str, object] | list[list[float]]:
    if item.mask is not None:
        return coco_rle(item.mask, item.xyxy)
    return [_rounded(ring.ravel().tolist()) for ring in item.outlines]


def _rounded(numbers: F32 | Iterable[float]) -> list[float]:
    return [round(float(number), _DIGITS) for number in numbers]
