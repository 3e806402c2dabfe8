"""Votes of images, the drawn images themselves, and questions put to states made by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from youtu_gguf.calibration.drawn import GRID, NAMES, LabelledImage, draw_images
from youtu_gguf.calibration.observe import PURE, Seen
from youtu_gguf.calibration.photographs import arrange_photographs
from youtu_gguf.calibration.questions import BORDER_HITS, find_bin_base, find_position_shift
from youtu_gguf.calibration.sign_test import MAX_P_VALUE, Evidence, sign_test
from youtu_gguf.types import F32


def evidence(*figures: tuple[float, ...], understood: bool = True) -> list[Evidence]:
    return [Evidence(f"image {n}", one, understood) for n, one in enumerate(figures)]


@pytest.mark.parametrize(
    ("n_for", "n_against", "decided"),
    [(7, 0, True), (6, 0, False), (10, 1, True), (9, 1, False), (11, 1, True), (10, 2, False), (0, 0, False)],
)
def test_chance_must_be_ruled_out(n_for: int, n_against: int, decided: bool) -> None:
    test = sign_test(evidence(*[(0.9, 0.5)] * n_for, *[(0.5, 0.6)] * n_against), margin=0.1)
    assert test.is_decided == decided
    assert test.n_ahead == n_for


def test_chance_is_that_of_a_coin_per_image() -> None:
    assert sign_test(evidence(*[(1.0, 0.0)] * 7), 0.1).p_value == 1 / 128
    assert sign_test(evidence(*[(1.0, 0.0)] * 9, (0.0, 1.0)), 0.1).p_value == 11 / 1024
    assert 1 / 128 <= MAX_P_VALUE < 11 / 1024


def test_a_draw_is_no_vote() -> None:
    test = sign_test(evidence(*[(0.9, 0.5)] * 7, *[(0.9, 0.89)] * 3), margin=0.1)
    assert (test.n_ahead, test.n_images, test.is_decided) == (7, 10, False)


def test_a_vote_needs_a_lead_over_every_other() -> None:
    assert sign_test(evidence(*[(0.9, 0.2, 0.85)] * 9), margin=0.1).n_ahead == 0


def test_images_that_are_not_understood_do_not_count() -> None:
    test = sign_test([*evidence(*[(0.9, 0.1)] * 7), *evidence(*[(0.0, 1.0)] * 50, understood=False)], margin=0.1)
    assert (test.best, test.n_images, test.is_decided) == (0, 7, True)


def test_images_are_the_same_every_time() -> None:
    assert all(np.array_equal(a.rgb, b.rgb) for a, b in zip(draw_images(), draw_images(), strict=True))


def test_images_are_shown_as_they_are_and_hold_several_classes() -> None:
    images = (*draw_images(), *arrange_photographs())
    assert len(images) == 12
    for image in images:
        assert image.size == (GRID.cols * 32, GRID.rows * 32)
        assert len(np.unique(image.labels)) == 4


def test_layouts_come_mirrored_too() -> None:
    for plain, mirrored in zip(draw_images()[::2], draw_images()[1::2], strict=True):
        square = NAMES.index("square")
        assert np.array_equal((plain.labels == square)[:, ::-1], mirrored.labels == square)


def test_squares_cover_whole_image_tokens() -> None:
    for image in draw_images():
        cells = (image.labels == NAMES.index("square")).reshape(GRID.rows, 32, GRID.cols, 32).mean(axis=(1, 3))
        assert set(np.round(cells, 1).ravel().tolist()) <= {0.0, 1.0}  # to a pixel


def striped(read_at: int, width: int = 4) -> Seen:
    """Upright stripes, whose truth about token i stands in the state at position i + `read_at`."""
    columns = np.arange(12) // width % 2
    image = LabelledImage(
        "stripes", np.zeros((96, 384, 3), np.uint8), ("a", "b", "c"), np.tile(columns.repeat(32), (96, 1))
    )
    truth = np.tile(columns, (3, 1)).astype(np.int32)
    states = np.zeros((37, 3), np.float32)
    states[np.arange(37), np.roll([truth.flat[0], *truth.ravel()], read_at)] = 1
    return Seen(image, truth, {False: states, True: states}, bins(1), bins(2))


def bins(seed: int, smooth: float = 0.0) -> F32:
    """Logits of 21 depth tokens at 36 image tokens; with `smooth`, each goes with its neighbours."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1, (36, 21))
    for k in range(1, 21):
        logits[:, k] = smooth * logits[:, k - 1] + np.sqrt(1 - smooth**2) * logits[:, k]
    return logits.astype(np.float32)


@pytest.mark.parametrize(("read_at", "answer"), [(0, 0), (-1, -1), (1, None)])
def test_the_position_is_found_from_borders(read_at: int, answer: int | None) -> None:
    found = find_position_shift([striped(read_at)] * 8)
    assert found.answer == answer
    assert max(found.test.means) == 1.0


def test_a_leading_position_that_is_wrong_at_many_borders_is_not_taken() -> None:
    seen = striped(0, width=3)
    states = seen.scores[False].copy()
    states[1::9] = states[6::9] = [0, 0, 1]  # first or last columns of stripes, taken for what is nowhere
    found = find_position_shift([replace(seen, scores={False: states, True: states})] * 8)
    assert found.test.is_decided
    assert found.answer is None
    assert f"{BORDER_HITS:.0%} are wanted" in found.reason


@pytest.mark.parametrize("smooth", [0.8, 0.9, 0.99])
def test_a_first_bin_in_step_with_the_next_is_a_distance(smooth: float) -> None:
    seen = [Seen(one.image, one.truth, one.scores, bins(n, smooth), bins(n + 99)) for n, one in enumerate(twelve())]
    assert find_bin_base(seen).answer == 1


@pytest.mark.parametrize("smooth", [0.8, 0.9, 0.99])
def test_a_first_bin_out_of_step_is_none(smooth: float) -> None:
    seen = []
    for n, one in enumerate(twelve()):
        near = bins(n, smooth)
        near[:, 0] = bins(n + 500)[:, 0]
        seen.append(Seen(one.image, one.truth, one.scores, near, bins(n + 99)))
    assert find_bin_base(seen).answer == 0


def test_bins_that_do_not_follow_each_other_decide_nothing() -> None:
    seen = [Seen(one.image, one.truth, one.scores, bins(n), bins(n + 99)) for n, one in enumerate(twelve())]
    found = find_bin_base(seen)
    assert (found.answer, found.test.n_images) == (None, 0)


def test_a_bin_that_never_changes_breaks_nothing() -> None:
    near = bins(0, 0.9)
    near[:, 0] = 3
    one = striped(0)
    found = find_bin_base([Seen(one.image, one.truth, one.scores, near, bins(1))] * 8)
    assert found.answer == 0


def twelve() -> list[Seen]:
    return [striped(0)] * 12


def test_mixed_tokens_have_no_right_answer() -> None:
    assert 0.5 < PURE < 1
