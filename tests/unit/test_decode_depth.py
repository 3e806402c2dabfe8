from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import pytest

from youtu_gguf.calibration.assumptions import Calibration
from youtu_gguf.decode.depth import (
    bins_to_depth,
    depth_bins,
    depth_map,
    depth_scale,
    depth_unit,
    resize_bins,
    stated_scale,
)
from youtu_gguf.errors import InputError
from youtu_gguf.facts import DEPTH_SCALES, DepthScale
from youtu_gguf.types import F32, Scale, Size

OPEN = DEPTH_SCALES["open"]
ZERO_BASED = Calibration(bin_base=0)


def peaked(bins: list[list[int]]) -> F32:
    """Logits (rows, cols, 1000) with a clear peak at each given bin."""
    centre = np.array(bins, np.float32)[..., None]
    logits: F32 = -np.square(np.arange(1, 1001, dtype=np.float32) - centre)
    return logits


@pytest.mark.parametrize(
    ("scale", "bins", "metres"),
    [
        ("open", [1, 1000], [0.5, 100.0]),
        ("open", [500.5], [0.5 * 200**0.5]),
        ("nyuv2", [1, 500.5, 1000], [0.0, 5.0, 10.0]),
        ("cityscapes", [1, 1000], [0.0, 80.0]),
        ("ddad", [1, 1000], [0.05, 120.0]),
    ],
)
def test_bins_span_the_range_of_their_scale(scale: str, bins: list[float], metres: list[float]) -> None:
    depth = bins_to_depth(bins, depth_scale(scale))

    assert depth.dtype == np.float32
    np.testing.assert_allclose(depth, metres, rtol=1e-5)  # exp of a float32 near 5: a few 1e-7


def test_open_depth_follows_the_formula_of_the_facts() -> None:
    bins = np.arange(1, 1001)

    np.testing.assert_allclose(bins_to_depth(bins, OPEN), 0.5 * 200.0 ** ((bins - 1) / 999), rtol=2e-6)


def test_every_scale_has_its_range() -> None:
    assert get_args(Scale) == tuple(DEPTH_SCALES)


@pytest.mark.parametrize("scale", sorted(DEPTH_SCALES))
def test_bin_zero_is_invalid_on_every_scale(scale: str) -> None:
    assert bins_to_depth([0], depth_scale(scale)).tolist() == [0]


def test_the_likeliest_bin_is_found_on_a_grid_twice_as_fine() -> None:
    bins = depth_bins(peaked([[1, 400], [700, 1000]]))

    assert bins.dtype == np.int32
    assert bins.shape == (4, 4)
    assert [bins[0, 0], bins[0, 3], bins[3, 0], bins[3, 3]] == [1, 400, 700, 1000]


def test_logits_are_upsampled_before_the_argmax() -> None:
    # Parabolas around 100 and 200 blended 3:1 peak at 125; picking a cell first would give 100 and 200 only.
    assert depth_bins(peaked([[100, 200]])).tolist() == [[100, 125, 175, 200]] * 2


def test_bins_agree_with_the_argmax_of_loops_over_pixels() -> None:
    logits = np.random.default_rng(0).normal(size=(3, 4, 1000)).astype(np.float32)
    expected = np.zeros((6, 8), int)
    for y in range(6):
        v = min(max((y + 0.5) / 2 - 0.5, 0), 2)
        r = min(int(v), 1)
        for x in range(8):
            u = min(max((x + 0.5) / 2 - 0.5, 0), 3)
            c = min(int(u), 2)
            cell = logits[r : r + 2, c : c + 2].astype(np.float64)
            weights = np.outer([1 - (v - r), v - r], [1 - (u - c), u - c])
            expected[y, x] = 1 + np.tensordot(weights, cell).argmax()

    assert depth_bins(logits).tolist() == expected.tolist()


def test_zero_based_bins_start_with_the_invalid_one() -> None:
    logits = peaked([[1, 1], [1000, 1000]])

    assert depth_bins(logits, calibration=ZERO_BASED)[[0, -1], 0].tolist() == [0, 999]
    assert depth_map(logits, Size(2, 4), calibration=ZERO_BASED)[0].tolist() == [0, 0]


def test_bins_are_blended_between_grid_values() -> None:
    assert resize_bins(np.array([[10, 20]], np.int32), Size(4, 1)).tolist() == [[10, 12.5, 17.5, 20]]


def test_invalid_bins_do_not_bleed_into_valid_neighbours() -> None:
    resized = resize_bins(np.array([[0, 400, 400], [0, 400, 400]], np.int32), Size(12, 8))

    assert set(resized.ravel().tolist()) == {0.0, 400.0}
    assert (resized[:, :4] == 0).all()
    assert (resized[:, 6:] == 400).all()


def test_bins_without_any_valid_one_stay_invalid() -> None:
    assert (resize_bins(np.zeros((2, 2), np.int32), Size(5, 5)) == 0).all()


def test_a_depth_map_has_the_asked_size_and_the_known_distances() -> None:
    depth = depth_map(peaked([[1, 1000]]), Size(64, 32))

    assert depth.shape == (32, 64)
    assert depth.dtype == np.float32
    np.testing.assert_allclose(depth[:, [0, -1]], [[0.5, 100.0]] * 32, rtol=1e-5)


def test_a_focal_length_scales_open_depth() -> None:
    logits = peaked([[300, 800]])

    plain, corrected = depth_map(logits, Size(8, 4)), depth_map(logits, Size(8, 4), focal_px=1000)

    np.testing.assert_allclose(corrected, plain / 2, rtol=1e-6)


@pytest.mark.parametrize(
    ("scale", "focal_px", "unit"),
    [("open", None, "relative"), ("open", 900.0, "m"), ("nyuv2", None, "m"), ("ddad", None, "m")],
)
def test_open_depth_is_relative_until_the_focal_length_is_known(scale: str, focal_px: float | None, unit: str) -> None:
    assert depth_unit(depth_scale(scale), focal_px) == unit


@pytest.mark.parametrize("focal_px", [0, -1.0, float("nan"), float("inf")])
def test_a_focal_length_that_is_not_positive_is_refused(focal_px: float) -> None:
    with pytest.raises(InputError, match="must be positive"):
        depth_map(peaked([[5]]), Size(4, 4), focal_px=focal_px)


def test_a_focal_length_for_a_metric_scale_is_refused() -> None:
    with pytest.raises(InputError, match="'nyuv2' is in metres already"):
        depth_map(peaked([[5]]), Size(4, 4), "nyuv2", 900)


def test_an_unknown_scale_is_refused_with_the_known_names() -> None:
    with pytest.raises(InputError, match="open, nyuv2, cityscapes, ddad; got 'kitti'"):
        depth_map(peaked([[5]]), Size(4, 4), "kitti")


@pytest.mark.parametrize("shape", [(2, 2, 999), (2, 2), (0, 2, 1000)])
def test_logits_of_the_wrong_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"must be \(rows, cols, 1000\)"):
        depth_bins(np.zeros(shape, np.float32))


@pytest.mark.parametrize(
    ("answer", "stated"),
    [
        ("This is the <depth>, log-uniform quantified to 1-1000 from 0.5-100m at focal length 2000.", OPEN),
        ("This is the <depth>, log-uniform quantized to 1-1000 from 0.5 m - 100 m at a focal length of 2000", OPEN),
        ("This is the <depth>, uniform quantified to 1-1000 from 0-10m.", DepthScale(0, 10)),
        ("<depth>, Log-uniform quantified to 1-1000 from 1-80m at focal length 15.5.", DepthScale(1, 80, True, 15.5)),
        ("This is the <depth>.", None),
        ("", None),
        ("log-uniform quantified to 1-1000 from near to far", None),
        ("log-uniform quantified to 1-1000 from 0.5-", None),
        ("log-" * 50_000, None),
    ],
)  # fmt: skip
def test_an_answer_may_state_the_range_of_its_depth(answer: str, stated: DepthScale | None) -> None:
    assert stated_scale(answer) == stated


def bins_in_float64(logits: F32, *, align_corners: bool) -> npt.NDArray[np.int64]:
    """Return the argmax of logits upsampled twice, by the definition of bilinear interpolation, counted from 1."""
    fine = logits.astype(np.float64)
    for axis in (0, 1):
        n = fine.shape[axis]
        at = np.arange(2 * n) * (n - 1) / (2 * n - 1) if align_corners else (np.arange(2 * n) + 0.5) / 2 - 0.5
        at = at.clip(0, n - 1)
        low = at.astype(int)
        share = (at - low).reshape([-1, 1, 1] if axis == 0 else [1, -1, 1])
        fine = fine.take(low, axis) * (1 - share) + fine.take(np.minimum(low + 1, n - 1), axis) * share
    return fine.argmax(axis=2) + 1


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("grid", [(1, 1), (1, 6), (5, 1), (4, 7)])
def test_bins_are_those_of_upsampled_logits(grid: tuple[int, int], align_corners: bool) -> None:
    logits = np.random.default_rng(1).normal(size=(*grid, 1000)).astype(np.float32)
    found = depth_bins(logits, calibration=Calibration(align_corners=align_corners))
    assert found.tolist() == bins_in_float64(logits, align_corners=align_corners).tolist()


@pytest.mark.parametrize("bin_base", [0, 1])
@pytest.mark.parametrize("scale", sorted(DEPTH_SCALES))
def test_distances_are_those_of_bins_resized_in_float64(scale: Scale, bin_base: Literal[0, 1]) -> None:
    bins = np.random.default_rng(2).integers(1, 1001, (3, 4))
    bins[0, 0] = bins[2, 1:3] = 1  # invalid where bins begin at 0
    size, calibration = Size(37, 22), Calibration(bin_base=bin_base)
    logits = peaked(bins.tolist())
    fine = depth_bins(logits, calibration=calibration).astype(np.float64)
    maps = np.stack([fine * (fine > 0), fine > 0])
    for axis, n_out in ((1, size.height), (2, size.width)):
        n = maps.shape[axis]
        at = ((np.arange(n_out) + 0.5) * n / n_out - 0.5).clip(0, n - 1)
        low = at.astype(int)
        share = (at - low).reshape([-1, 1] if axis == 1 else [1, -1])
        maps = maps.take(low, axis) * (1 - share) + maps.take(np.minimum(low + 1, n - 1), axis) * share
    resized, valid = maps[0] / np.maximum(maps[1], 1e-9), maps[1] >= 0.5
    chosen = depth_scale(scale)
    t = (resized - 1) / 999
    metres = (
        chosen.near_m * (chosen.far_m / chosen.near_m) ** t
        if chosen.log
        else chosen.near_m + (chosen.far_m - chosen.near_m) * t
    )
    found = depth_map(logits, size, scale, calibration=calibration)
    # float32 rounds log metres up to 5 and metres up to 120 to about 5e-7 and 1e-5 of the range.
    np.testing.assert_allclose(
        found, np.where(valid, np.maximum(metres, 0), 0), rtol=5e-6, atol=2e-6 * chosen.far_m * (not chosen.log)
    )
