"""Depth maps as images of float32 numbers, in the depth map's own unit; 0 is invalid.

PFM is the plain form that stereo benchmarks use, EXR the one that film and 3D programs read.
"""

from __future__ import annotations

import struct

from youtu_gguf.errors import InputError
from youtu_gguf.output.source import Source
from youtu_gguf.types import DepthMap

_EXR_MAGIC, _EXR_VERSION = 20000630, 2
_FLOAT, _NOT_COMPRESSED, _TOP_DOWN = 2, 0, 0
"""Kinds of a channel, of compression and of the order of lines."""

_CHANNEL = "Y"
"""The only channel of grey images, which every reader knows; OpenCV reads none that is named "Z", as depth often is."""

_OFFSET_BYTES = 8
_LINE_HEADER_BYTES = 8  # number of the line, and its length in bytes


def encode_pfm(depth: DepthMap, _source: Source) -> bytes:
    """Return a depth map as a grey PFM file: little-endian, the lowest row first.

    Raises:
        InputError: There are no pixels.

    Source: Paul Debevec, "PFM Portable FloatMap Image Format"; a negative scale stands for little-endian.
    """
    height, width = _sides(depth)
    return f"Pf\n{width} {height}\n-1.0\n".encode("ascii") + depth.values[::-1].astype("<f4").tobytes()


def encode_exr(depth: DepthMap, _source: Source) -> bytes:
    """Return a depth map as an EXR file of one channel "Y", not compressed, that states the `unit` in its header.

    Raises:
        InputError: There are no pixels.

    Source: OpenEXR, "File Layout": scan lines, one part.
    """
    height, width = _sides(depth)
    window = struct.pack("<4i", 0, 0, width - 1, height - 1)
    channel = _text(_CHANNEL) + struct.pack("<i4B2i", _FLOAT, 0, 0, 0, 0, 1, 1)
    attributes = (
        ("channels", "chlist", channel + b"\0"),
        ("compression", "compression", struct.pack("B", _NOT_COMPRESSED)),
        ("dataWindow", "box2i", window),
        ("displayWindow", "box2i", window),
        ("lineOrder", "lineOrder", struct.pack("B", _TOP_DOWN)),
        ("pixelAspectRatio", "float", struct.pack("<f", 1)),
        ("screenWindowCenter", "v2f", struct.pack("<2f", 0, 0)),
        ("screenWindowWidth", "float", struct.pack("<f", 1)),
        ("unit", "string", depth.unit.encode("ascii")),
    )
    header = b"".join(
        _text(name) + _text(kind) + struct.pack("<i", len(data)) + data for name, kind, data in attributes
    )
    beginning = struct.pack("<2i", _EXR_MAGIC, _EXR_VERSION) + header + b"\0"
    row_bytes = 4 * width
    first = len(beginning) + _OFFSET_BYTES * height
    offsets = struct.pack(f"<{height}Q", *(first + y * (_LINE_HEADER_BYTES + row_bytes) for y in range(height)))
    rows = depth.values.astype("<f4")
    lines = (struct.pack("<2i", y, row_bytes) + row.tobytes() for y, row in enumerate(rows))
    return b"".join([beginning, offsets, *lines])


def _sides(depth: DepthMap) -> tuple[int, int]:
    if not depth.values.size:
        raise InputError("an image file needs pixels; got a map without any.")
    height, width = depth.values.shape
    return height, width


def _text(text: str) -> bytes:
    return text.encode("ascii") + b"\0"
