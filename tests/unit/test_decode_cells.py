"""The best of many maps, against upsampling all of them in float64."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from youtu_gguf.decode.cells import best_of_cells, best_two_of_cells, contenders
from youtu_gguf.decode.resample import axis_taps
from youtu_gguf.types import F32, I32, Size

F64 = npt.NDArray[np.float64]
RNG = np.random.default_rng(0)


def upsampled(values: F32, size: Size, align_corners: bool) -> F64:
    """Return all maps at full size, by the definition of bilinear interpolation."""
    result: F64 = values.astype(np.float64)
    for axis, n_out in ((1, size.height), (2, size.width)):
        low, high, weight = axis_taps(result.shape[axis], n_out, align_corners=align_corners)
        shape = [1, 1, 1]
        shape[axis] = n_out
        share = weight.astype(np.float64).reshape(shape)
        result = result.take(low, axis) * (1 - share) + result.take(high, axis) * share
    return result


def best(values: F32, size: Size, align_corners: bool = False) -> I32:
    result = np.full((size.height, size.width), -1, np.int32)
    for rows, ids in best_of_cells(values, size, align_corners=align_corners):
        result[rows] = ids
    return result


def softmax(scores: F32, temperature: float) -> F32:
    raised = np.exp((scores - scores.max(axis=0)) / temperature)
    return np.asarray(raised / raised.sum(axis=0), np.float32)


CASES = {
    "noise": RNG.normal(size=(20, 5, 7)).astype(np.float32),
    "areas": softmax(np.kron(RNG.normal(size=(30, 2, 3)), np.ones((1, 3, 3))).astype(np.float32), 0.2),
    "sure": softmax(RNG.normal(scale=100, size=(9, 4, 4)).astype(np.float32), 0.2),  # all but one are exactly 0
    "many": RNG.normal(size=(300, 2, 3)).astype(np.float32),
    "two": RNG.normal(size=(2, 6, 6)).astype(np.float32),
    "one token": RNG.normal(size=(5, 1, 1)).astype(np.float32),
    "one row": RNG.normal(size=(5, 1, 8)).astype(np.float32),
}
SIZES = (Size(64, 96), Size(101, 37), Size(3, 2), Size(1, 1), Size(70, 700))


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("case", CASES)
def test_the_best_and_its_lead_are_those_of_all_maps(case: str, size: Size, align_corners: bool) -> None:
    values = CASES[case]
    whole = upsampled(values, size, align_corners)
    top = np.sort(whole, axis=0)
    clear = top[-1] - top[-2] > 1e-5  # float32 rounds values of about 1 to 1e-7; closer ones may go either way
    assert np.array_equal(best(values, size, align_corners)[clear], whole.argmax(axis=0)[clear])
    for rows, first, second in best_two_of_cells(values, size, align_corners=align_corners):
        np.testing.assert_allclose(first, top[-1][rows], atol=1e-5)
        np.testing.assert_allclose(second, top[-2][rows], atol=1e-5)


def test_equal_maps_go_to_the_earlier_in_every_cell() -> None:
    values = np.repeat(RNG.normal(size=(1, 3, 4)), 6, axis=0).astype(np.float32)
    values[:2] -= 1
    assert (best(values, Size(40, 30)) == 2).all()
    values[4, :, 2:] += 1  # from the third column on, and on the way to it
    found = best(values, Size(40, 30))
    assert set(np.unique(found[:, :15])) == {2}
    assert (found[:, 16:] == 4).all()


def test_maps_that_are_nowhere_near_are_not_compared() -> None:
    scores = np.full((50, 4, 6), -3, np.float32)
    scores[7, :, :3], scores[9, :, 3:] = 3, 3
    left = contenders(softmax(scores, 0.2))
    assert left.sum(axis=0).tolist() == [[1, 1, 2, 1, 1, 1]] * 4
    assert left[7].sum() + left[9].sum() == left.sum()


def test_a_second_best_is_looked_for_among_the_others() -> None:
    values = np.array([[[9.0, 9.0]], [[1.0, 0.0]], [[0.0, 1.0]], [[-1.0, -1.0]]], np.float32)
    ((_, first, second),) = best_two_of_cells(values, Size(4, 1), align_corners=False)
    assert first.tolist() == [[9, 9, 9, 9]]
    assert second.tolist() == [[1, 0.75, 0.75, 1]]
