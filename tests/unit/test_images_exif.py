"""The focal length that a camera wrote into its picture, in files as Pillow writes them."""

from __future__ import annotations

import io
import math
import random

import pytest
from PIL import Image

import youtu_gguf as yg
from youtu_gguf.images.exif import focal_from_exif
from youtu_gguf.images.load import load_with_focal
from youtu_gguf.testing import FakeEngine

EXIF_IFD, ORIENTATION = 0x8769, 0x0112
FOCAL, FOCAL_35MM, WIDTH, HEIGHT, RESOLUTION, UNIT = 0x920A, 0xA405, 0xA002, 0xA003, 0xA20E, 0xA210
# 10 mm before a sensor of 100 px a cm: 100 px at the recorded 60x45.
SENSOR: dict[int, object] = {FOCAL: 10.0, RESOLUTION: 100.0, UNIT: 3, WIDTH: 60, HEIGHT: 45}


def photograph(tags: dict[int, object], size: tuple[int, int] = (60, 45), orientation: int | None = None) -> bytes:
    exif = Image.Exif()
    exif.get_ifd(EXIF_IFD).update(tags)
    if orientation is not None:
        exif[ORIENTATION] = orientation
    buffer = io.BytesIO()
    Image.new("RGB", size).save(buffer, "JPEG", exif=exif)
    return buffer.getvalue()


def focal_of(tags: dict[int, object], size: tuple[int, int] = (60, 45), orientation: int | None = None) -> float | None:
    return load_with_focal(photograph(tags, size, orientation))[1]


def test_lens_and_sensor_give_the_focal_length_in_pixels() -> None:
    assert focal_of(SENSOR) == pytest.approx(100)


@pytest.mark.parametrize(("unit", "resolution"), [(2, 254.0), (3, 100.0), (4, 10.0), (5, 0.01), (None, 254.0)])
def test_resolutions_are_read_in_their_unit_and_in_inches_without_one(unit: int | None, resolution: float) -> None:
    tags = {**SENSOR, RESOLUTION: resolution, UNIT: unit}
    assert focal_of({tag: value for tag, value in tags.items() if value is not None}) == pytest.approx(100)


def test_a_resized_picture_has_a_focal_length_of_its_own_pixels() -> None:
    assert focal_of(SENSOR, (30, 23)) == pytest.approx(50)
    assert focal_of(SENSOR, (120, 90)) == pytest.approx(200)


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_turning_a_picture_leaves_its_focal_length(orientation: int) -> None:
    assert focal_of(SENSOR, orientation=orientation) == pytest.approx(100)


def test_a_picture_that_was_turned_in_earnest_keeps_it_too() -> None:
    assert focal_of(SENSOR, (45, 60)) == pytest.approx(100)
    assert focal_of({**SENSOR, WIDTH: 45, HEIGHT: 60}) == pytest.approx(100)


def test_without_a_sensor_the_equivalent_for_film_is_taken_by_the_diagonal() -> None:
    expected = 50 / math.hypot(36, 24) * 75
    assert focal_of({FOCAL: 4.2, FOCAL_35MM: 50}) == pytest.approx(expected)
    assert focal_of({FOCAL_35MM: 50}, (45, 60), 6) == pytest.approx(expected)


@pytest.mark.parametrize(
    "flaw",
    [
        {RESOLUTION: 0.0},
        {RESOLUTION: 1e9},
        {RESOLUTION: 1e-6},
        {FOCAL: 0.0},
        {FOCAL: 1e6},
        {WIDTH: 0, HEIGHT: 0},
        {UNIT: 1},
        {UNIT: 77},
        {FOCAL: (10.0, 12.0)},
        {FOCAL: "long"},
    ],
)
def test_a_sensor_that_makes_no_sense_is_passed_over_for_the_film(flaw: dict[int, object]) -> None:
    assert focal_of(SENSOR | flaw) is None
    assert focal_of(SENSOR | flaw | {FOCAL_35MM: 50}) == pytest.approx(50 / math.hypot(36, 24) * 75)


@pytest.mark.parametrize("tags", [{}, {FOCAL: 10.0}, {FOCAL_35MM: 0}, {FOCAL_35MM: 65_535}, {WIDTH: 60}])
def test_a_picture_that_does_not_tell_has_none(tags: dict[int, object]) -> None:
    assert focal_of(tags) is None


def test_pictures_without_exif_data_have_none() -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (60, 45)).save(buffer, "PNG")
    assert load_with_focal(buffer.getvalue())[1] is None
    assert focal_from_exif(Image.new("L", (60, 45))) is None


def test_a_picture_with_broken_exif_data_is_loaded_all_the_same() -> None:
    whole = photograph({**SENSOR, FOCAL_35MM: 50}, orientation=6)
    first, rng = whole.index(b"Exif") + 6, random.Random(0)
    n_bytes = int.from_bytes(whole[first - 8 : first - 6]) - 8  # of the segment, by its own count
    for _ in range(500):
        broken = bytearray(whole)
        for _ in range(rng.randint(1, 4)):
            broken[first + rng.randrange(n_bytes)] = rng.randrange(256)
        rgb, _ = load_with_focal(bytes(broken))
        assert rgb.shape in ((60, 45, 3), (45, 60, 3))


def test_broken_exif_data_give_a_plausible_focal_length_or_none_and_nothing_else() -> None:
    whole = photograph({**SENSOR, FOCAL_35MM: 50})
    first, rng = whole.index(b"Exif") + 6, random.Random(0)
    for _ in range(500):
        broken = bytearray(whole)
        for _ in range(rng.randint(1, 4)):
            broken[first + rng.randrange(150)] = rng.randrange(256)
        with Image.open(io.BytesIO(whole)) as sound:
            sound.info["exif"] = bytes(broken[first - 6 : first + 194])
            focal = focal_from_exif(sound)
        assert focal is None or 7.5 <= focal <= 7500


def test_a_scene_knows_the_focal_length_of_its_file() -> None:
    with yg.load(engine=FakeEngine()) as model:
        assert model.open(photograph(SENSOR)).focal_px == pytest.approx(100)
        assert model.open(Image.open(io.BytesIO(photograph(SENSOR)))).focal_px == pytest.approx(100)
