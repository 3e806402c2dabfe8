from typing import get_args

import numpy as np
import pytest

from tests.reference.probabilities import class_probabilities
from youtu_gguf.calibration.assumptions import Calibration
from youtu_gguf.decode.dense import ProbabilityMaps, upsample_scores
from youtu_gguf.errors import InputError
from youtu_gguf.types import F32, Normalise, Size

SCORES = np.random.default_rng(0).normal(size=(5, 3, 4)).astype(np.float32)


@pytest.mark.parametrize("order", get_args(Normalise))
@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize(("start", "stop"), [(0, 50), (0, 1), (13, 29), (49, 50)])
def test_any_rows_are_those_of_the_whole(start: int, stop: int, align_corners: bool, order: Normalise) -> None:
    """Tolerance: the order of upsampling and scaling differs, so float32 rounding does."""
    calibration = Calibration(align_corners=align_corners, normalise=order)
    size = Size(61, 50)
    if order == "grid":
        whole = upsample_scores(class_probabilities(SCORES), size, calibration=calibration)
    else:
        whole = class_probabilities(upsample_scores(SCORES, size, calibration=calibration))
    rows = np.stack(list(ProbabilityMaps(SCORES, size, calibration=calibration).rows(start, stop)))
    assert np.abs(rows - whole[:, start:stop]).max() < 1e-5


@pytest.mark.parametrize("order", get_args(Normalise))
def test_probabilities_add_up_to_one_whatever_the_scores(order: Normalise) -> None:
    total = sum(ProbabilityMaps(SCORES * 1e4, Size(20, 20), calibration=Calibration(normalise=order)).rows(0, 20))
    assert np.allclose(total, 1, atol=1e-5)


def test_broken_scores_are_refused() -> None:
    with pytest.raises(InputError, match="finite"):
        ProbabilityMaps(np.full((2, 2, 2), np.nan, np.float32), Size(4, 4))


def pixel(scores: F32) -> F32:
    """The probabilities of the only pixel of a grid of one value."""
    return np.stack(list(ProbabilityMaps(scores, Size(1, 1)).rows(0, 1)))[:, 0, 0]


def test_probabilities_are_a_softmax_at_temperature_a_fifth() -> None:
    scores = np.array([[[0.2]], [[0.0]], [[-0.2]]], np.float32)
    expected = np.exp([1.0, 0.0, -1.0]) / np.exp([1.0, 0.0, -1.0]).sum()

    np.testing.assert_allclose(pixel(scores), expected, rtol=1e-6)


def test_probabilities_of_large_logits_do_not_overflow() -> None:
    assert pixel(np.array([[[500.0]], [[-500.0]]], np.float32)).tolist() == [1, 0]
