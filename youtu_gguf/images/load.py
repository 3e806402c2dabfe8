"""From an image of any kind to the pixels the model sees: load it upright, then resize it to its prepared size."""

from __future__ import annotations

import math
import struct
import warnings
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from youtu_gguf.arguments import checked_path
from youtu_gguf.errors import InputError
from youtu_gguf.facts import SCALE_STEP, TOKEN_PX
from youtu_gguf.images.exif import focal_from_exif
from youtu_gguf.types import U8, PreparedImage, Size, Transform

if TYPE_CHECKING:
    from PIL import Image

ImageLike: TypeAlias = "str | Path | bytes | Image.Image | U8"
"""A file's path, a file's bytes, a Pillow image, or an (H, W, 3) uint8 RGB array."""

MAX_PIXELS = 200_000_000
"""Larger images are refused before decoding. Pillow refuses some smaller ones already: above twice its
`PIL.Image.MAX_IMAGE_PIXELS`, 179 megapixels unless the caller changed it."""

_16_BIT_MAX = 65_535


def load(image: ImageLike) -> U8:
    """Decode `image` and turn it upright.

    EXIF orientation is applied, transparency is laid over white, 16-bit grey is scaled to 8 bits, and every other
    colour mode is converted to RGB.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        InputError: There is no such file, it is not an image, it is broken, or it has over 200 megapixels.
    """
    return load_with_focal(image)[0]


def load_with_focal(image: ImageLike) -> tuple[U8, float | None]:
    """Return what `load` does, and the focal length in pixels of that image where its EXIF data give it."""
    from PIL import Image

    if isinstance(image, np.ndarray):
        return _checked_array(image), None
    if isinstance(image, Image.Image):
        return _upright_rgb(image, "the image")
    if isinstance(image, bytes | bytearray):
        return _decode(BytesIO(image), f"the image ({len(image)} bytes)")
    if isinstance(image, str | Path):
        return _decode(checked_path("image", image), str(image))
    raise InputError(
        f"an image must be a path, bytes, a PIL image or an (H, W, 3) uint8 array; got {type(image).__name__}."
    )


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


def _decode(source: Path | BytesIO, name: str) -> tuple[U8, float | None]:
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit is checked below
            warnings.filterwarnings("ignore", category=UserWarning, module="PIL")  # of EXIF data that it skips
            opened = Image.open(source)
        with opened:
            return _upright_rgb(opened, name)
    except FileNotFoundError as exc:
        raise InputError(f"expected an image file; {name} does not exist. Check the path.") from exc
    except (IsADirectoryError, PermissionError) as exc:
        raise InputError(f"expected an image file; {name} cannot be read: {exc.strerror}. Name a file.") from exc
    except UnidentifiedImageError as exc:
        raise InputError(f"expected an image (JPEG, PNG, WebP, ...); {name} is not one that Pillow can read.") from exc
    except Image.DecompressionBombError as exc:
        raise _too_many_pixels(name, str(exc)) from exc
    except (OSError, ValueError, SyntaxError, EOFError) as exc:  # Pillow's decoders raise all of these
        raise InputError(f"expected a whole image; {name} cannot be decoded: {exc}. Save it again.") from exc


def _upright_rgb(image: Image.Image, name: str) -> tuple[U8, float | None]:
    _check_size(Size(*image.size), name)
    focal_px = focal_from_exif(image)
    upright = _turned(image)
    if upright.mode.startswith("I"):
        return _from_16_bit(np.asarray(upright), name), focal_px
    if upright.mode == "F":
        raise InputError(f"expected an 8- or 16-bit image; {name} holds floating-point pixels. Convert it to 8 bits.")
    if upright.has_transparency_data:
        upright = _over_white(upright.convert("RGBA"))
    return np.asarray(upright.convert("RGB")), focal_px


def _turned(image: Image.Image) -> Image.Image:
    """Return an image turned as its EXIF data say, or unchanged where they are broken: its pixels may be good."""
    from PIL import ImageOps

    image.load()  # so that what fails afterwards is not the pixels
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of some broken data, and fails at others
            return ImageOps.exif_transpose(image)
    except (OSError, ValueError, SyntaxError, LookupError, TypeError, struct.error):
        return image


def _over_white(image: Image.Image) -> Image.Image:
    from PIL import Image

    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)


def _from_16_bit(grey: np.ndarray, name: str) -> U8:
    if grey.min() < 0 or grey.max() > _16_BIT_MAX:
        raise InputError(f"expected grey values of at most 16 bits; {name} has values up to {grey.max()}.")
    eight_bit = (grey.astype(np.float32) * (255 / _16_BIT_MAX) + 0.5).astype(np.uint8)
    return np.repeat(eight_bit[:, :, None], 3, axis=2)


def _checked_array(array: np.ndarray) -> U8:
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3:  # noqa: PLR2004
        raise InputError(
            f"an image array must be (H, W, 3) uint8 RGB; got {array.shape} {array.dtype}. "
            "Convert grey or float images first."
        )
    _check_size(Size(array.shape[1], array.shape[0]), "the image array")
    return np.ascontiguousarray(array)


def _check_size(size: Size, name: str) -> None:
    if not size.width or not size.height:
        raise InputError(f"an image must have pixels; {name} is {size.width}x{size.height}.")
    if size.width * size.height > MAX_PIXELS:
        raise _too_many_pixels(name, f"{size.width}x{size.height}")


def _too_many_pixels(name: str, got: str) -> InputError:
    limit = MAX_PIXELS // 1_000_000
    return InputError(f"an image may have up to {limit} megapixels; {name} has more ({got}). Resize or crop it first.")
