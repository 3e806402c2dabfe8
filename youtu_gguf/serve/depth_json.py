"""Distances as LocalAI's JSON: a number for every pixel, written row by row so that other threads are not held up."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from youtu_gguf.output.depth_png import depth_levels
from youtu_gguf.types import F32, U8, DepthMap

_METRE_DIGITS = 4
_RELATIVE_DIGITS = 5

_ROW = 4096
"""Numbers that are written at once: CPython lets no other thread run meanwhile."""


def depth_numbers(depth: DepthMap) -> bytes:
    """Return the distances as a JSON array, row-major; 0 is invalid."""
    return _numbers(depth.values, _METRE_DIGITS if depth.unit == "m" else _RELATIVE_DIGITS)


def depth_png16(depth: DepthMap) -> dict[str, Any]:
    """Return the distances as a 16-bit PNG file in base64, and the distance of one grey level."""
    levels = depth_levels(depth)
    return {"depth_png16": base64.b64encode(levels.to_png()).decode(), "depth_scale": levels.scale}


def camera(depth: DepthMap) -> dict[str, Any]:
    """Return the camera's matrices for a known focal length: rows of the 3x4 from world to camera, and of the 3x3."""
    height, width = depth.values.shape
    focal = depth.focal_px
    return {
        "extrinsics": [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0],  # one camera, which is where the world begins
        "intrinsics": [focal, 0, width / 2, 0, focal, height / 2, 0, 0, 1],
    }


def point_cloud(depth: DepthMap, rgb: U8) -> tuple[F32, U8]:
    """Return (n, 3) x to the right, y down, z ahead in metres of the pixels that have a distance, and their colours."""
    assert depth.focal_px is not None
    rows, columns = np.nonzero(depth.values > 0)
    height, width = depth.values.shape
    z = depth.values[rows, columns]
    x = (columns + 0.5 - width / 2) * z / depth.focal_px
    y = (rows + 0.5 - height / 2) * z / depth.focal_px
    return np.stack([x, y, z], axis=1).astype(np.float32), rgb[rows, columns]


def point_fields(depth: DepthMap, rgb: U8) -> Iterable[tuple[str, bytes]]:
    """Yield the fields of a point cloud and their JSON."""
    points, colours = point_cloud(depth, rgb)
    yield "num_points", str(len(points)).encode()
    yield "points", _numbers(points, _METRE_DIGITS)
    yield "point_colors", json.dumps(base64.b64encode(colours.tobytes()).decode()).encode()


def _numbers(values: npt.NDArray[np.floating[Any]], digits: int) -> bytes:
    flat = values.ravel()
    rows = (flat[i : i + _ROW].astype(np.float64).round(digits).tolist() for i in range(0, flat.size, _ROW))
    return b"[" + b",".join(json.dumps(row, separators=(",", ":"))[1:-1].encode() for row in rows) + b"]"
