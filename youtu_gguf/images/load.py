"""From an image of any kind to the pixels the model sees: load it upright, then resize it to its prepared size."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from os import PathLike
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeAlias

import numpy as np

from youtu_gguf.arguments import checked_path
from youtu_gguf.errors import InputError, YoutuError
from youtu_gguf.facts import SCALE_STEP, TOKEN_PX
from youtu_gguf.images.exif import focal_from_exif
from youtu_gguf.images.formats import check_format, open_file
from youtu_gguf.images.pixels import RGB, check_size, upright_rgb
from youtu_gguf.images.warned import HIDDEN
from youtu_gguf.types import U8, PreparedImage, Size, Transform

if TYPE_CHECKING:
    from PIL import Image

ImageLike: TypeAlias = "str | PathLike[str] | bytes | bytearray | memoryview | Image.Image | U8"
"""A file's path, a file's bytes, a Pillow image, or an (H, W, 3) uint8 RGB array."""


def load(image: ImageLike) -> U8:
    """Decode `image` and turn it upright.

    EXIF orientation is applied, transparency is laid over white, grey values of more than 8 bits are scaled to 8 by
    their range, and every other colour mode is converted to RGB. Of several images in a file it is the first.

    Returns:
        (H, W, 3) uint8 RGB, which shares no memory with `image` and cannot be written to.

    Raises:
        InputError: There is no such file, it is not an image of one of the `formats.FORMATS`, it is broken, or it has
            over 200 megapixels.
        EngineError: It does not fit into the free memory.
    """
    return load_with_focal(image)[0]


def load_with_focal(image: ImageLike) -> tuple[U8, float | None]:
    """Return what `load` does, and the focal length in pixels of that image where its EXIF data give it."""
    from PIL import Image

    if isinstance(image, np.ndarray):
        return _checked_array(image), None
    if isinstance(image, Image.Image):
        return _from_pillow(image, "the image")
    if isinstance(image, bytes | bytearray | memoryview):
        return _decode(BytesIO(image), f"the image ({len(image)} bytes)")
    if isinstance(image, str | PathLike):
        return _from_path(checked_path("image", image))
    raise InputError(
        f"an image must be a path, bytes, a PIL image or an (H, W, 3) uint8 array; got {type(image).__name__}."
    )


def _from_path(path: Path) -> tuple[U8, float | None]:
    try:
        file = path.open("rb")
    except FileNotFoundError as exc:
        raise InputError(f"expected an image file; {path} does not exist. Check the path.") from exc
    except (OSError, ValueError) as exc:
        reason = getattr(exc, "strerror", None) or exc
        raise InputError(f"expected an image file; {path} cannot be read: {reason}. Name a file.") from exc
    with file:
        return _decode(file, str(path))


def prepared_size(size: Size, max_tokens: int, zoom: float = 1.0) -> Size:
    """Return the size the model sees a `size` image at, within `max_tokens` image tokens.

    Each side becomes ``max(32, ceil(side * scale / 32) * 32)``; the scale starts at 1 and falls by 0.02 until the
    image fits (facts: image preparation). Small images grow to whole tokens, large ones shrink. With a `zoom` the scale
    starts there.

    Raises:
        InputError: So long and narrow that no scale fits.
    """
    scale = zoom
    while scale > 0:
        width, height = (max(TOKEN_PX, math.ceil(side * scale / TOKEN_PX) * TOKEN_PX) for side in size)
        if (width // TOKEN_PX) * (height // TOKEN_PX) <= max_tokens:
            return Size(width, height)
        scale -= SCALE_STEP
    raise InputError(
        f"the image must fit {max_tokens} tokens of {TOKEN_PX}x{TOKEN_PX} px at some scale; {size.width}x{size.height} "
        "does not. Crop it, or raise image_max_tokens."
    )


def prepare(rgb: U8, max_tokens: int, zoom: float = 1.0) -> tuple[PreparedImage, Transform]:
    """Resize an upright image to its prepared size.

    Args:
        rgb: (H, W, 3) uint8.
        max_tokens: Most image tokens it may take.
        zoom: How much larger than `rgb` to prepare it, where that fits; the transform is still one to `rgb`.

    Returns:
        The prepared image, and the mapping between both frames.

    Raises:
        InputError: No scale makes it fit.
    """
    from PIL import Image

    source = Size(rgb.shape[1], rgb.shape[0])
    target = prepared_size(source, max_tokens, zoom)
    if target != source:
        # Pillow's bilinear filter widens its support when shrinking, which is the antialias of the reference.
        rgb = np.asarray(Image.fromarray(rgb).resize(target, Image.Resampling.BILINEAR))
    return PreparedImage(rgb), Transform(source, target)


def _decode(file: IO[bytes], name: str) -> tuple[U8, float | None]:
    with _pillow(name), open_file(file, name) as image:
        return upright_rgb(image, name), focal_from_exif(image)


def _from_pillow(image: Image.Image, name: str) -> tuple[U8, float | None]:
    check_format(image, name)
    with _pillow(name):
        return upright_rgb(image, name), focal_from_exif(image)


@contextmanager
def _pillow(name: str) -> Iterator[None]:
    """Translate what Pillow raises in a `with` block: its decoders raise nearly anything for a damaged file."""
    try:
        with HIDDEN:
            yield
    except YoutuError:
        raise
    except Exception as exc:
        raise InputError(f"expected a whole image; {name} cannot be decoded: {_reason(exc)}. Save it again.") from exc


def _reason(exc: Exception) -> str:
    return str(exc).rstrip(".") or type(exc).__name__


def _checked_array(array: np.ndarray) -> U8:
    """Return a copy of an image's pixels that no one can change."""
    match array.shape:
        case (height, width, 3) if array.dtype == np.uint8:
            check_size(Size(width, height), "the image array")
            return np.frombuffer(array.tobytes(), np.uint8).reshape(array.shape)
        case (_, _):
            remedy = "Make three channels of one: np.repeat(image[:, :, None], 3, axis=2)."
        case (3, _, channels) if channels != RGB:
            remedy = "Put the channels last: image.transpose(1, 2, 0)."
        case (_, _, 4):
            remedy = "Leave out the fourth channel: image[:, :, :3]."
        case _ if np.issubdtype(array.dtype, np.floating):
            remedy = "Convert values in 0..1: (image * 255).round().astype(np.uint8)."
        case _:
            remedy = "Scale values to 0..255 and convert them: image.astype(np.uint8)."
    raise InputError(f"an image array must be (H, W, 3) uint8 RGB; got {array.shape} {array.dtype}. {remedy}")
