"""Pixels of every mode: grey values of any depth, images turned in any way, and images too large for the memory."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageOps

from youtu_gguf.errors import EngineError, InputError
from youtu_gguf.images.load import load
from youtu_gguf.images.pixels import check_memory


def tiff(values: list[float], dtype: str) -> bytes:
    """Return a grey TIFF of one row."""
    array = np.array([values]).astype(dtype)
    image = Image.fromarray(array.view(np.int32) if dtype == "uint32" else array)
    buffer = io.BytesIO()
    image.save(buffer, "TIFF")
    if dtype == "uint32":  # Pillow writes all of 32 bits with a sign
        return buffer.getvalue().replace(b"\x53\x01\3\0\1\0\0\0\2\0", b"\x53\x01\3\0\1\0\0\0\1\0")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("values", "dtype", "expected"),
    [
        ([0, 100, 255], "int32", [0, 100, 255]),  # of 8 bits
        ([0, 100, 255], "uint16", [0, 100, 255]),
        ([0, 512, 1023], "uint16", [0, 128, 255]),  # of 10
        ([0, 2048, 4095], "uint16", [0, 128, 255]),  # of 12
        ([0, 8192, 16383], "int32", [0, 128, 255]),  # of 14
        ([0, 32768, 65535], "uint16", [0, 128, 255]),
        ([0, 32768, 65535], "int32", [0, 128, 255]),
        ([0, 2**23, 2**24 - 1], "int32", [0, 128, 255]),
        ([0, 2**31, 2**32 - 1], "uint32", [0, 128, 255]),
        ([-1000, 1000, 3000], "int32", [0, 128, 255]),
        ([-7, -7, -7], "int32", [0, 0, 0]),
        ([0, 0, 0], "uint16", [0, 0, 0]),
        ([0, 0.5, 1], "float32", [0, 128, 255]),
    ],
)
def test_grey_values_are_scaled_by_their_range(values: list[float], dtype: str, expected: list[int]) -> None:
    rgb = load(tiff(values, dtype))
    assert rgb[0, :, 0].tolist() == expected
    assert (rgb == rgb[:, :, :1]).all()


def colours_of_16_bits(values: list[int]) -> list[bytes]:
    """Return a TIFF and a PNG of one row of grey pixels in three channels of 16 bits."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    pixels = np.repeat(values, 3).astype(">u2").tobytes()
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", len(values), 1, 16, 2, 0, 0, 0))
    png = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" + pixels)) + chunk(b"IEND", b"")
    sizes = {256: len(values), 257: 1, 259: 1, 262: 2, 277: 3, 278: 1, 279: len(pixels)}
    at = 8 + 2 + 12 * (len(sizes) + 2) + 4
    tags = {**{tag: struct.pack(">HIHxx", 3, 1, value) for tag, value in sizes.items()}}
    tags[258], tags[273] = struct.pack(">HII", 3, 3, at), struct.pack(">HII", 4, 1, at + 6)
    entries = b"".join(struct.pack(">H", tag) + entry for tag, entry in sorted(tags.items()))
    tiff = (
        b"MM\0*\0\0\0\x08" + struct.pack(">H", len(tags)) + entries + bytes(4) + struct.pack(">3H", 16, 16, 16) + pixels
    )
    return [tiff, png]


def test_colours_of_16_bits_have_their_upper_8() -> None:
    for data in colours_of_16_bits([0, 0x7F00, 0xFFFF]):
        assert load(data)[0, :, 0].tolist() == [0, 0x7F, 0xFF]


def test_colours_of_16_bits_that_would_be_nearly_black_are_refused() -> None:
    for data in colours_of_16_bits([0, 255, 4095]):
        with pytest.raises(InputError, match="of which its colours use the lower 12 at most"):
            load(data)


def test_the_range_is_that_of_the_whole_image() -> None:
    grey = np.zeros((200, 1000), np.uint16)  # of more than one strip
    grey[0] = 4095
    rgb = load(Image.fromarray(grey))
    assert rgb[0].min() == 255
    assert rgb[1:].max() == 0


@pytest.mark.parametrize("orientation", range(10))
@pytest.mark.parametrize("format_", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_images_are_turned_upright_as_pillow_turns_them(format_: str, orientation: int) -> None:
    image = Image.fromarray(np.random.default_rng(2).integers(0, 256, (20, 30, 3), dtype=np.uint8))
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    image.save(buffer, format_, exif=exif)
    expected = ImageOps.exif_transpose(Image.open(buffer))
    assert np.array_equal(load(buffer.getvalue()), np.asarray(expected))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBa", "CMYK", "YCbCr", "HSV"])
def test_images_of_every_mode_have_the_colours_that_pillow_gives_them(mode: str) -> None:
    image = Image.fromarray(np.random.default_rng(4).integers(0, 256, (110, 1000, 3), dtype=np.uint8)).convert(
        {"PA": "LA", "RGBa": "RGBA"}.get(mode, mode)
    )
    image = image.convert(mode)
    assert np.array_equal(load(image), np.asarray(image.convert("RGB")))


@pytest.mark.parametrize(("format_", "needed_mb"), [("JPEG", 6.5), ("PNG", 5), ("WEBP", 8)])
def test_an_image_that_the_memory_does_not_hold_is_refused_before_it_is_decoded(format_: str, needed_mb: float) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (1000, 500)).save(buffer, format_)
    image = Image.open(buffer)
    check_memory(image, "a.jpg", int(needed_mb * 1e6))
    with pytest.raises(EngineError, match=r"a.jpg, 1000x500, needs up to [5-8] MB to decode; 3 MB are free"):
        check_memory(image, "a.jpg", 3_000_000)
    if format_ != "WEBP":  # its plugin names no tiles before it decodes them
        assert image.tile
    image.load()
    check_memory(image.copy(), "the image", 3_000_000)
