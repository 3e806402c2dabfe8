"""Results as JSON: one form for the command line, files and anything else that speaks JSON.

Arrays over pixels become run lengths `[value, run]` in row-major order over the whole image, or quantiles where their
values are not whole; NaN becomes null. A score that was not asked for is null too, and so are the `spans` of what no
answer says; else they are pairs `[start, end]` of characters of `raw`, in Unicode code points.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import asdict
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from youtu_gguf.atomic import json_bytes
from youtu_gguf.errors import InputError
from youtu_gguf.output.index_png import mask_png
from youtu_gguf.output.outlines import mask_outlines
from youtu_gguf.output.rle import coco_rle
from youtu_gguf.output.source import Source
from youtu_gguf.types import (
    F32,
    Action,
    Bits,
    Boxes,
    Count,
    DepthMap,
    Instances,
    LabelMap,
    Mask,
    Polygons,
    Poses,
    Result,
    Spans,
    Text,
    each_score,
    run_lengths,
)

MaskForm = Literal["runs", "rle", "polygon", "png", "none"]
"""How the JSON form tells masks."""

SCHEMA = 1
"""Raised when a key changes its meaning or goes; new keys do not raise it."""

_COORDINATE_DIGITS = 2
_VALUE_DIGITS = 4


def to_json(result: Result, /, *, masks: MaskForm = "runs", **context: Any) -> dict[str, Any]:
    """Return the JSON form of `result`; `context` (task, image, model, ...) comes first in it.

    Args:
        result: Any value.
        masks: How masks are told: "runs" row by row, "rle" as COCO does (`output.rle.coco_rle`), "polygon" as the
            outlines of their parts, "png" in base64, or "none". Label maps are told as runs or not at all.
        context: Keys and values of JSON.
    """
    return {
        "schema": SCHEMA,
        **context,
        "type": type(result).__name__,
        **_value(result, masks),
        "raw": result.raw,
        "finish": result.finish,
        "issues": [asdict(issue) for issue in result.issues],
        "timings": {name: _rounded(value, _VALUE_DIGITS) for name, value in asdict(result.timings).items()},
    }


def encode_json(result: Result, source: Source) -> bytes:
    """Return the JSON form of `result` as text, with the context of its source first."""
    return json_bytes(to_json(result, **source.context), indent=2)


def _value(result: Result, masks: MaskForm) -> dict[str, Any]:  # noqa: PLR0911 - one per kind
    match result:
        case Text():
            return {"text": result.value, "score": _rounded(result.score, _VALUE_DIGITS)}
        case Count():
            boxes = None if result.boxes is None else _boxes(result.boxes)
            return {
                "count": result.value,
                "score": _rounded(result.score, _VALUE_DIGITS),
                "spans": _pairs(result.spans),
                "boxes": boxes,
            }
        case Boxes():
            return {"boxes": _boxes(result)}
        case Polygons():
            return {"polygons": _polygons(result)}
        case Poses():
            return {"persons": _persons(result), "skeleton": result.skeleton}
        case Mask():
            return {
                "size": _size(result.bits),
                **_mask(result.bits, masks),
                "xyxy": None if result.xyxy is None else _points(result.xyxy),
                "area": result.area,
                "score": _rounded(result.score, _VALUE_DIGITS),
                "spans": _pairs(result.spans),
                "refined_by": result.refined_by,
                "found_by": result.found_by,
            }
        case Instances():
            return {
                "size": [*result.masks.shape[:0:-1]],
                "instances": _instances(result, masks),
                "refined_by": result.refined_by,
            }
        case LabelMap():
            return _label_map(result, masks)
        case DepthMap():
            return _depth(result)
        case Action():
            xy = None if result.xy is None else _points(result.xy)
            return {"action": result.name, "xy": xy, "arguments": result.arguments, "spans": _pairs(result.spans)}
    raise InputError(f"there is no JSON form for a {type(result).__name__}.")


def _boxes(boxes: Boxes) -> list[dict[str, Any]]:
    rows = zip(boxes.labels, _points(boxes.xyxy), *_told(boxes.scores, boxes.spans, len(boxes)), strict=True)
    return [{"label": label, "xyxy": xyxy, "score": score, "spans": spans} for label, xyxy, score, spans in rows]


def _polygons(polygons: Polygons) -> list[dict[str, Any]]:
    parts = [[_points(ring) for ring in part] for part in polygons.parts]
    rows = zip(polygons.labels, parts, *_told(polygons.scores, polygons.spans, len(polygons)), strict=True)
    return [{"label": label, "parts": rings, "score": score, "spans": spans} for label, rings, score, spans in rows]


def _persons(poses: Poses) -> list[dict[str, Any]]:
    rows = zip(_points(poses.boxes), _points(poses.xyv), *_told(poses.scores, poses.spans, len(poses)), strict=True)
    return [{"xyxy": xyxy, "xyv": xyv, "score": score, "spans": spans} for xyxy, xyv, score, spans in rows]


def _instances(found: Instances, masks: MaskForm) -> list[dict[str, Any]]:
    forms = (_mask(mask, masks) for mask in found.masks)
    rows = zip(found.labels, _points(found.xyxy), *_told(found.scores, found.spans, len(found)), forms, strict=True)
    return [
        {"label": label, "xyxy": xyxy, "score": score, "spans": spans, **mask}
        for label, xyxy, score, spans, mask in rows
    ]


def _mask(bits: Bits, form: MaskForm) -> dict[str, Any]:
    """Return the keys that tell a mask in a form."""
    match form:
        case "runs":
            return {"runs": run_lengths(bits).tolist()}
        case "rle":
            return {"mask": coco_rle(bits)}
        case "polygon":
            return {"polygon": [_points(ring) for ring in mask_outlines(bits)]}
        case "png":
            return {"png": b64encode(mask_png(bits)).decode("ascii")}
        case "none":
            return {}


def _label_map(labels: LabelMap, masks: MaskForm) -> dict[str, Any]:
    scores, spans = _told(labels.scores, labels.spans, len(labels.classes))
    return {
        "size": _size(labels.ids),
        "classes": labels.classes,
        "shares": {name: round(share, 4) for name, share in zip(labels.classes, labels.shares, strict=True)},
        "scores": None if labels.scores is None else dict(zip(labels.classes, scores, strict=True)),
        "spans": None if labels.spans is None else dict(zip(labels.classes, spans, strict=True)),
        "margin": None if labels.margin is None else _quantiles(labels.margin),
        "refined_by": labels.refined_by,
        **({"runs": run_lengths(labels.ids).tolist()} if masks == "runs" else {}),
    }


def _depth(depth: DepthMap) -> dict[str, Any]:
    return {
        "size": _size(depth.values),
        "unit": depth.unit,
        "focal_px": _rounded(depth.focal_px, _COORDINATE_DIGITS),
        "valid_share": round(float(np.mean(depth.values > 0)), 4),
        **_quantiles(depth.values[depth.values > 0]),
    }


def _quantiles(values: F32) -> dict[str, Any]:
    quantiles = np.quantile(values, (0, 0.25, 0.5, 0.75, 1)).tolist() if values.size else [None] * 5
    names = ("min", "p25", "median", "p75", "max")
    return dict(zip(names, _rounded(quantiles, _VALUE_DIGITS), strict=True))


def _told(scores: F32 | None, spans: tuple[Spans, ...] | None, n: int) -> tuple[list[Any], list[Any]]:
    """Return a score and the spans for each of `n` items; None for each where there are none."""
    rounded = [_rounded(score, _VALUE_DIGITS) for score in each_score(scores, n)]
    return rounded, [None] * n if spans is None else [_pairs(each) for each in spans]


def _pairs(spans: Spans | None) -> list[list[int]] | None:
    return None if spans is None else [[*span] for span in spans]


def _size(array: npt.NDArray[Any]) -> list[int]:
    """Return [width, height]."""
    return [array.shape[1], array.shape[0]]


def _points(array: npt.NDArray[Any]) -> Any:
    return _rounded(array.tolist(), _COORDINATE_DIGITS)


def _rounded(value: Any, digits: int) -> Any:
    if isinstance(value, list):
        return [_rounded(item, digits) for item in value]
    if isinstance(value, float):
        return round(value, digits) if np.isfinite(value) else None
    return value
