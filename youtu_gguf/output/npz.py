"""The arrays of a result as one .npz file, under the names of its fields; readable without pickle."""

from dataclasses import fields
from io import BytesIO
from typing import Any

import numpy as np

from youtu_gguf.errors import InputError
from youtu_gguf.output.source import Source
from youtu_gguf.types import Action, Boxes, Count, Polygons, Result


def encode_npz(result: Result, _source: Source) -> bytes:
    """Return every array of `result`, with labels and classes as arrays of strings, and the score of a mask.

    Scores and margins that were not asked for are not there. Polygons become `points` (n, 2) with `objects` (n,) and
    `outlines` (n,): which object and which of all outlines each point belongs to. A count is written with the arrays of
    the boxes that were counted. An action has its `xy` (2,), NaN where it has no point, and its `name`.

    Raises:
        InputError: It is a count without boxes, which has no arrays.
    """
    arrays = _arrays(result)
    if not arrays:
        raise InputError(f"a {type(result).__name__} has no arrays for an .npz file. Use JSON.")
    buffer = BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def _arrays(result: Result) -> dict[str, Any]:
    match result:
        case Polygons():
            return _polygon_arrays(result)
        case Count(boxes=Boxes() as counted):
            return {"count": np.int64(len(counted)), **_field_arrays(counted)}
        case Action(name=name, xy=xy):
            point = np.full(2, np.nan, np.float32) if xy is None else xy
            return {"xy": point, "name": np.array(name, np.str_)}
    return _field_arrays(result)


def _field_arrays(result: Result) -> dict[str, Any]:
    base = {field.name for field in fields(Result)}
    values = {field.name: getattr(result, field.name) for field in fields(result) if field.name not in base}
    arrays = {name: value for name, value in values.items() if isinstance(value, np.ndarray)}
    if not arrays:
        return {}
    names = {k: np.array(values[k], np.str_) for k in ("labels", "classes", "unit") if k in values}
    score = values.get("score")
    return arrays | names | ({} if score is None else {"score": np.float32(score)})


def _polygon_arrays(polygons: Polygons) -> dict[str, Any]:
    rings = [(i, ring) for i, parts in enumerate(polygons.parts) for ring in parts]
    lengths = [len(ring) for _, ring in rings]
    scores = {} if polygons.scores is None else {"scores": polygons.scores}
    return {
        **scores,
        "points": np.concatenate([ring for _, ring in rings]) if rings else np.zeros((0, 2), np.float32),
        "objects": np.repeat(np.array([i for i, _ in rings], np.int32), lengths),
        "outlines": np.repeat(np.arange(len(rings), dtype=np.int32), lengths),
        "labels": np.array(polygons.labels, np.str_),
    }
