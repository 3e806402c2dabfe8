"""Results as lines for people to read; programs read JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence

import numpy as np

import youtu_gguf as yg
from youtu_gguf.types import F32, each_score

SHOWN_ISSUES = 5

_OPTIONS = {"raise max_tokens or n_ctx": "raise --max-tokens or --n-ctx", "raise max_s ": "raise --max-seconds "}
"""Settings as issues name them, with the options of a command that set them."""


def lines(result: yg.Result) -> Iterator[str]:
    """Yield `result` as text and plain columns."""
    match result:
        case yg.Text():
            yield result.value
            yield from _score_line(result.score)
        case yg.Boxes():
            yield from _boxes(result)
        case yg.Polygons():
            yield from _outlines(result)
        case yg.Count():
            yield str(result) or "no number"
            yield from _score_line(result.score)
        case yg.Poses():
            yield from _persons(result)
        case yg.Mask():
            yield _extent(result)
        case yg.Instances():
            yield from _objects(result)
        case yg.LabelMap():
            yield from _shares(result)
        case yg.DepthMap():
            yield _distances(result)
        case yg.Action():
            yield from _action(result)


def warnings(result: yg.Result, *, rest: str) -> Iterator[str]:
    """Yield the first issues of `result`; if there are more, `rest` says how to see them."""
    for issue in result.issues[:SHOWN_ISSUES]:
        place = f" (characters {issue.start}-{issue.end} of the answer)" if issue.end else ""
        message = issue.message
        for setting, option in _OPTIONS.items():
            message = message.replace(setting, option)
        yield f"warning: {message}{place}"
    if len(result.issues) > SHOWN_ISSUES:
        yield f"warning: and {len(result.issues) - SHOWN_ISSUES} more; {rest}"


def score_line(result: yg.Result) -> Iterator[str]:
    """Yield the score of a text or a number, if it has one."""
    if isinstance(result, yg.Text | yg.Count):
        yield from _score_line(result.score)


def _boxes(boxes: yg.Boxes) -> Iterator[str]:
    yield from _table(boxes.xyxy, boxes.scores, boxes.labels, "label")


def _outlines(polygons: yg.Polygons) -> Iterator[str]:
    yield f"{len(polygons)} outlined"
    for label, parts, score in zip(
        polygons.labels, polygons.parts, each_score(polygons.scores, len(polygons)), strict=True
    ):
        yield f"{label}: {len(parts)} part(s), {sum(len(ring) for ring in parts)} points{_behind(score)}"


def _persons(poses: yg.Poses) -> Iterator[str]:
    seen = [f"{n} of {poses.xyv.shape[1]}" for n in (poses.xyv[..., 2] != 0).sum(axis=1).tolist()]
    yield from _table(poses.boxes, poses.scores, seen, "joints")


def _objects(found: yg.Instances) -> Iterator[str]:
    notes = [f"{np.mean(mask):6.1%}  {label}" for mask, label in zip(found.masks, found.labels, strict=True)]
    yield from _table(found.xyxy, found.scores, notes, f"{'share':>6}  label")


def _table(xyxy: F32, scores: F32 | None, notes: Sequence[str], heading: str) -> Iterator[str]:
    """Yield a line per box: corners, score if there are scores, note."""
    if not len(xyxy):
        yield "nothing found"
        return
    title = "" if scores is None else f" {'score':>6}"
    yield f"{'left':>8} {'top':>8} {'right':>8} {'bottom':>8}{title}  {heading}"
    for corners, score, note in zip(xyxy.tolist(), each_score(scores, len(xyxy)), notes, strict=True):
        column = "" if score is None else f" {_two_decimals(score):>6}"
        yield " ".join(f"{value:8.1f}" for value in corners) + f"{column}  {note}"


def _extent(mask: yg.Mask) -> str:
    rows, columns = np.nonzero(mask.bits)
    if not rows.size:
        return "nothing found"
    left, top, right, bottom = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
    return f"{np.mean(mask.bits):.1%} of the image, from {left},{top} to {right},{bottom}{_behind(mask.score)}"


def _shares(labels: yg.LabelMap) -> Iterator[str]:
    if not labels.classes:
        yield "no class named"
    scores = each_score(labels.scores, len(labels.classes))
    for name, share, score in zip(labels.classes, labels.shares, scores, strict=True):
        yield f"{share:6.1%}  {name}{_behind(score)}"
    if labels.classes and (labels.ids < 0).any():
        yield f"{np.mean(labels.ids < 0):6.1%}  (no class)"
    if labels.margin is not None and labels.margin.size:
        yield f"median margin {np.median(labels.margin):.2f}"


def _distances(depth: yg.DepthMap) -> str:
    valid = depth.values[depth.values > 0]
    if not valid.size:
        return "no valid depth"
    near, middle, far = np.quantile(valid, (0, 0.5, 1))
    unit = depth.unit if depth.focal_px is None else f"m by a focal length of {depth.focal_px:.0f} px"
    return f"nearest {near:.2f}, median {middle:.2f}, farthest {far:.2f} ({unit})"


def _action(action: yg.Action) -> Iterator[str]:
    name = action.name or "(no action)"
    yield name if action.xy is None else f"{name} at {','.join(f'{value:.1f}' for value in action.xy.tolist())}"
    for key, value in action.arguments.items():
        yield f"{key}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"


def _behind(score: float | None) -> str:
    return "" if score is None else f", score {_two_decimals(score)}"


def _score_line(score: float | None) -> Iterator[str]:
    if score is not None:
        yield f"score {_two_decimals(score)}"


def _two_decimals(score: float) -> str:
    return "-" if math.isnan(score) else f"{score:.2f}"
