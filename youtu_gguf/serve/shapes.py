"""Values as the shapes of X-AnyLabeling: named points, rectangles and closed polygons in pixels of the image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from youtu_gguf.facts import MPII_JOINTS
from youtu_gguf.output.outlines import mask_outlines
from youtu_gguf.types import F32, Bits, Boxes, Instances, Poses, each_score

Shapes = list[dict[str, Any]]


def _shape(label: str, kind: str, points: object, score: float | None, group: int | None = None) -> dict[str, Any]:
    return {
        "label": label, "shape_type": kind, "points": points, "score": score, "group_id": group, "attributes": {},
        "flags": None,
    }  # fmt: skip


def _corners(xyxy: F32) -> list[list[float]]:
    left, top, right, bottom = _rounded(xyxy)
    return [[left, top], [right, top], [right, bottom], [left, bottom]]


def rectangles(boxes: Boxes, name: str = "") -> Shapes:
    """Return a rectangle for each box; `name` is for those without a label."""
    rows = zip(boxes.labels, boxes.xyxy, known_scores(boxes.scores, len(boxes)), strict=True)
    return [_shape(label or name, "rectangle", _corners(xyxy), score) for label, xyxy, score in rows]


def instance_outlines(found: Instances, fineness: float) -> Shapes:
    """Return the outlines of objects; `fineness` as for `rings_of`."""
    scores = known_scores(found.scores, len(found))
    rings = [(rings_of(bits, fineness), score) for bits, score in zip(found.masks, scores, strict=True)]
    return outlines(rings, found.labels)


def outlines(objects: Sequence[tuple[Sequence[F32], float | None]], labels: Sequence[str]) -> Shapes:
    """Return the closed outlines of objects; those of one object are a group."""
    shapes: Shapes = []
    for number, (label, (rings, score)) in enumerate(zip(labels, objects, strict=True), 1):
        group = number if len(rings) > 1 else None
        closed = ([*points, points[0]] for points in map(_rounded, rings))
        shapes += [_shape(label, "polygon", points, score, group) for points in closed]
    return shapes


def rings_of(bits: Bits, fineness: float) -> list[F32]:
    """Return the outlines of a mask; `fineness` is how far each may be from it, relative to its length."""

    return [_simplified(ring, fineness) for ring in mask_outlines(bits, 0)]


def _simplified(ring: F32, fineness: float) -> F32:
    import cv2

    points = cv2.approxPolyDP(ring, fineness * cv2.arcLength(ring, closed=True), closed=True)[:, 0]
    return points.astype(np.float32) if len(points) > 2 else ring  # noqa: PLR2004 - fewer have no area


def persons(poses: Poses) -> Shapes:
    """Return a rectangle for each person, and its joints as points of the same group."""
    shapes: Shapes = []
    scores = known_scores(poses.scores, len(poses))
    for number, (box, joints, score) in enumerate(zip(poses.boxes, poses.xyv, scores, strict=True), 1):
        shapes.append(_shape("person", "rectangle", _corners(box), score, number))
        for name, joint in zip(MPII_JOINTS, joints, strict=True):
            if joint[2] > 0:  # neither missing nor left out of the answer
                shapes.append(_shape(name, "point", [_rounded(joint[:2])], score, number))
    return shapes


def known_scores(scores: F32 | None, n: int) -> list[float | None]:
    """Return the scores of `n` items, None for what is not known."""
    return [None if score is None or math.isnan(score) else round(score, 4) for score in each_score(scores, n)]


def _rounded(numbers: F32) -> Any:
    return numbers.astype(float).round(2).tolist()
