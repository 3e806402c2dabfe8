"""Values as Label Studio's regions: places are percent of the image's sides."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any, cast

from youtu_gguf.facts import MPII_JOINTS
from youtu_gguf.output.label_studio import Region, RegionKind, brush, point, polygon, rectangle, region
from youtu_gguf.output.outlines import mask_outlines
from youtu_gguf.serve.label_studio.setup import Control
from youtu_gguf.types import Bits, Boxes, Instances, Poses, Size, each_score, extent


def box_regions(control: Control, boxes: Boxes, size: Size) -> list[Region]:
    """Return a rectangle for each box whose label the control has."""
    rows = zip(boxes.xyxy, boxes.labels, each_score(boxes.scores, len(boxes)), strict=True)
    return [
        _region(control, size, rectangle(xyxy, size), control.labels[label], score)
        for xyxy, label, score in rows
        if label in control.labels
    ]


def instance_regions(control: Control, found: Instances, size: Size) -> list[Region]:
    """Return a region, or one for each part, of every object whose label the control has."""
    rows = zip(found.masks, found.labels, each_score(found.scores, len(found)), strict=True)
    return [
        made
        for bits, label, score in rows
        if label in control.labels
        for made in mask_regions(control, bits, control.labels[label], score, size)
    ]


def mask_regions(control: Control, bits: Bits, label: str, score: float | None, size: Size) -> list[Region]:
    """Return a mask as regions of the control: a brush, a polygon for each part, or the rectangle around it."""
    box = extent(bits)
    if box is None:
        return []
    values: Iterable[dict[str, Any]]
    if control.kind == "brushlabels":
        values = [brush(bits)]
    elif control.kind == "polygonlabels":
        values = [polygon(ring, size) for ring in mask_outlines(bits)]
    else:
        values = [rectangle(box, size)]
    return [_region(control, size, value, label, score) for value in values]


def joint_regions(control: Control, poses: Poses, size: Size) -> list[Region]:
    """Return a point for each joint whose name the control has among its labels; see `joint_label`."""
    labels = [joint_label(control, name) for name in MPII_JOINTS]
    regions = []
    for xyv, score in zip(poses.xyv, each_score(poses.scores, len(poses)), strict=True):
        for label, joint in zip(labels, xyv, strict=True):
            if label is not None and joint[2] > 0:  # neither missing nor left out of the answer
                regions.append(_region(control, size, point(joint[:2], size), label, score))
    return regions


def joint_label(control: Control, joint: str) -> str | None:
    """Return the control's label for a joint, such as "right_ankle": one that reads so but for case and spaces."""
    wanted = joint.replace("_", " ")
    return next(
        (label for name, label in control.labels.items() if name.lower().replace("_", " ") == wanted),
        None,
    )


def _region(control: Control, size: Size, value: dict[str, Any], label: str, score: float | None) -> Region:
    kind = cast("RegionKind", control.kind)
    names = control.name, control.to_name
    return region(kind, names, size, {**value, kind: [label]}, score, uuid.uuid4().hex[:10])
