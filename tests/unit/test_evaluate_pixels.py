"""PNG files as numbers: every kind of grey and palette, exactly; and what is broken or hostile, refused."""

import io
import struct
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from youtu_gguf.errors import InputError
from youtu_gguf.evaluate.data.pixels import png_size, read_ids, read_levels
from youtu_gguf.types import Size

_FIRST_CHUNKS = 33
MAP = np.random.default_rng(0).integers(0, 256, (13, 17)).astype(np.uint8)
MAP16 = MAP.astype(np.uint16) * np.uint16(255) + np.uint16(7)


def png(image: Image.Image, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", **options)
    return buffer.getvalue()


def palette(levels: np.ndarray, **options: object) -> bytes:
    image = Image.new("P", levels.shape[::-1])
    image.putdata([int(level) for level in levels.ravel()])
    image.putpalette([(7 * n) % 256 for n in range(768)])
    return png(image, **options)


def filtered(levels: np.ndarray, kinds: tuple[int, ...]) -> bytes:
    """A grey PNG file whose rows are filtered by `kinds` in turn (PNG specification, 9.2)."""
    n_bytes = levels.itemsize
    pixels = np.frombuffer(levels.astype(levels.dtype.newbyteorder(">")).tobytes(), np.uint8)
    pixels = pixels.reshape(len(levels), -1).astype(np.int16)
    out = b""
    for number, row in enumerate(pixels):
        above = pixels[number - 1] if number else np.zeros_like(row)
        left, corner = (np.concatenate([np.zeros(n_bytes, np.int16), line[:-n_bytes]]) for line in (row, above))
        nearest = [abs(left + above - corner - near) for near in (left, above, corner)]
        paeth = np.choose(np.argmin(nearest, axis=0), [left, above, corner])
        kind = kinds[number % len(kinds)]
        predicted = (np.zeros_like(row), left, above, (left + above) // 2, paeth)[kind]
        out += bytes([kind]) + (row - predicted).astype(np.uint8).tobytes()
    return written(levels.shape[1], levels.shape[0], 8 * n_bytes, 0, zlib.compress(out))


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def written(width: int, height: int, bits: int, colour: int, pixels: bytes, interlace: int = 0) -> bytes:
    """A PNG file of any header around compressed pixels."""
    ihdr = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, interlace)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", ihdr) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def rows(levels: np.ndarray) -> bytes:
    return b"".join(b"\0" + row.tobytes() for row in levels)


@pytest.mark.parametrize("kinds", [(0,), (1,), (2,), (3,), (4,), (0, 1, 2, 3, 4)])
@pytest.mark.parametrize("levels", [MAP, MAP16], ids=["8 bits", "16 bits"])
def test_levels_are_read_exactly_whatever_the_filter(levels: np.ndarray, kinds: tuple[int, ...]) -> None:
    got = read_levels(filtered(levels, kinds))
    assert got.dtype == levels.dtype
    np.testing.assert_array_equal(got, levels)


@pytest.mark.parametrize("transparency", [{}, {"transparency": 3}])
def test_palette_gives_indices_and_not_colours(transparency: dict[str, int]) -> None:
    np.testing.assert_array_equal(read_levels(palette(MAP, **transparency)), MAP)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_few_bits_are_not_spread_over_the_range(bits: int) -> None:
    levels = MAP % np.uint8(1 << bits)
    data = palette(levels, bits=bits)
    assert data[24] == bits
    np.testing.assert_array_equal(read_levels(data), levels)


def test_grey_of_one_bit_is_0_and_1() -> None:
    image = Image.fromarray(MAP % np.uint8(2) * np.uint8(255)).convert("1")
    np.testing.assert_array_equal(read_levels(png(image)), MAP % 2)


def test_interlaced_file_is_read() -> None:
    """The one pixel of a 1x1 image is in the first of the seven passes; of 2x1, the second is in the sixth."""
    one = written(1, 1, 8, 0, zlib.compress(b"\0\x2a"), interlace=1)
    two = written(2, 1, 8, 0, zlib.compress(b"\0\x2a\0\x07"), interlace=1)
    assert (read_levels(one).tolist(), read_levels(two).tolist()) == ([[42]], [[42, 7]])


def test_many_small_chunks_are_joined() -> None:
    pixels = zlib.compress(rows(MAP))
    parts = b"".join(chunk(b"IDAT", pixels[n : n + 5]) for n in range(0, len(pixels), 5))
    whole = written(17, 13, 8, 0, b"")
    np.testing.assert_array_equal(read_levels(whole[:_FIRST_CHUNKS] + parts + chunk(b"IEND", b"")), MAP)


def test_rows_that_begin_without_a_filter_may_end_with_one() -> None:
    levels = np.random.default_rng(1).integers(0, 9, (300, 200)).astype(np.uint8)
    filtered = b"\1" + np.diff(levels[-1], prepend=np.uint8(0)).tobytes()
    data = written(200, 300, 8, 0, zlib.compress(rows(levels[:-1]) + filtered))
    np.testing.assert_array_equal(read_levels(data), levels)


def test_ids_of_rgb_are_little_endian() -> None:
    rgb = np.zeros((2, 2, 3), np.uint8)
    rgb[0, 1], rgb[1, 0] = (1, 2, 3), (255, 255, 255)
    assert read_ids(png(Image.fromarray(rgb))).tolist() == [[0, 1 + 2 * 256 + 3 * 65536], [2**24 - 1, 0]]


def test_size_is_read_from_the_header_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png(Image.fromarray(MAP))[:_FIRST_CHUNKS])
    assert png_size(path) == Size(17, 13)


@pytest.mark.parametrize(("width", "height"), [(130_000, 130_000), (2**31 - 1, 2**31 - 1), (150_000_000, 1), (0, 4)])
def test_header_that_claims_too_much_takes_no_memory(tmp_path: Path, width: int, height: int) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(written(width, height, 8, 0, zlib.compress(bytes(1 << 20))))
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match=rf"bomb\.png: expected 1 to 200,000,000 pixels.*{width}x{height}"):
            read_levels(path)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_pixels_that_are_fewer_than_the_header_claims_take_no_memory() -> None:
    data = written(14_000, 14_000, 8, 0, zlib.compress(bytes(1000)))
    with pytest.raises(InputError, match="14000x14000 pixels; its 17 bytes cannot hold them"):
        read_levels(data)


def test_file_that_is_far_longer_than_its_pixels_is_not_read_on(tmp_path: Path) -> None:
    path = tmp_path / "long.png"
    path.write_bytes(filtered(MAP, (0,)))
    with path.open("r+b") as file:
        file.truncate(1 << 32)
    with pytest.raises(InputError, match=r"long\.png: a 17x13 PNG file has at most 16,777,437 bytes; it has more"):
        read_levels(path)


def test_stream_that_goes_on_after_the_last_row_is_refused() -> None:
    with pytest.raises(InputError, match="expected 13 rows of pixels; got more"):
        read_levels(written(17, 13, 8, 0, zlib.compress(rows(MAP) + bytes(10_000_000))))


def test_other_size_is_refused_with_both() -> None:
    with pytest.raises(InputError, match=r"a\.png: expected 17x12 pixels, as in the image; got 17x13"):
        read_levels(png(Image.fromarray(MAP)), size=Size(17, 12), name="a.png")


@pytest.mark.parametrize("kind", [0, 4])
def test_damage_is_reported_and_never_read(kind: int) -> None:
    whole = filtered(MAP, (kind,))
    for cut in range(len(whole) - 12):
        with pytest.raises(InputError):
            read_levels(whole[:cut])
    for place in range(16, len(whole) - 12):
        with pytest.raises(InputError):
            read_levels(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])


@pytest.mark.parametrize("pixels", [zlib.compress(rows(MAP))[:-1], zlib.compress(rows(MAP)[:-1]), b"not zlib at all"])
def test_stream_that_ends_early_is_refused(pixels: bytes) -> None:
    with pytest.raises(InputError):
        read_levels(written(17, 13, 8, 0, pixels))


@pytest.mark.parametrize(
    ("data", "got"),
    [
        (png(Image.new("RGB", (2, 2))), "8-bit RGB"),
        (png(Image.new("RGBA", (2, 2))), "8-bit RGB with alpha"),
        (png(Image.new("LA", (2, 2))), "8-bit grey with alpha"),
        (b"\xff\xd8\xff\xe0" + bytes(40), "expected a PNG file; it begins with"),
        (b"", "expected a PNG file; it begins with b''"),
    ],
)
def test_other_kinds_of_files_are_named(data: bytes, got: str) -> None:
    with pytest.raises(InputError, match=got):
        read_levels(data)


def test_missing_file_is_an_error_of_the_caller(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected the PNG file .*none\.png; got: No such file"):
        read_levels(tmp_path / "none.png")


def test_levels_cannot_be_written_to() -> None:
    assert not read_levels(png(Image.fromarray(MAP))).flags.writeable
