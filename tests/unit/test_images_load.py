import io
import struct
import threading
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from youtu_gguf.errors import InputError
from youtu_gguf.images.load import load, prepare, prepared_size
from youtu_gguf.images.warned import HIDDEN
from youtu_gguf.types import Size


def png_bytes(image: Image.Image, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", **options)
    return buffer.getvalue()


def bomb_bytes(width: int, height: int) -> bytes:
    """A PNG whose header claims a size that its few bytes do not hold."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("size", "max_tokens", "expected"),
    [
        ((1, 1), 2048, (32, 32)),
        ((32, 32), 2048, (32, 32)),
        ((33, 64), 2048, (64, 64)),
        ((640, 480), 2048, (640, 480)),
        ((451, 300), 2048, (480, 320)),
        ((1, 5000), 2048, (32, 5024)),
        ((4000, 3000), 2048, (1600, 1216)),
        ((640, 480), 64, (288, 224)),
    ],
)
def test_prepared_size_follows_the_published_search(
    size: tuple[int, int], max_tokens: int, expected: tuple[int, int]
) -> None:
    prepared = prepared_size(Size(*size), max_tokens)
    assert prepared == expected
    assert (prepared.width // 32) * (prepared.height // 32) <= max_tokens


def test_an_image_too_narrow_for_any_scale_is_refused_with_the_setting_to_change() -> None:
    with pytest.raises(InputError, match="image_max_tokens"):
        prepared_size(Size(1, 10_000_000), 64)


def test_preparing_an_image_of_whole_tokens_changes_no_pixel() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    prepared, transform = prepare(rgb, 2048)
    assert np.array_equal(prepared.rgb, rgb)
    assert transform.source == transform.prepared


def test_coordinates_go_to_source_pixels_by_each_axis_own_factor() -> None:
    _, transform = prepare(np.zeros((300, 451, 3), np.uint8), 2048)
    box = transform.to_source([[0, 0, 480, 320], [240, 160, 480, 160]])
    assert np.allclose(box, [[0, 0, 451, 300], [225.5, 150, 451, 150]])
    assert np.allclose(transform.to_prepared(box)[0], [0, 0, 480, 320])


def test_exif_orientation_turns_the_image_upright() -> None:
    image = Image.new("RGB", (40, 20), "black")
    image.putpixel((0, 0), (255, 0, 0))
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: show rotated 90 degrees clockwise
    rgb = load(png_bytes(image, exif=exif))
    assert rgb.shape == (40, 20, 3)
    assert tuple(rgb[0, 19]) == (255, 0, 0)


def test_every_kind_of_source_gives_the_same_pixels(tmp_path: Path) -> None:
    image = Image.fromarray(np.arange(5 * 4 * 3, dtype=np.uint8).reshape(5, 4, 3))
    path = tmp_path / "picture.png"
    path.write_bytes(png_bytes(image))
    for source in (path, str(path), path.read_bytes(), image, np.asarray(image)):
        assert np.array_equal(load(source), np.asarray(image))


def test_sixteen_bit_grey_is_scaled_not_clipped() -> None:
    grey = np.array([[0, 32768, 65535]], dtype=np.uint16)
    rgb = load(png_bytes(Image.fromarray(grey)))
    assert rgb[0, :, 0].tolist() == [0, 128, 255]


def test_cmyk_is_converted() -> None:
    buffer = io.BytesIO()
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(buffer, "JPEG", quality=95)
    red, green, _ = load(buffer.getvalue())[4, 4]
    assert red > 200
    assert green < 60


def test_transparent_palette_pixels_lie_over_white() -> None:
    image = Image.new("P", (2, 1), 1)
    image.putpalette([10, 20, 30, 200, 0, 0])
    image.putpixel((1, 0), 0)
    rgb = load(png_bytes(image, transparency=0))
    assert rgb[0].tolist() == [[200, 0, 0], [255, 255, 255]]


def test_one_pixel_and_one_row_images_are_images() -> None:
    for height, width in ((1, 1), (1, 5000), (5000, 1)):
        prepared, transform = prepare(load(np.zeros((height, width, 3), np.uint8)), 2048)
        assert transform.source == (width, height)
        assert prepared.grid.n_tokens >= 1


WHOLE_PNG = png_bytes(Image.fromarray(np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)))


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ("/nowhere/at/all.png", "does not exist"),
        (b"", "not one that Pillow can read"),
        (b"Dear Sir or Madam", "not one that Pillow can read"),
        (WHOLE_PNG[: len(WHOLE_PNG) // 2], "cannot be decoded"),
        (bomb_bytes(30_000, 30_000), "up to 200 megapixels"),
        (bomb_bytes(20_000, 10_001), "up to 200 megapixels"),
        (np.zeros((0, 5, 3), np.uint8), "must have pixels"),
        (np.zeros((5, 5), np.uint8), r"\(H, W, 3\) uint8"),
        (np.zeros((5, 5, 3), np.float32), r"\(H, W, 3\) uint8"),
        (Image.new("F", (4, 4), 1.5), "floating-point pixels must lie in 0..1.*1.5"),
        (Image.new("F", (4, 4), float("nan")), "floating-point pixels must lie in 0..1"),
        (42, "a path, bytes, a PIL image"),
    ],
    ids=[
        *("missing", "empty", "text", "truncated", "bomb", "bomb-just-over"),
        *("no-rows", "grey", "float", "F", "NaN", "number"),
    ],
)
def test_unusable_image_is_an_input_error_that_says_why(image: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load(image)  # type: ignore[arg-type]


def test_a_folder_in_place_of_an_image_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("array", "remedy"),
    [
        (np.zeros((5, 5), np.uint8), r"np.repeat\(image"),
        (np.zeros((3, 5, 6), np.uint8), r"image.transpose\(1, 2, 0\)"),
        (np.zeros((5, 5, 4), np.uint8), r"image\[:, :, :3\]"),
        (np.zeros((5, 5, 3), np.float64), r"image \* 255"),
        (np.zeros((5, 5, 3), np.int64), r"image.astype\(np.uint8\)"),
    ],
)
def test_an_array_of_another_kind_is_refused_with_its_conversion(array: np.ndarray, remedy: str) -> None:
    with pytest.raises(InputError, match=remedy):
        load(array)


PIXELS = np.random.default_rng(3).integers(0, 256, (6, 8, 3), dtype=np.uint8)


def writeable(tmp_path: Path) -> list[tuple[object, np.ndarray]]:
    """Images that share their memory with the array beside them."""
    own, locked, strided = PIXELS.copy(), PIXELS.copy(), np.zeros((6, 16, 3), np.uint8)
    strided[:, ::2] = PIXELS
    view = locked.view()
    view.setflags(write=False)
    buffer = np.dstack([PIXELS, np.full((6, 8, 1), 255, np.uint8)])
    mapped = np.memmap(tmp_path / "frame.raw", np.uint8, "w+", shape=PIXELS.shape)
    mapped[:] = PIXELS
    encoded = np.frombuffer(bytearray(png_bytes(Image.fromarray(PIXELS))), np.uint8)
    return [
        (own, own),
        (view, locked),
        (strided[:, ::2], strided),
        (Image.frombuffer("RGBX", (8, 6), buffer, "raw", "RGBX", 0, 1), buffer),
        (mapped, mapped),
        (memoryview(encoded), encoded),
    ]


def test_an_image_is_what_it_was_when_it_was_loaded(tmp_path: Path) -> None:
    for image, memory in writeable(tmp_path):
        rgb = load(image)  # type: ignore[arg-type]
        memory[:] = 0
        assert np.array_equal(rgb, PIXELS)
        with pytest.raises(ValueError, match="read-only"):
            rgb[0] = 0


def test_a_pixel_array_cannot_be_made_writeable_again() -> None:
    for image in (PIXELS.copy(), Image.fromarray(PIXELS), png_bytes(Image.fromarray(PIXELS))):
        rgb = load(image)
        with pytest.raises(ValueError, match="WRITEABLE"):
            rgb.setflags(write=True)


def test_a_home_folder_is_resolved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / "picture.png").write_bytes(WHOLE_PNG)
    assert load("~/picture.png").shape == (64, 64, 3)


def test_broken_pixels_of_a_pillow_image_are_an_input_error() -> None:
    broken = Image.open(io.BytesIO(WHOLE_PNG[: len(WHOLE_PNG) // 2]))
    closed = Image.open(io.BytesIO(WHOLE_PNG))
    closed.close()
    for image in (broken, closed):
        with pytest.raises(InputError, match="cannot be decoded"):
            load(image)


def test_images_up_to_the_limit_are_not_refused_by_pillows_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100_000)
    assert load(png_bytes(Image.new("RGB", (500, 500)))).shape == (500, 500, 3)
    monkeypatch.undo()
    with pytest.raises(InputError, match="cannot be decoded"):  # there are no pixels behind the header
        load(bomb_bytes(20_000, 10_000))


def test_images_read_in_threads_leave_the_warnings_of_the_process_alone() -> None:
    corrupt = png_bytes(Image.fromarray(PIXELS), exif=b"Exif\0\0II*\0\x08\0\0\0\xff\0\1\2\3")
    before = list(warnings.filters)

    def read() -> None:
        for _ in range(20):
            load(corrupt)

    threads = [threading.Thread(target=read) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert warnings.filters == before
    with pytest.warns(UserWarning, match="ours"):
        warnings.warn("ours", stacklevel=1)


def test_blocks_that_overlap_hide_pillows_warnings_and_no_others() -> None:
    before = list(warnings.filters)
    HIDDEN.__enter__()
    HIDDEN.__enter__()
    HIDDEN.__exit__()  # whichever ends first
    warnings.warn_explicit("of a file", UserWarning, "a", 1, module="PIL.TiffImagePlugin")
    with pytest.raises(UserWarning, match="ours"):  # warnings are errors here
        warnings.warn("ours", stacklevel=1)
    HIDDEN.__exit__()
    assert warnings.filters == before
