"""Results as lines a person reads; what a program reads is JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

import youtu_gguf as yg
from youtu_gguf.types import F32


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
        case yg.Count():
            yield str(result) or "no number"
        case yg.Poses():
            yield from _persons(result)
        case yg.Mask():
            yield _extent(result)
        case yg.LabelMap():
            yield from _shares(result)
        case yg.DepthMap():
            yield _distances(result)


def _boxes(boxes: yg.Boxes) -> Iterator[str]:
    yield from _table(boxes.xyxy, boxes.labels, "label")


def _persons(poses: yg.Poses) -> Iterator[str]:
    seen = [f"{n} of {poses.xyv.shape[1]}" for n in (poses.xyv[..., 2] != 0).sum(axis=1).tolist()]
    yield from _table(poses.boxes, seen, "joints")


def _table(xyxy: F32, notes: Sequence[str], heading: str) -> Iterator[str]:
    """Yield a line per box, with its note behind it."""
    if not len(xyxy):
        yield "nothing found"
        return
    yield f"{'left':>8} {'top':>8} {'right':>8} {'bottom':>8}  {heading}"
    for corners, note in zip(xyxy.tolist(), notes, strict=True):
        yield " ".join(f"{value:8.1f}" for value in corners) + f"  {note}"


def _extent(mask: yg.Mask) -> str:
    rows, columns = np.nonzero(mask.bits)
    if not rows.size:
        return "nothing found"
    left, top, right, bottom = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
    score = "" if mask.score is None else f", score {mask.score:.2f}"
    return f"{np.mean(mask.bits):.1%} of the image, from {left},{top} to {right},{bottom}{score}"


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
