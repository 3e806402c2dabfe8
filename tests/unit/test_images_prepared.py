"""What the model is shown does not depend on how an image arrives: the pixels that Pillow's own steps give."""

from __future__ import annotations

import io
import itertools

import numpy as np
import pytest
from PIL import Image, ImageOps

import youtu_gguf as yg
from youtu_gguf.images.load import Opened, load, load_prepared, load_with_focal, prepare, prepared_size
from youtu_gguf.testing import FakeEngine
from youtu_gguf.types import PreparedImage, Size

MAX_TOKENS = 40


def picture(mode: str, size: tuple[int, int] = (331, 217)) -> Image.Image:
    """Return an image of random blocks and noise in a mode that files have."""
    random = np.random.default_rng(5)
    if mode in ("I;16", "I", "F"):
        values = random.integers(0, 1 << 16, size[::-1])
        return Image.fromarray(
            {"I;16": values.astype(np.uint16), "I": values.astype(np.int32)}.get(mode, values / 65535)
        )
    blocks = Image.fromarray(random.integers(0, 256, (7, 9, 3), dtype=np.uint8)).resize(size)
    noisy = np.clip(np.asarray(blocks, np.int16) + random.integers(-9, 10, (*size[::-1], 3)), 0, 255).astype(np.uint8)
    image = Image.fromarray(noisy)
    if "A" in mode:
        image.putalpha(Image.fromarray(random.integers(0, 256, size[::-1], dtype=np.uint8)))
    return image.convert(mode)


def encoded(image: Image.Image, kind: str, orientation: int = 1, **options: object) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    image.save(buffer, kind, exif=exif, **options)
    return buffer.getvalue()


def expected(data: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Return source and prepared pixels by Pillow alone, for 8 bits a channel, step by step and without shortcuts."""
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    if image.has_transparency_data:
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
    source = np.asarray(image.convert("RGB"))
    target = prepared_size(Size(*image.size), MAX_TOKENS)
    return source, np.asarray(Image.fromarray(source).resize(target, Image.Resampling.BILINEAR))


FILES = [
    *itertools.product(["RGB", "L", "CMYK"], ["JPEG"], range(1, 9)),
    *itertools.product(["RGB", "L", "P", "LA", "RGBA", "1"], ["PNG"], [1, 3, 6, 7]),
    *itertools.product(["RGB", "CMYK", "P"], ["TIFF"], [1, 2, 8]),
    *itertools.product(["RGB", "RGBA"], ["WEBP"], [1, 5]),
]


@pytest.mark.parametrize(("mode", "kind", "orientation"), FILES)
def test_prepared_pixels_are_those_of_pillows_own_steps(mode: str, kind: str, orientation: int) -> None:
    data = encoded(picture(mode), kind, orientation)
    opened = load_prepared(data, MAX_TOKENS)
    source, prepared = expected(data)
    assert np.array_equal(opened.rgb, source)
    assert np.array_equal(opened.prepared.rgb, prepared)


@pytest.mark.parametrize("size", [(1, 1), (1, 700), (700, 1), (32, 32), (33, 31), (64, 96), (640, 480), (1999, 1333)])
def test_images_of_every_size_are_prepared_as_pillow_resizes_them(size: tuple[int, int]) -> None:
    data = encoded(picture("RGB", size), "PNG")
    assert np.array_equal(load_prepared(data, MAX_TOKENS).prepared.rgb, expected(data)[1])


def assert_same(opened: Opened, image: object) -> None:
    """Hold what was opened in one go to the same steps one by one."""
    rgb, focal_px = load_with_focal(image)  # type: ignore[arg-type]
    prepared, transform = prepare(rgb, MAX_TOKENS)
    assert np.array_equal(opened.rgb, rgb)
    assert np.array_equal(opened.prepared.rgb, prepared.rgb)
    assert (opened.focal_px, opened.transform) == (focal_px, transform)


@pytest.mark.parametrize("mode", ["I;16", "I", "F"])
@pytest.mark.parametrize("orientation", [1, 4, 6])
def test_grey_values_of_many_bits_are_prepared_from_8(mode: str, orientation: int) -> None:
    data = encoded(picture(mode), "TIFF", orientation)
    assert_same(load_prepared(data, MAX_TOKENS), data)


def test_a_transparent_colour_lies_over_white_before_it_is_resized() -> None:
    image = picture("RGB")
    image.putpixel((100, 100), (1, 2, 3))
    data = encoded(image, "PNG", transparency=(1, 2, 3))
    opened = load_prepared(data, MAX_TOKENS)
    assert opened.rgb[100, 100].tolist() == [255, 255, 255]
    assert np.array_equal(opened.prepared.rgb, expected(data)[1])


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_pillow_image_can_still_be_used_after_it_was_opened(mode: str, orientation: int) -> None:
    image = Image.open(io.BytesIO(encoded(picture(mode), "PNG", orientation)))
    opened = load_prepared(image, MAX_TOKENS)
    assert np.array_equal(np.asarray(ImageOps.exif_transpose(image).convert("RGB")), opened.rgb)
    assert_same(opened, image)


def test_an_array_is_prepared_as_the_file_of_its_pixels() -> None:
    image = picture("RGB")
    data = encoded(image, "PNG")
    assert_same(load_prepared(np.asarray(image), MAX_TOKENS), data)


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_scene_has_the_source_and_what_the_model_is_shown(mode: str) -> None:
    data = encoded(picture(mode), "JPEG", 6)
    with yg.load(engine=FakeEngine(image_max_tokens=MAX_TOKENS)) as model, model.open(data) as scene:
        source, prepared = expected(data)
        assert np.array_equal(scene.rgb, source)
        assert np.array_equal(scene.session().prefix.image().rgb, prepared)
        assert scene.transform.source == scene.size == (217, 331)


def test_images_that_differ_in_a_bit_or_in_shape_have_different_digests() -> None:
    rgb = np.zeros((64, 32, 3), np.uint8)
    one = rgb.copy()
    one[63, 31, 2] = 1
    images = [rgb, one, rgb.reshape(32, 64, 3), rgb[:32]]
    assert len({PreparedImage(image).digest for image in images}) == len(images)
    assert PreparedImage(rgb).digest == PreparedImage(rgb.copy()).digest


def test_what_was_prepared_cannot_be_changed() -> None:
    image = picture("RGB")
    opened = load_prepared(image, MAX_TOKENS)
    before = opened.prepared.rgb.copy()
    image.paste((0, 0, 0), (0, 0, *image.size))
    assert np.array_equal(opened.prepared.rgb, before)
    assert np.array_equal(load(image), np.zeros_like(opened.rgb))
    with pytest.raises(ValueError, match="read-only"):
        opened.prepared.rgb[0] = 0
