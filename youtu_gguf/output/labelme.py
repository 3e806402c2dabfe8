"""Objects as LabelMe's shapes: rectangles, polygons and points that people correct by hand.

Shapes of one object are a group. A mask has a polygon for each connected part, exact to the pixel
(`outlines.filled_outlines`); scores stand as `score`, as X-AnyLabeling writes them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath
from typing import Any

from youtu_gguf.atomic import json_bytes
from youtu_gguf.facts import MPII_JOINTS
from youtu_gguf.output.objects import HIDDEN, UNSEEN, Item, items_of, size_of
from youtu_gguf.output.outlines import filled_outlines
from youtu_gguf.output.source import Source
from youtu_gguf.types import F32, Result

VERSION = "5.5.0"
"""Of the form: that of the release of LabelMe whose files it follows."""

_DIGITS = 2

Shape = dict[str, Any]


def encode_labelme(result: Result, source: Source) -> bytes:
    """Return the objects of a result as LabelMe's JSON, without the image's pixels.

    A person is a rectangle with a point for each joint that has a place; those of a hidden one have the flag "hidden".

    Raises:
        InputError: A count without boxes, or the image's size is not known.
    """
    size = size_of(result, source, "LabelMe")
    form: dict[str, Any] = {
        "version": VERSION,
        "flags": {},
        "shapes": [
            shape for number, item in enumerate(items_of(result, source.label), 1) for shape in _grouped(item, number)
        ],
        "imagePath": PurePath(source.name).name,
        "imageData": None,
        "imageHeight": size.height,
        "imageWidth": size.width,
    }
    return json_bytes(form, indent=2)


def _grouped(item: Item, number: int) -> list[Shape]:
    """Return the shapes of an object; several are the group `number`."""
    shapes = [*_shapes(item)]
    return shapes if len(shapes) == 1 else [{**shape, "group_id": number} for shape in shapes]


def _shapes(item: Item) -> Iterator[Shape]:
    rings = filled_outlines(item.mask) if item.mask is not None else item.outlines
    for ring in rings:
        yield _shape(item, item.label, "polygon", _rounded(ring))
    if not rings:
        yield _shape(item, item.label, "rectangle", _rounded(item.xyxy.reshape(2, 2)))
    if item.joints is not None:
        for name, joint in zip(MPII_JOINTS, item.joints, strict=True):
            if joint[2] > UNSEEN:
                flags = {"hidden": True} if joint[2] == HIDDEN else {}
                yield {**_shape(item, name, "point", _rounded(joint[None, :2])), "flags": flags}


def _shape(item: Item, label: str, kind: str, points: list[list[float]]) -> Shape:
    return {
        "label": label,
        "points": points,
        "group_id": None,
        "description": "",
        "shape_type": kind,
        "flags": {},
        "mask": None,
        "score": item.score,
    }


def _rounded(points: F32) -> list[list[float]]:
    rounded: list[list[float]] = points.astype(float).round(_DIGITS).tolist()
    return rounded
