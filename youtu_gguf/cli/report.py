"""Results as lines a person reads; what a program reads is JSON."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

import youtu_gguf as yg


def lines(result: yg.Result) -> Iterator[str]:
    """Yield `result` in words and plain columns."""
    match result:
        case yg.Text():
            yield result.value
        case yg.Boxes():
            yield from _boxes(result)
        case yg.Polygons():
            yield f"{len(result)} outlined"
            for label, parts in zip(result.labels, result.parts, strict=True):
                yield f"{label}: {len(parts)} part(s), {sum(len(ring) for ring in parts)} points"
        case yg.LabelMap():
            yield from _shares(result)
        case yg.DepthMap():
            yield _distances(result)


def _boxes(boxes: yg.Boxes) -> Iterator[str]:
    if not len(boxes):
        yield "nothing found"
        return
    yield f"{'left':>8} {'top':>8} {'right':>8} {'bottom':>8}  label"
    for xyxy, label in zip(boxes.xyxy.tolist(), boxes.labels, strict=True):
        yield " ".join(f"{value:8.1f}" for value in xyxy) + f"  {label}"


def _shares(labels: yg.LabelMap) -> Iterator[str]:
    if not labels.classes:
        yield "no class named"
    for name, share in zip(labels.classes, labels.shares, strict=True):
        yield f"{share:6.1%}  {name}"
    if labels.classes and (labels.ids < 0).any():
        yield f"{np.mean(labels.ids < 0):6.1%}  (no class)"


def _distances(depth: yg.DepthMap) -> str:
    valid = depth.values[depth.values > 0]
    if not valid.size:
        return "no valid depth"
    near, middle, far = np.quantile(valid, (0, 0.5, 1))
    unit = "m" if depth.unit == "m" else "relative"
    return f"nearest {near:.2f}, median {middle:.2f}, farthest {far:.2f} ({unit})"
