import numpy as np
import pytest

from youtu_gguf.calibration.assumptions import Calibration
from youtu_gguf.decode.dense import foreground, foreground_score
from youtu_gguf.errors import InputError
from youtu_gguf.types import Normalise, Size


@pytest.mark.parametrize(("order", "n_background"), [("pixels", 5), ("grid", 4)])
def test_foreground_is_where_it_is_likelier_than_the_background(order: Normalise, n_background: int) -> None:
    scores = np.zeros((2, 1, 2), np.float32)
    scores[:, 0, 0], scores[:, 0, 1] = (3, 0), (0, 1)  # leads -3 and 1: the line between them crosses 0 at 3/4
    bits, _ = foreground(scores, Size(8, 2), calibration=Calibration(normalise=order))
    # Centres of the cells lie at 2 and 6. The lead is 0 at 5: pixels 0..4 have their centres below. At the tokens the
    # foreground has a probability of nearly 0 and of 0.993: it reaches one half at 4.01, within pixel 4.
    assert bits.tolist() == [[False] * n_background + [True] * (8 - n_background)] * 2


def test_score_is_the_mean_sigmoid_of_the_lead_inside() -> None:
    scores = np.zeros((2, 1, 1), np.float32)
    scores[1] = np.log(3)
    bits, score = foreground(scores, Size(4, 4))
    assert bits.all()
    assert score == pytest.approx(0.75)


def test_pixels_told_apart_otherwise_are_scored_alike() -> None:
    scores = np.zeros((2, 1, 1), np.float32)
    scores[1] = np.log(3)
    bits = np.zeros((4, 4), np.bool_)
    assert foreground_score(scores, bits) == 0
    bits[1] = True
    assert foreground_score(scores, bits) == pytest.approx(0.75)


def test_a_tie_is_background_and_an_empty_foreground_scores_nothing() -> None:
    bits, score = foreground(np.zeros((2, 3, 3), np.float32), Size(5, 5))
    assert not bits.any()
    assert score == 0


def test_huge_logits_do_not_overflow() -> None:
    scores = np.array([[[-1e4]], [[1e4]]], np.float32)
    assert foreground(scores, Size(2, 2))[1] == 1


@pytest.mark.parametrize("shape", [(1, 2, 2), (3, 2, 2)])
def test_other_numbers_of_maps_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="background, foreground"):
        foreground(np.zeros(shape, np.float32), Size(4, 4))
