"""The guided filter, against the definition in its paper and on pictures whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from youtu_gguf.errors import InputError
from youtu_gguf.refine.guided import GuidedFilter

RNG = np.random.default_rng(0)


def by_definition(rgb: np.ndarray, values: np.ndarray, radius: int, epsilon: float) -> np.ndarray:
    """Fit `values` by ridge regression on the colours of every window, and average the fits (float64, loops)."""
    mirrored = ((radius, radius), (radius, radius))
    height, width = values.shape
    colours = np.pad(rgb / 255.0, (*mirrored, (0, 0)), mode="symmetric")
    padded = np.pad(values.astype(np.float64), mirrored, mode="symmetric")
    fits = np.empty((height, width, 4))
    for y in range(height):
        for x in range(width):
            window = np.s_[y : y + 2 * radius + 1, x : x + 2 * radius + 1]
            points, targets = colours[window].reshape(-1, 3), padded[window].ravel()
            covariance = np.cov(points.T, bias=True) + epsilon * np.eye(3)
            slopes = np.linalg.solve(covariance, ((points - points.mean(0)) * targets[:, None]).mean(0))
            fits[y, x] = [*slopes, targets.mean() - slopes @ points.mean(0)]
    fits = np.pad(fits, (*mirrored, (0, 0)), mode="symmetric")
    result = np.empty((height, width))
    for y in range(height):
        for x in range(width):
            fit = fits[y : y + 2 * radius + 1, x : x + 2 * radius + 1].mean(axis=(0, 1))
            result[y, x] = fit[:3] @ (rgb[y, x] / 255.0) + fit[3]
    return result


@pytest.mark.parametrize(("radius", "epsilon"), [(1, 1e-3), (3, 1e-3), (2, 1e-1)])
def test_filter_is_what_the_paper_defines(radius: int, epsilon: float) -> None:
    """Tolerance: covariances are differences of float32 means, with the ridge dividing their error by 1e-3."""
    rgb = RNG.integers(0, 256, (14, 17, 3), dtype=np.uint8)
    values = RNG.random((14, 17), dtype=np.float32)
    expected = by_definition(rgb, values, radius, epsilon)
    assert np.abs(GuidedFilter(rgb, radius, epsilon)(values) - expected).max() < 1e-3


@pytest.mark.parametrize("size", [(64, 96), (61, 94)])
def test_fitting_on_a_reduced_picture_changes_little(size: tuple[int, int]) -> None:
    """A picture of large areas and a map of slow slopes, as both are where the filter is used."""
    rgb = np.kron(RNG.integers(0, 256, (3, 4, 3)), np.ones((24, 24, 1)))[: size[0], : size[1]].astype(np.uint8)
    rows, columns = np.mgrid[: size[0], : size[1]]
    values = (0.5 + 0.5 * np.sin(rows / 15) * np.cos(columns / 20)).astype(np.float32)
    padded = np.pad(values, ((0, -size[0] % 4), (0, -size[1] % 4)), mode="edge")
    reduced = padded.reshape(padded.shape[0] // 4, 4, padded.shape[1] // 4, 4).mean(axis=(1, 3))
    off = np.abs(GuidedFilter(rgb, 12, step=4)(reduced) - GuidedFilter(rgb, 12)(values))
    assert off.mean() < 0.02
    assert off.max() < 0.2


@pytest.mark.parametrize("step", [1, 3, 4])
def test_a_window_is_what_the_whole_has_there(step: int) -> None:
    rgb = RNG.integers(0, 256, (50, 70, 3), dtype=np.uint8)
    smooth = GuidedFilter(rgb, 6, step=step)
    values = RNG.random((-(-50 // step), -(-70 // step)), dtype=np.float32)
    whole, fit = smooth(values), smooth.fit(values)
    for rows, columns in ((slice(0, 24), slice(0, 36)), (slice(24, 50), slice(36, 70)), (slice(12, 24), slice(48, 60))):
        assert np.allclose(smooth.at(fit, rows, columns), whole[rows, columns], atol=1e-5)


@pytest.mark.parametrize("step", [1, 4])
def test_nothing_beyond_its_reach_changes_a_pixel(step: int) -> None:
    rgb = RNG.integers(0, 256, (20, 240, 3), dtype=np.uint8)
    values = RNG.random((20 // step, 240 // step), dtype=np.float32)
    reach = GuidedFilter.reach(24, step)
    other, changed = rgb.copy(), values.copy()
    other[:, 120 + reach :], changed[:, (120 + reach) // step :] = 7, 3
    near = GuidedFilter(rgb, 24, step=step)(values)[:, :120]
    far = GuidedFilter(other, 24, step=step)(changed)
    assert np.allclose(near, far[:, :120], atol=1e-4)
    assert not np.allclose(near[:, -1], far[:, 120 + reach - 1], atol=1e-2)


def test_a_blurred_border_snaps_to_the_edge_of_the_picture() -> None:
    rgb = np.zeros((40, 64, 3), np.uint8)
    rgb[:, 32:] = (200, 60, 30)
    ramp = np.broadcast_to(np.clip((np.arange(64) - 12) / 32, 0, 1).astype(np.float32), (40, 64))  # half at 28
    smooth = GuidedFilter(rgb, 12)(np.ascontiguousarray(ramp))
    assert (smooth[:, :32] < 0.5).all()
    assert (smooth[:, 32:] > 0.5).all()


def test_a_constant_stays_constant() -> None:
    rgb = RNG.integers(0, 256, (20, 30, 3), dtype=np.uint8)
    assert np.allclose(GuidedFilter(rgb, 4)(np.full((20, 30), 0.3, np.float32)), 0.3, atol=1e-4)


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (50, 1), (3, 2)])
def test_pictures_smaller_than_a_window_are_filtered_too(size: tuple[int, int]) -> None:
    picture = np.zeros((*size, 3), np.uint8)
    assert np.allclose(GuidedFilter(picture, 24)(np.ones(size, np.float32)), 1, atol=1e-4)
    reduced = np.ones([-(-n // 4) for n in size], np.float32)
    smooth = GuidedFilter(picture, 24, step=4)(reduced)
    assert smooth.shape == size
    assert np.allclose(smooth, 1, atol=1e-4)


@pytest.mark.parametrize(("radius", "epsilon", "step"), [(0, 1e-3, 1), (4, 0, 1), (4, float("nan"), 1), (4, 1e-3, 0)])
def test_useless_settings_are_refused(radius: int, epsilon: float, step: int) -> None:
    with pytest.raises(InputError, match="radius"):
        GuidedFilter(np.zeros((4, 4, 3), np.uint8), radius, epsilon, step)
