import numpy as np
import pytest
from scipy import ndimage

from youtu_gguf.decode.resample import Strip, axis_taps, check_maps, check_size, stretch_columns, strips, upsample
from youtu_gguf.errors import InputError
from youtu_gguf.types import Size


def test_half_pixel_taps_sit_between_cell_centres() -> None:
    low, high, weight = axis_taps(2, 4)

    assert low.tolist() == [0, 0, 0, 1]
    assert high.tolist() == [1, 1, 1, 1]
    assert weight.tolist() == [0.0, 0.25, 0.75, 0.0]


def test_aligned_corners_keep_the_outer_values() -> None:
    row = np.array([[0.0, 3.0]], np.float32)

    assert stretch_columns(row, 4, align_corners=True).tolist() == [[0, 1, 2, 3]]
    assert stretch_columns(row, 1, align_corners=True).tolist() == [[0]]


def test_upsampling_by_two_matches_the_hand_computed_map() -> None:
    grid = np.array([[[0.0, 4.0], [8.0, 12.0]]], np.float32)

    assert upsample(grid, Size(4, 4)).tolist() == [
        [[0, 1, 3, 4], [2, 3, 5, 6], [6, 7, 9, 10], [8, 9, 11, 12]]
    ]  # fmt: skip


@pytest.mark.parametrize("size", [Size(40, 24), Size(37, 50), Size(3, 2), Size(1, 1), Size(7, 5)])
def test_upsampling_agrees_with_scipy(size: Size) -> None:
    maps = np.random.default_rng(0).normal(size=(3, 5, 7)).astype(np.float32)
    rows = (np.arange(size.height) + 0.5) * 5 / size.height - 0.5
    cols = (np.arange(size.width) + 0.5) * 7 / size.width - 0.5
    at = np.meshgrid(rows, cols, indexing="ij")
    expected = [ndimage.map_coordinates(grid.astype(np.float64), at, order=1, mode="nearest") for grid in maps]

    # Values are about 1 and pass through a few float32 operations, 6e-8 each; scipy works in float64.
    np.testing.assert_allclose(upsample(maps, size), expected, atol=2e-6)


def test_strips_cover_every_row_once_between_the_same_grid_rows() -> None:
    taps = axis_taps(3, 12)

    found = list(strips(taps, 3))

    assert found[0] == Strip(0, 3, 0, 1)
    assert [row for strip in found for row in range(strip.start, strip.stop)] == list(range(12))
    assert all((taps.low[s.start : s.stop] == s.low).all() and s.stop - s.start <= 3 for s in found)


@pytest.mark.parametrize("shape", [(0, 2, 2), (2, 0, 2), (2, 2), (1, 2, 2, 2)])
def test_maps_of_the_wrong_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="scores must be"):
        check_maps("scores", np.zeros(shape, np.float32))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_maps_with_broken_values_are_refused(value: float) -> None:
    with pytest.raises(InputError, match="finite"):
        check_maps("scores", np.full((1, 1, 1), value, np.float32))


def test_an_empty_size_is_refused() -> None:
    with pytest.raises(InputError, match="at least 1x1; got 0x5"):
        check_size(Size(0, 5))


@pytest.mark.parametrize("align_corners", [False, True])
def test_a_step_reads_the_middles_of_groups_of_positions(align_corners: bool) -> None:
    every, third = (axis_taps(5, 60, align_corners=align_corners, step=step) for step in (1, 3))
    assert np.allclose(third.low + third.weight, (every.low + every.weight)[1::3], atol=1e-6)
    assert [len(axis_taps(5, 61, step=step).low) for step in (1, 3, 61, 100)] == [61, 21, 1, 1]
