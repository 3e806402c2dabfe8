"""The order of image tokens in windows, and what the vision tower reads of pixels."""

from __future__ import annotations

import numpy as np
import pytest

from tests.reference.vision import patch_positions, patchify
from youtu_gguf.engines.native.vision.windows import Windows, cut_patches, cut_windows, positions
from youtu_gguf.facts import TOKEN_PX
from youtu_gguf.types import F32, Grid

HALF = np.full(3, 0.5, np.float32)


@pytest.mark.parametrize(
    ("grid", "groups"),
    [
        (Grid(1, 1), ((4, 1),)),
        (Grid(8, 8), ((256, 1),)),
        (Grid(16, 24), ((256, 6),)),
        (Grid(3, 5), ((60, 1),)),
        (Grid(1, 20), ((32, 2), (16, 1))),
        (Grid(13, 1), ((32, 1), (20, 1))),
        (Grid(9, 9), ((256, 1), (32, 2), (4, 1))),
        (Grid(10, 9), ((256, 1), (32, 1), (64, 1), (8, 1))),
    ],
)
def test_windows_of_one_size_are_one_group(grid: Grid, groups: tuple[tuple[int, int], ...]) -> None:
    windows = cut_windows(grid, 8)
    assert windows.groups == groups
    assert windows.n_patches == sum(size * count for size, count in groups) == 4 * grid.n_tokens
    assert windows.whole == ((4 * grid.n_tokens, 1),)
    assert sorted(windows.order.tolist()) == list(range(grid.n_tokens))


def test_the_tokens_of_a_window_follow_one_another_row_by_row() -> None:
    assert cut_windows(Grid(3, 4), 2).order.tolist() == [0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 10, 11]
    assert cut_windows(Grid(3, 3), 2).order.tolist() == [0, 1, 3, 4, 2, 5, 6, 7, 8]


@pytest.mark.parametrize("grid", [Grid(1, 1), Grid(3, 5), Grid(9, 10), Grid(17, 2)])
def test_no_window_crosses_a_border_that_is_a_multiple_of_its_side(grid: Grid) -> None:
    windows, start = cut_windows(grid, 8), 0
    for size, count in windows.groups:
        for _ in range(count):
            rows, columns = np.divmod(windows.order[start : start + size // 4], grid.cols)
            assert len({*zip(rows // 8, columns // 8, strict=True)}) == 1
            start += size // 4


def in_order(patches: F32, windows: Windows) -> F32:
    return patches.reshape(len(windows.order), 4, -1)[windows.order].reshape(len(patches), -1)


@pytest.mark.parametrize("grid", [Grid(1, 1), Grid(3, 2), Grid(9, 10)])
def test_patches_and_positions_are_those_of_the_reference_in_the_order_of_windows(grid: Grid) -> None:
    rng = np.random.default_rng(0)
    rgb = rng.integers(0, 256, (TOKEN_PX * grid.rows, TOKEN_PX * grid.cols, 3), dtype=np.uint8)
    windows = cut_windows(grid, 8)
    patches = cut_patches(rgb, HALF, HALF, windows.order)
    assert patches.dtype == np.float32
    np.testing.assert_allclose(patches, in_order(patchify(rgb), windows), atol=1e-6)
    row, column = (in_order(part[:, None], windows)[:, 0] for part in patch_positions(*rgb.shape[:2]))
    found = positions(grid, windows.order)
    assert found.dtype == np.int32
    assert found.reshape(4, -1).tolist() == [row.tolist(), column.tolist(), row.tolist(), column.tolist()]


def test_each_channel_is_normalised_by_its_own_numbers() -> None:
    rgb = np.full((TOKEN_PX, TOKEN_PX, 3), (0, 51, 255), np.uint8)
    mean, std = np.array([0.5, 0.1, 0.25], np.float32), np.array([0.5, 0.2, 0.25], np.float32)
    patches = cut_patches(rgb, mean, std, np.array([0])).reshape(-1, 3)
    np.testing.assert_allclose(patches, np.tile(np.float32([-1, 0.5, 3]), (len(patches), 1)), rtol=1e-6)
