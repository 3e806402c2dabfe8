import tracemalloc
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest

from tests.reference.probabilities import class_probabilities
from youtu_gguf.calibration.assumptions import Calibration
from youtu_gguf.decode.dense import class_scores, label_map, label_margin, upsample_scores
from youtu_gguf.engines.base import PatchStates
from youtu_gguf.errors import InputError
from youtu_gguf.types import F32, I32, Size

F64 = npt.NDArray[np.float64]

GRID, PIXELS = Calibration(), Calibration(normalise="pixels")
TWO = np.array([[[4.0, -4.0]], [[-4.0, 4.0]]], np.float32)


class CountingHead:
    """Head whose row of token t is t times the first unit vector; remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, ...]] = []

    def rows(self, ids: Sequence[int]) -> F32:
        self.asked.append(tuple(ids))
        return np.array([[token, 0, 0] for token in ids], np.float32)


def states(values: Sequence[Sequence[float]]) -> tuple[PatchStates, CountingHead]:
    hidden = np.zeros((len(values), len(values[0]), 3), np.float32)
    hidden[..., 0] = values
    head = CountingHead()
    return PatchStates(hidden, head), head


def noise(shape: tuple[int, ...], scale: float = 1.0, seed: int = 0) -> F32:
    return np.random.default_rng(seed).normal(scale=scale, size=shape).astype(np.float32)


def test_a_class_scores_the_mean_of_its_tokens_logits() -> None:
    patches, _ = states([[1, 2, 3], [-1, 0, 0.5]])

    scores = class_scores(patches, [[10], [10, 20, 60]])

    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores[0], [[10, 20, 30], [-10, 0, 5]])
    np.testing.assert_allclose(scores[1], [[30, 60, 90], [-30, 0, 15]], rtol=1e-6)


def test_a_token_that_comes_twice_counts_twice() -> None:
    patches, _ = states([[1]])

    np.testing.assert_allclose(class_scores(patches, [[10, 10, 40]]), [[[20]]], rtol=1e-6)


def test_tokens_shared_by_classes_are_fetched_once() -> None:
    patches, head = states([[1]])

    class_scores(patches, [[7, 3], [3, 5]])

    assert head.asked == [(3, 5, 7)]


@pytest.mark.parametrize(
    ("classes", "message"), [([], "at least one class"), ([[1], [], [2], []], r"classes \[1, 3\]")]
)
def test_classes_without_tokens_are_refused(classes: list[list[int]], message: str) -> None:
    with pytest.raises(InputError, match=message):
        class_scores(states([[1]])[0], classes)


def test_the_label_changes_midway_between_two_cells() -> None:
    ids = label_map(TWO, Size(8, 2))

    assert ids.dtype == np.int32
    assert ids.tolist() == [[0, 0, 0, 0, 1, 1, 1, 1]] * 2


def test_equal_scores_go_to_the_earlier_class() -> None:
    scores = np.array([[[0.0]], [[2.0]], [[2.0]], [[1.0]]], np.float32)

    assert label_map(scores, Size(2, 1)).tolist() == [[1, 1]]


def test_pixels_that_no_class_reaches_are_background() -> None:
    scores = np.array([[[4.0, -4.0]], [[-6.0, -6.0]]], np.float32)

    # Upsampled to 8, class 0 falls 4, 4, 3, 1, -1, -3, -4, -4.
    assert label_map(scores, Size(8, 1), background=True).tolist() == [[0, 0, 0, 0, -1, -1, -1, -1]]


def test_a_score_that_equals_the_background_channel_wins() -> None:
    assert label_map(np.zeros((2, 1, 1), np.float32), Size(1, 1), background=True).tolist() == [[0]]


def channels(scores: F32, size: Size, calibration: Calibration, *, background: bool) -> F64:
    """Return all that is compared at every pixel in float64, the background's 0.5 last: normalised, then upsampled."""

    def normalised(values: F32) -> F64:
        wide = values.astype(np.float64)
        return 1 / (1 + np.exp(-wide / calibration.sigmoid_divisor)) if background else class_probabilities(wide)

    if calibration.normalise == "grid":
        values = upsample_scores(normalised(scores).astype(np.float32), size).astype(np.float64)
    else:
        values = normalised(upsample_scores(scores, size))
    return np.concatenate((values, np.full((1, *values.shape[1:]), 0.5))) if background else values


ORDERS = [GRID, PIXELS, Calibration(sigmoid_divisor=1), Calibration(normalise="pixels", sigmoid_divisor=1)]


@pytest.mark.parametrize("calibration", ORDERS)
@pytest.mark.parametrize("background", [False, True])
def test_labels_and_margins_follow_the_order_of_steps(calibration: Calibration, background: bool) -> None:
    scores = noise((5, 6, 4)) * (4 if background else 0.3) - (1 if background else 0)
    size = Size(64, 96)
    values = channels(scores, size, calibration, background=background)
    top = np.sort(values, axis=0)
    lead = top[-1] - top[-2]
    expected = values.argmax(axis=0)
    expected[expected == 5] = -1

    found = label_map(scores, size, background=background, calibration=calibration)
    margin = label_margin(scores, size, background=background, calibration=calibration)

    # float32 rounds to about 1e-7; closer ties may go either way.
    assert np.array_equal(found[lead > 1e-6], expected[lead > 1e-6])
    assert (lead > 1e-6).mean() > 0.99
    assert (found == -1).any() == background
    np.testing.assert_allclose(margin, lead, atol=1e-5)


def test_the_order_of_steps_moves_a_border() -> None:
    scores = np.array([[[6.0, -1.0]], [[0.0, 0.0]]], np.float32)
    borders = [int((label_map(scores, Size(64, 1), calibration=c)[0] == 0).sum()) for c in (GRID, PIXELS)]
    assert borders == [32, 43]  # the middle between two sure tokens; where the scores cross, at 6/7 of the way


def test_the_divisor_moves_the_border_to_the_background_on_the_grid_only() -> None:
    scores = np.array([[[8.0, -1.0]]], np.float32)
    for order, moves in (("grid", True), ("pixels", False)):
        four, one = (
            label_map(scores, Size(64, 1), background=True, calibration=Calibration(normalise=order, sigmoid_divisor=d))  # type: ignore[arg-type]
            for d in (4, 1)
        )
        assert np.array_equal(four, one) != moves


def plain_label_map(scores: F32, size: Size) -> tuple[I32, F64]:
    """Return best class and its lead over the second, by loops over pixels in float64."""
    _, rows, cols = scores.shape
    ids, lead = np.zeros((size.height, size.width), np.int32), np.zeros((size.height, size.width))
    for y in range(size.height):
        v = min(max((y + 0.5) * rows / size.height - 0.5, 0), rows - 1)
        r0 = int(v)
        r1 = min(r0 + 1, rows - 1)
        for x in range(size.width):
            u = min(max((x + 0.5) * cols / size.width - 0.5, 0), cols - 1)
            c0 = int(u)
            c1 = min(c0 + 1, cols - 1)
            s = scores.astype(np.float64)
            top = s[:, r0, c0] * (1 - (u - c0)) + s[:, r0, c1] * (u - c0)
            bottom = s[:, r1, c0] * (1 - (u - c0)) + s[:, r1, c1] * (u - c0)
            value = top * (1 - (v - r0)) + bottom * (v - r0)
            ids[y, x] = value.argmax()
            lead[y, x] = np.ptp(np.sort(value)[-2:])
    return ids, lead


@pytest.mark.parametrize(
    ("shape", "size"),
    [((6, 3, 4), Size(50, 41)), ((2, 1, 5), Size(33, 7)), ((3, 8, 9), Size(5, 4)), ((300, 2, 3), Size(24, 16))],
)
def test_label_map_agrees_with_loops_over_pixels(shape: tuple[int, int, int], size: Size) -> None:
    scores = noise(shape)

    found = label_map(scores, size, calibration=PIXELS)
    expected, lead = plain_label_map(scores, size)

    # The order of float32 operations may decide only where two classes are within their rounding, about 1e-6.
    assert np.array_equal(found[lead > 1e-5], expected[lead > 1e-5])
    assert (lead > 1e-5).mean() > 0.99


def test_a_large_map_equals_the_argmax_of_the_full_upsampling() -> None:
    scores = noise((20, 15, 20))
    size = Size(640, 480)
    full = upsample_scores(scores, size)

    found = label_map(scores, size, calibration=PIXELS)

    # Both blend in float32 but in a different order, so near-ties (2e-6 apart) may differ.
    chosen = np.take_along_axis(full, found[None].astype(np.intp), axis=0)[0]
    assert (full.max(axis=0) - chosen).max() < 2e-6


def test_the_calibration_decides_how_the_grid_lies_on_the_image() -> None:
    scores = np.array([[[0.0, 3.0]]], np.float32)

    assert upsample_scores(scores, Size(4, 1), calibration=Calibration(align_corners=True)).tolist() == [[[0, 1, 2, 3]]]
    assert upsample_scores(scores, Size(4, 1)).tolist() == [[[0, 0.75, 2.25, 3]]]


def test_a_single_class_has_full_margin() -> None:
    assert label_margin(noise((1, 2, 2)), Size(3, 2)).tolist() == [[1, 1, 1], [1, 1, 1]]


def test_a_single_class_leads_or_trails_the_background_channel() -> None:
    scores = np.array([[[4 * np.log(3), -4 * np.log(3)]]], np.float32)  # sigmoids 0.75 and 0.25
    assert label_margin(scores, Size(2, 1), background=True)[0].tolist() == pytest.approx([0.25, 0.25])


@pytest.mark.parametrize("calibration", [GRID, PIXELS])
@pytest.mark.parametrize(("background", "expected"), [(False, [1, 0, 1]), (True, [0.5, 0, 0.5])])
def test_margins_of_huge_and_equal_scores_do_not_overflow(
    background: bool, expected: list[float], calibration: Calibration
) -> None:
    scores = np.array([[[1e4, 500, -1e4]], [[-1e4, 500, -2e4]]], np.float32)
    found = label_margin(scores, Size(3, 1), background=background, calibration=calibration)
    assert found[0].tolist() == expected


@pytest.mark.parametrize("calibration", [GRID, PIXELS])
def test_the_margin_map_needs_no_more_than_strips_beside_the_result(calibration: Calibration) -> None:
    scores = noise((30, 6, 8))
    size = Size(800, 600)
    tracemalloc.start()
    label_margin(scores, size, calibration=calibration)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    # All classes at full size would take 58 MB; the result and one set of stretched columns take 2.5 MB.
    assert peak < 6e6


def test_scores_that_are_not_finite_are_refused() -> None:
    with pytest.raises(InputError, match="finite"):
        label_map(np.full((2, 2, 2), np.nan, np.float32), Size(4, 4))
