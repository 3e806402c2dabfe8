"""The camera of a depth map: what distances become points in space by, and where its focal length is from.

Pixels are square, and the optical axis goes through the middle of the image. Pixel j covers j to j + 1, so that the
ray of pixel u, v at a distance of z metres ends at X = (u + 0.5 - cx) / fx * z, Y = (v + 0.5 - cy) / fy * z, Z = z.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from youtu_gguf.arguments import as_float, short_repr
from youtu_gguf.decode.depth import assumed_focal, check_focal
from youtu_gguf.errors import InputError
from youtu_gguf.output.source import FocalFrom, Source
from youtu_gguf.types import DepthMap, Size

_SAME = 1e-6  # relative; JSON and float32 change no more


@dataclass(frozen=True)
class Camera:
    """Intrinsics in pixels of the image.

    Attributes:
        size: Of the image.
        focal_px: fx and fy; None where nothing tells it.
        focal_from: "exif", "given" or "assumed"; None with `focal_px`.
    """

    size: Size
    focal_px: float | None
    focal_from: FocalFrom | None

    @property
    def cx(self) -> float:
        """Half the width."""
        return self.size.width / 2

    @property
    def cy(self) -> float:
        """Half the height."""
        return self.size.height / 2


def with_focal(source: Source, focal_px: object) -> Source:
    """Return a source with the focal length that a user names, in pixels; None leaves what it has.

    "assumed" too leaves what it has, and where that is none stands for `assumed_focal`.

    Raises:
        InputError: It is neither of these, or no camera has it.
    """
    if focal_px is None:
        return source
    if isinstance(focal_px, str) and focal_px == "assumed":
        return source if source.focal_px is not None else replace(source, focal_px="assumed")
    pixels = as_float(focal_px)
    if pixels is None:
        raise InputError(f'focal_px must be pixels of the source image, or "assumed"; got {short_repr(focal_px)}.')
    check_focal(pixels, "source")
    return replace(source, focal_px=pixels, focal_from="given")


def camera_of(depth: DepthMap, source: Source) -> Camera:
    """Return the camera of a depth map: with the focal length that made its metres, else the source's."""
    height, width = depth.values.shape
    size = Size(width, height)
    if depth.focal_px is not None:
        return Camera(size, depth.focal_px, _origin(depth.focal_px, size, source))
    if source.focal_px is None:
        return Camera(size, None, None)
    if source.focal_px == "assumed":
        return Camera(size, assumed_focal(size), "assumed")
    return Camera(size, source.focal_px, source.focal_from)


def check_metres(depth: DepthMap, form: str) -> None:
    """Refuse relative distances for `form`, which is in metres.

    Raises:
        InputError: They are relative.
    """
    if depth.unit != "m":
        raise InputError(
            f"{form} needs metres; got relative distances. Ask for depth with focal_px, the focal length in pixels "
            'or "assumed", or write .npz, .pfm or .exr, which take any unit.'
        )


def _origin(focal_px: float, size: Size, source: Source) -> FocalFrom:
    """Return where the focal length is from that distances were made with."""
    for known, origin in ((source.focal_px, source.focal_from), (assumed_focal(size), "assumed")):
        if isinstance(known, float | int) and math.isclose(focal_px, known, rel_tol=_SAME):
            return origin
    return "given"
