"""Values as Label Studio's regions: places are percent of the image's sides."""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterable, Sequence
from typing import Any

from youtu_gguf.facts import MPII_JOINTS
from youtu_gguf.output.outlines import mask_outlines
from youtu_gguf.serve.label_studio.rle import brush_rle
from youtu_gguf.serve.label_studio.setup import Control
from youtu_gguf.types import F32, Bits, Boxes, Instances, Poses, Size, each_score, extent

Region = dict[str, Any]

_KEYPOINT_SIZE = 0.5
"""Width of a drawn point, in percent of the image."""


def box_regions(control: Control, boxes: Boxes, size: Size) -> list[Region]:
    """Return a rectangle for each box whose label the control has."""
    rows = zip(boxes.xyxy, boxes.labels, each_score(boxes.scores, len(boxes)), strict=True)
    return [
        _region(control, size, _rectangle(xyxy, size), control.labels[label], score)
        for xyxy, label, score in rows
        if label in control.labels
    ]


def instance_regions(control: Control, found: Instances, size: Size) -> list[Region]:
    """Return a region, or one for each part, of every object whose label the control has."""
    rows = zip(found.masks, found.labels, each_score(found.scores, len(found)), strict=True)
    return [
        region
        for bits, label, score in rows
        if label in control.labels
        for region in mask_regions(control, bits, control.labels[label], score, size)
    ]


def mask_regions(control: Control, bits: Bits, label: str, score: float | None, size: Size) -> list[Region]:
    """Return a mask as regions of the control: a brush, a polygon for each part, or the rectangle around it."""
    box = extent(bits)
    if box is None:
        return []
    values: Iterable[dict[str, Any]]
    if control.kind == "brushlabels":
        values = [{"format": "rle", "rle": brush_rle(bits)}]
    elif control.kind == "polygonlabels":
        values = [{"points": _percent(ring, size), "closed": True} for ring in mask_outlines(bits)]
    else:
        values = [_rectangle(box, size)]
    return [_region(control, size, value, label, score) for value in values]


def joint_regions(control: Control, poses: Poses, size: Size) -> list[Region]:
    """Return a point for each joint whose name the control has among its labels; see `joint_label`."""
    labels = [joint_label(control, name) for name in MPII_JOINTS]
    regions = []
    for xyv, score in zip(poses.xyv, each_score(poses.scores, len(poses)), strict=True):
        for label, joint in zip(labels, xyv, strict=True):
            if label is not None and joint[2] > 0:  # neither missing nor left out of the answer
                ((x, y),) = _percent(joint[None, :2], size)
                regions.append(_region(control, size, {"x": x, "y": y, "width": _KEYPOINT_SIZE}, label, score))
    return regions


def joint_label(control: Control, joint: str) -> str | None:
    """Return the control's label for a joint, such as "right_ankle": one that reads so but for case and spaces."""
    wanted = joint.replace("_", " ")
    return next(
        (label for name, label in control.labels.items() if name.lower().replace("_", " ") == wanted),
        None,
    )


def prediction(regions: Sequence[Region], version: str) -> dict[str, Any]:
    """Return the prediction for a task; its score is the mean of those of its regions, 0 without any."""
    scores = [region["score"] for region in regions if region["score"] is not None]
    mean = round(math.fsum(scores) / len(scores), 4) if scores else 0.0
    return {"result": list(regions), "score": mean, "model_version": version}


def _region(control: Control, size: Size, value: dict[str, Any], label: str, score: float | None) -> Region:
    return {
        "id": uuid.uuid4().hex[:10],
        "from_name": control.name,
        "to_name": control.to_name,
        "type": control.kind,
        "original_width": size.width,
        "original_height": size.height,
        "image_rotation": 0,
        "value": {**value, control.kind: [label]},
        "score": None if score is None or math.isnan(score) else round(score, 4),
    }


def _rectangle(xyxy: F32, size: Size) -> dict[str, Any]:
    (left, top), (right, bottom) = _percent(xyxy.reshape(2, 2), size)
    return {"x": left, "y": top, "width": round(right - left, 4), "height": round(bottom - top, 4), "rotation": 0}


def _percent(points: F32, size: Size) -> list[list[float]]:
    """Return (n, 2) x, y of the image's pixels in percent of its sides, within it."""
    shares: list[list[float]] = (points.astype(float) / size * 100).clip(0, 100).round(4).tolist()
    return shares
