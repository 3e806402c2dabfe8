"""The picture a core target is asked on: which pixels it shows, and where the box is drawn."""

from __future__ import annotations

import numpy as np
import pytest

from youtu_gguf.errors import InputError
from youtu_gguf.images.crop import BOX_COLOUR, Region, make_crop

GREY = np.full((300, 400, 3), 128, np.uint8)


def drawn(crop: np.ndarray) -> np.ndarray:
    return (crop == BOX_COLOUR).all(axis=-1)


@pytest.mark.parametrize(
    ("box", "region"),
    [
        ((100, 100, 200, 150), (90, 95, 210, 155)),
        ((100.5, 100, 200, 150), (90, 95, 209, 155)),  # 100.5 - 9.95 and 200 + 9.95, both cut off
        ((0, 0, 400, 300), (0, 0, 400, 300)),
        ((380, 280, 400, 300), (378, 278, 400, 300)),
        ((-50, -50, 100, 100), (0, 0, 110, 110)),  # grown from what is inside
        ((10, 10, 10.5, 10.5), (9, 9, 11, 11)),  # 10.55 cut off would leave the box out
    ],
)
def test_region_is_the_box_grown_about_its_centre_within_the_image(
    box: tuple[float, ...], region: tuple[int, ...]
) -> None:
    assert make_crop(GREY, box, crop_size=64)[1] == Region(*region)


@pytest.mark.parametrize(
    ("box", "size"),
    [
        ((100, 100, 200, 150), (128, 64)),  # the region is 120x60
        ((100, 100, 120, 240), (64, 256)),  # 24x168: the long side ends at four crop sizes
        ((0, 0, 400, 300), (85, 64)),
    ],
)
def test_short_side_becomes_the_crop_size_unless_the_long_one_would_be_endless(
    box: tuple[float, ...], size: tuple[int, int]
) -> None:
    crop, region = make_crop(GREY, box, crop_size=64)
    width, height = region.size
    scale = min(64 / min(width, height), 256 / max(width, height))
    assert crop.shape == (round(height * scale), round(width * scale), 3)
    assert max(crop.shape) == max(size)


def test_box_is_drawn_along_its_edge_and_nowhere_else() -> None:
    crop, region = make_crop(GREY, (100, 100, 200, 150), crop_size=60)
    assert region.size == crop.shape[1::-1]  # not resized: one source pixel each
    expected = np.zeros(crop.shape[:2], bool)
    expected[5:56, 10:111] = True
    expected[6:55, 11:110] = False
    assert np.array_equal(drawn(crop), expected)
    assert (crop[~expected] == 128).all()


def test_the_line_is_one_pixel_of_the_source_and_enlarged_with_it() -> None:
    crop, region = make_crop(GREY, (100, 100, 200, 150), crop_size=600)
    column = crop[:, crop.shape[1] // 2].astype(int)
    reddish = column[:, 0] - column[:, 1] > 127  # at half its height, a pixel enlarged by Lanczos is 1.2 wide
    assert region.size.height == 60
    assert reddish.sum() == pytest.approx(2 * 12, abs=2)


def test_lines_beyond_the_image_are_not_drawn() -> None:
    crop, region = make_crop(GREY, (0, 0, 400, 300), crop_size=300)
    assert region == (0, 0, 400, 300)
    assert drawn(crop)[0].all()
    assert drawn(crop)[:, 0].all()
    assert not drawn(crop)[1:, 1:].any()


def test_picture_keeps_its_place_when_enlarged_and_when_shrunk() -> None:
    halves = np.zeros((300, 400, 3), np.uint8)
    halves[:, 200:] = 255
    for crop_size in (32, 600):
        crop, _ = make_crop(halves, (100, 50, 300, 250), crop_size=crop_size)
        middle = crop.shape[1] // 2
        inside = crop[crop.shape[0] // 2]
        assert inside[middle - middle // 3].max() == 0
        assert inside[middle + middle // 3].min() == 255


def test_the_source_is_not_drawn_on() -> None:
    source = GREY.copy()
    make_crop(source, (0, 0, 400, 300), crop_size=300)
    assert np.array_equal(source, GREY)


@pytest.mark.parametrize(
    ("box", "message"),
    [
        ((1, 2, 3), "left, top, right, bottom"),
        ("box", "left, top, right, bottom"),
        ((5, 5, 5, 9), "left < right"),
        ((9, 5, 5, 9), "left < right"),
        ((0, 0, float("nan"), 9), "finite"),
        ((0, 0, float("inf"), 9), "finite"),
        ((400, 0, 500, 9), "400x300"),
        ((-9, -9, 0, 0), "400x300"),
    ],
)
def test_unusable_boxes_are_input_errors(box: tuple[float, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_crop(GREY, box)


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"crop_size": 0}, "crop_size"),
        ({"crop_size": 10**6}, "crop_size"),
        ({"crop_size": 32.5}, "crop_size"),
        ({"padding": 0.5}, "padding"),
        ({"padding": float("nan")}, "padding"),
        ({"padding": float("inf")}, "padding"),
    ],
)
def test_sizes_out_of_range_are_input_errors(knobs: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_crop(GREY, (0, 0, 9, 9), **knobs)  # type: ignore[arg-type]
