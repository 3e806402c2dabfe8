"""Depth as points in space: PLY, little-endian binary, as MeshLab, CloudCompare, Blender and Open3D read it.

The camera is at the origin: x goes to the right, y down, z forward, in metres. A pixel's ray goes through its middle,
and the optical axis through the middle of the image.
"""

from __future__ import annotations

import numpy as np

from youtu_gguf.errors import InputError
from youtu_gguf.output.camera import camera_of, check_metres
from youtu_gguf.output.source import FocalFrom, Source
from youtu_gguf.types import U8, DepthMap

_XYZ = [("x", "<f4"), ("y", "<f4"), ("z", "<f4")]
_RGB = [("red", "u1"), ("green", "u1"), ("blue", "u1")]
_NAMES = {"<f4": "float", "u1": "uchar"}


def depth_to_ply(
    depth: DepthMap, focal_px: float, rgb: U8 | None = None, step: int = 1, *, focal_from: FocalFrom = "given"
) -> bytes:
    """Return the points of a depth map as a PLY file, row by row; invalid pixels have none.

    Args:
        depth: In metres.
        focal_px: Focal length in pixels of the depth map.
        rgb: (H, W, 3) colours of the points, of the depth map's size; None for none.
        step: Every how many pixels, across and down, there is a point.
        focal_from: Where the focal length is from; the file states it in a comment.

    Raises:
        InputError: Distances are relative; the colours are of another size; or the step is not positive.
    """
    check_metres(depth, "a point cloud")
    if rgb is not None and rgb.shape[:2] != depth.values.shape:
        raise InputError(f"colours must be those of {depth.values.shape} pixels; got {rgb.shape[:2]}.")
    if step < 1:
        raise InputError(f"the step of a point cloud must be 1 or more; got {step}.")
    height, width = depth.values.shape
    z = depth.values[::step, ::step]
    v, u = np.nonzero((z > 0) & np.isfinite(z))
    z = z[v, u]
    fields = _XYZ if rgb is None else _XYZ + _RGB
    points = np.empty(len(z), fields)
    points["x"] = (u * step + 0.5 - width / 2) / focal_px * z
    points["y"] = (v * step + 0.5 - height / 2) / focal_px * z
    points["z"] = z
    if rgb is not None:
        for i, (name, _) in enumerate(_RGB):
            points[name] = rgb[::step, ::step, i][v, u]
    told = f"focal length {focal_px:.2f} px ({focal_from})"
    return _header(len(points), fields, told) + points.tobytes()


def encode_ply(depth: DepthMap, source: Source, step: int = 1) -> bytes:
    """Return the points of a depth map as `depth_to_ply` does, with the image's colours where it is known.

    The focal length is the one that the distances were made with, else the image's.

    Raises:
        InputError: Distances are relative, or no focal length is known.
    """
    check_metres(depth, "a point cloud")
    camera = camera_of(depth, source)
    if camera.focal_px is None or camera.focal_from is None:
        raise InputError(
            "a point cloud needs the focal length in pixels; none is known. Use an image whose EXIF data give it, ask "
            'for depth with focal_px and the scale "open", or name it for the file; focal_px="assumed" takes that of a '
            "telephone's camera."
        )
    return depth_to_ply(depth, camera.focal_px, source.rgb, step, focal_from=camera.focal_from)


def _header(n: int, fields: list[tuple[str, str]], comment: str) -> bytes:
    lines = ["ply", "format binary_little_endian 1.0", "comment metres; x right, y down, z forward"]
    lines.append(f"comment {comment}")
    properties = [f"property {_NAMES[kind]} {name}" for name, kind in fields]
    return "\n".join([*lines, f"element vertex {n}", *properties, "end_header", ""]).encode("ascii")
