"""Results as objects one by one, which is how the formats of data sets tell them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from youtu_gguf.errors import InputError
from youtu_gguf.output.source import UNNAMED, Source
from youtu_gguf.types import (
    F32,
    Bits,
    Boxes,
    Count,
    Instances,
    LabelMap,
    Mask,
    Polygons,
    Poses,
    Result,
    Size,
    each_score,
    extent,
)

WITH_OBJECTS: tuple[type[Result], ...] = (Count, Boxes, Polygons, Poses, Mask, Instances, LabelMap)
"""Types of the values that tell objects; a `Count` may lack the boxes that it needs nevertheless."""

PERSON = "person"

UNSEEN, HIDDEN, SEEN = 0, 1, 2
"""How well a joint is seen, in the numbers of COCO: not at all and nowhere; its place is known; seen."""

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Item:
    """An object.

    Attributes:
        label: Its name, never empty.
        xyxy: (4,) left, top, right, bottom in source pixels: the extent of its mask, outlines or joints where it has
            no box of its own.
        score: As the value has it; None where it is not known.
        mask: (H, W) its pixels, at least one; None where it has none.
        outlines: Its closed outlines, each (k, 2); empty where it has none.
        joints: (16, 3) x, y and one of `UNSEEN`, `HIDDEN`, `SEEN`; x and y are 0 where it is unseen. None for all but
            persons.
    """

    label: str
    xyxy: F32
    score: float | None = None
    mask: Bits | None = None
    outlines: tuple[F32, ...] = ()
    joints: F32 | None = None

    @property
    def area(self) -> float:
        """Pixels of its mask; else what its outlines enclose; else the area of its box."""
        if self.mask is not None:
            left, top, right, bottom = self.xyxy.astype(int).tolist()
            return float(np.count_nonzero(self.mask[top:bottom, left:right]))
        if self.outlines:
            return sum(map(_enclosed, self.outlines))
        left, top, right, bottom = self.xyxy.tolist()
        return float((right - left) * (bottom - top))


def items_of(result: Result, label: str = UNNAMED) -> Iterator[Item]:
    """Yield the objects of a result, in its order.

    A class of a label map is an object, and one without pixels is left out, as is an empty mask. An instance with an
    empty mask has its box alone.

    Args:
        result: One of `WITH_OBJECTS`.
        label: The label of a mask, which has none.

    Raises:
        InputError: It is a count without boxes.
    """
    match result:
        case Count(boxes=None):
            raise InputError("expected a count with its boxes; got a number alone. Count by detecting, or use JSON.")
        case Count(boxes=Boxes() as boxes) | (Boxes() as boxes):
            for name, xyxy, score in zip(boxes.labels, boxes.xyxy, _known(boxes.scores, len(boxes)), strict=True):
                yield Item(name or label, xyxy, score)
        case Polygons():
            yield from _outlined(result, label)
        case Poses():
            for xyv, box, score in zip(result.xyv, result.boxes, _known(result.scores, len(result)), strict=True):
                yield _person(xyv, box, score)
        case Instances():
            scores = _known(result.scores, len(result))
            for name, bits, box, score in zip(result.labels, result.masks, result.xyxy, scores, strict=True):
                found = extent(bits)
                mask = None if found is None else bits
                yield Item(name or label, box if found is None else found, score, mask)
        case Mask(bits=bits, xyxy=xyxy) if xyxy is not None:
            yield Item(label, xyxy, _known(None if result.score is None else np.array([result.score]), 1)[0], bits)
        case LabelMap():
            for name, score, i in zip(
                result.classes, _known(result.scores, len(result)), range(len(result)), strict=True
            ):
                bits = result.ids == i
                found = extent(bits)
                if found is not None:
                    yield Item(name, found, score, bits)


def size_of(result: Result, source: Source, form: str) -> Size:
    """Return the size of the source image, for the format `form`, which cannot do without.

    Raises:
        InputError: Neither the source nor the value tells it.
    """
    if source.size is not None:
        return source.size
    match result:
        case Mask(bits=pixels) | LabelMap(ids=pixels):
            return Size(pixels.shape[1], pixels.shape[0])
        case Instances(masks=masks):
            return Size(masks.shape[2], masks.shape[1])
    raise InputError(f"{form} needs the size of the image; got none. Give Source(size=...) or Source(rgb=...).")


def check_size(name: str, before: Size, size: Size) -> None:
    """Check that an image which is in a data set already is added as large as it was.

    Raises:
        InputError: It is not.
    """
    if before != size:
        was, now = (f"{each.width}x{each.height}" for each in (before, size))
        raise InputError(f"{name} was added as {was}; got {now}. Name the images apart.")


def _known(scores: F32 | None, n: int) -> list[float | None]:
    return [None if score is None or math.isnan(score) else round(score, 4) for score in each_score(scores, n)]


def _outlined(polygons: Polygons, label: str) -> Iterator[Item]:
    scores = _known(polygons.scores, len(polygons))
    for name, parts, score in zip(polygons.labels, polygons.parts, scores, strict=True):
        if parts:
            points = np.concatenate(parts)
            yield Item(name or label, np.concatenate([points.min(axis=0), points.max(axis=0)]), score, outlines=parts)


def _person(xyv: F32, box: F32, score: float | None) -> Item:
    joints = np.zeros_like(xyv)
    sure = xyv[:, 2]
    joints[:, 2] = np.select([sure <= 0, sure < 1], [UNSEEN, HIDDEN], SEEN)  # NaN: the answer tells a place and no more
    placed = joints[:, 2] > UNSEEN
    joints[placed, :2] = xyv[placed, :2]
    if np.isnan(box).any():
        places = joints[placed, :2] if placed.any() else np.zeros((1, 2), np.float32)
        box = np.concatenate([places.min(axis=0), places.max(axis=0)])
    return Item(PERSON, box, score, joints=joints)


def _enclosed(ring: F32) -> float:
    """Return the area within a closed outline (Gauss's formula)."""
    x, y = ring.astype(np.float64).T
    return abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))) / 2
