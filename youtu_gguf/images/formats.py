"""Which image files are read: a fixed list of formats whose decoders start no program and open no other file.

Pillow knows more formats. Some of them hand the file to another program (EPS and PS to Ghostscript), others to whatever
the process has registered for them; files of those are refused by their format, before any of it is decoded.
"""

from __future__ import annotations

import struct
from collections.abc import Collection
from typing import IO, TYPE_CHECKING

from youtu_gguf.errors import InputError

if TYPE_CHECKING:
    from PIL import Image

HEIF = "HEIF"
"""What pi-heif reads, of the extra `heic`; it needs nothing registered with Pillow."""

FORMATS = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
    "PNG": (".png", ".apng"),
    "WEBP": (".webp",),
    "AVIF": (".avif", ".avifs"),
    HEIF: (".heic", ".heif", ".hif"),
    "TIFF": (".tif", ".tiff"),
    "BMP": (".bmp",),
    "GIF": (".gif",),
    "JPEG2000": (".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx"),
    "PPM": (".ppm", ".pgm", ".pbm", ".pnm", ".pfm"),
    "ICO": (".ico",),
    "ICNS": (".icns",),
    "DDS": (".dds",),
    "PCX": (".pcx",),
    "PSD": (".psd",),
    "QOI": (".qoi",),
    "SGI": (".sgi", ".rgb", ".rgba", ".bw"),
    "TGA": (".tga", ".icb", ".vda", ".vst"),  # last: its files have no signature
}
"""Formats that are read, by Pillow's name, in the order in which they are tried, and the suffixes of their files."""

SUFFIXES = frozenset(suffix for suffixes in FORMATS.values() for suffix in suffixes)
"""Suffixes of images, in lower case."""

_BY_OTHER_NAMES = ("MPO",)
"""Formats of Pillow images that come from files of the formats above: a JPEG with several images."""

_SIGNATURE_BYTES = 16
_BOX_TYPE, _BRAND = slice(4, 8), slice(8, 12)
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1")
"""Brands of ISO/IEC 23008-12 (HEIF) whose images may be coded as HEVC. AVIF files may have the last two as well."""


def open_file(file: IO[bytes], name: str, formats: Collection[str] = tuple(FORMATS)) -> Image.Image:
    """Read the header of an image file; its pixels are decoded when they are loaded.

    Pillow's own `open` is not used, because it refuses images by a limit that any library in the process may change.

    Args:
        file: The file.
        name: What messages call it.
        formats: Those of the `FORMATS` that are read.

    Raises:
        InputError: It is of none of the `formats`, or HEIF without the extra.
        Exception: What Pillow's decoders raise for damaged files.
    """
    from PIL import Image

    if not file.seekable():  # a pipe
        from io import BytesIO

        file = BytesIO(file.read())
    signature = file.read(_SIGNATURE_BYTES)
    for format_ in formats:
        if format_ == HEIF:
            if signature[_BOX_TYPE] == b"ftyp" and signature[_BRAND] in _HEIF_BRANDS:
                return _open_heif(file, name)
            continue
        if format_ not in Image.OPEN:
            Image.preinit()  # JPEG and PNG among them; all of them take four times as long
        if format_ not in Image.OPEN:
            Image.init()
        factory, accepts = Image.OPEN[format_]
        try:
            accepted = accepts is None or accepts(signature)
            if not accepted or isinstance(accepted, str):  # a text says what this Pillow was built without
                continue
            file.seek(0)
            return factory(file, "")
        except (SyntaxError, IndexError, TypeError, struct.error):  # how Pillow's decoders say that it is not theirs
            continue
    raise InputError(
        f"expected an image (JPEG, PNG, WebP, ...); {name} is not one that Pillow can read, or of a format that is not "
        f"read here. Save it in another: {', '.join(formats)}."
    )


def _open_heif(file: IO[bytes], name: str) -> Image.Image:
    try:
        import pi_heif
    except ImportError as exc:
        raise InputError(
            f"expected an image that can be read without extras; {name} is HEIC. "
            'Install the extra: pip install "youtu_gguf[heic]"'
        ) from exc
    file.seek(0)
    image: Image.Image = pi_heif.HeifImageFile(file)
    return image


def check_format(image: Image.Image, name: str) -> None:
    """Refuse an image whose pixels are yet to be read from a file of another format.

    Raises:
        InputError: It is one.
    """
    from PIL import ImageFile

    if isinstance(image, ImageFile.ImageFile) and image.format not in (*FORMATS, *_BY_OTHER_NAMES):
        raise InputError(
            f"expected an image of a format that is read here ({', '.join(FORMATS)}); {name} is of {image.format}. "
            "Load it yourself if you trust it, and pass image.copy()."
        )
