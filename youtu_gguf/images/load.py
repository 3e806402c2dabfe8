"""From an image of any kind to the pixels the model sees: load it upright, then resize it to its prepared size."""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from io import BytesIO
from os import PathLike
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from youtu_gguf.arguments import checked_path
from youtu_gguf.errors import InputError, YoutuError
from youtu_gguf.facts import SCALE_STEP, TOKEN_PX
from youtu_gguf.images.exif import focal_from_exif
from youtu_gguf.images.formats import check_format, open_file
from youtu_gguf.images.pixels import RGB, Depth, check_size, decode, is_rgb, to_rgb, turned_upright
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
    if isinstance(image, np.ndarray):
        return _checked_array(image), None
    with _decoded(image) as decoded:
        return decoded.rgb(), decoded.focal_px


class Opened(NamedTuple):
    """An image that is ready to be shown to the model.

    Attributes:
        rgb: (H, W, 3) uint8, the upright source image, read-only.
        focal_px: Focal length in source pixels, where the image's EXIF data give it; else None.
        prepared: What the model sees.
        transform: Source and prepared frame.
        path: The image's file; None where it came as bytes or pixels.
    """

    rgb: U8
    focal_px: float | None
    prepared: PreparedImage
    transform: Transform
    path: Path | None = None


def load_prepared(image: ImageLike, max_tokens: int) -> Opened:
    """Do what `load_with_focal` and `prepare` do, in less time.

    Raises:
        InputError: See `load` and `prepare`.
        EngineError: It does not fit into the free memory.
    """
    if isinstance(image, np.ndarray):
        rgb = _checked_array(image)
        return Opened(rgb, None, *prepare(rgb, max_tokens))
    with _decoded(image) as decoded:
        if is_rgb(decoded.image):
            return _opened(decoded, max_tokens)
        rgb = decoded.rgb()
    return Opened(rgb, decoded.focal_px, *prepare(rgb, max_tokens), decoded.path)


class _Decoded(NamedTuple):
    """A loaded image, turned upright, and what its file says of it."""

    image: Image.Image
    depth: Depth
    name: str
    focal_px: float | None
    path: Path | None

    def rgb(self) -> U8:
        """Return its pixels as `load` does."""
        with _pillow(self.name):
            return to_rgb(self.image, self.depth, self.name)


def _opened(decoded: _Decoded, max_tokens: int) -> Opened:
    """Resize an RGB image while its pixels are copied: Pillow resizes without the interpreter's lock."""
    source = Size(*decoded.image.size)
    target = prepared_size(source, max_tokens)
    with ThreadPoolExecutor(1, "youtu-gguf resize") as pool:
        resizing = pool.submit(_resized, decoded.image, target) if target != source else None
        rgb = decoded.rgb()
        prepared = PreparedImage(rgb if resizing is None else resizing.result())
    return Opened(rgb, decoded.focal_px, prepared, Transform(source, target), decoded.path)


@contextmanager
def _decoded(image: object) -> Iterator[_Decoded]:
    """Give an image of any kind, decoded; what is decoded for that is freed at the end of the `with` block."""
    from PIL import Image

    if isinstance(image, Image.Image):
        check_format(image, "the image")
        yield _upright(image, "the image")
        return
    path = checked_path("image", image) if isinstance(image, str | PathLike) else None
    file, name = _file(image if path is None else path)
    with file, ExitStack() as stack:
        with _pillow(name):
            opened = stack.enter_context(closing(open_file(file, name)))
        decoded = _upright(opened, name, path)
        if decoded.image is not opened:
            stack.close()
        with closing(decoded.image):
            yield decoded


def _upright(image: Image.Image, name: str, path: Path | None = None) -> _Decoded:
    with _pillow(name):
        depth = decode(image, name)
        focal_px = focal_from_exif(image)
        return _Decoded(turned_upright(image), depth, name, focal_px, path)


def _file(image: object) -> tuple[IO[bytes], str]:
    """Return the file of a checked path or of bytes, and its name for messages."""
    if isinstance(image, bytes | bytearray | memoryview):
        return BytesIO(image), f"the image ({len(image)} bytes)"
    if not isinstance(image, Path):
        raise InputError(
            f"an image must be a path, bytes, a PIL image or an (H, W, 3) uint8 array; got {type(image).__name__}."
        )
    try:
        return image.open("rb"), str(image)
    except FileNotFoundError as exc:
        raise InputError(f"expected an image file; {image} does not exist. Check the path.") from exc
    except (OSError, ValueError) as exc:
        reason = getattr(exc, "strerror", None) or exc
        raise InputError(f"expected an image file; {image} cannot be read: {reason}. Name a file.") from exc


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
        rgb = _resized(Image.fromarray(rgb), target)
    return PreparedImage(rgb), Transform(source, target)


def _resized(image: Image.Image, target: Size) -> U8:
    """Return (H, W, 3) uint8 pixels of a Pillow image in mode RGB."""
    from PIL import Image

    # Pillow's bilinear filter widens its support when shrinking, which is the antialias of the reference.
    return np.asarray(image.resize(target, Image.Resampling.BILINEAR))


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
