"""A calibration finds what is true of nano, and of nano altered; of random weights it finds nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import youtu_gguf as yg
from tests.altered import AlteredEngine, noisy, rolled, zero_based
from tests.conftest import Pair
from youtu_gguf.calibration.assumptions import OWN_MODELS
from youtu_gguf.calibration.drawn import LabelledImage, draw_images
from youtu_gguf.calibration.observe import Seen, look
from youtu_gguf.calibration.questions import find_final_period, find_normalise, find_refine
from youtu_gguf.facts import CLASS_TEMPERATURE, TOKEN_PX
from youtu_gguf.refine import crf
from youtu_gguf.testing import FakeEngine


@pytest.fixture(scope="module")
def nano() -> Iterator[yg.Model]:
    with yg.load("nano", threads=1, calibration="default") as model:
        yield model


@pytest.fixture(scope="module")
def report(nano: yg.Model) -> yg.calibration.CalibrationReport:
    return yg.calibration.run(nano)


def answers(engine: AlteredEngine) -> dict[str, object]:
    return {f.question: f.answer for f in yg.calibration.run(yg.load(engine=engine)).findings}


def finding(report: yg.calibration.CalibrationReport, question: str) -> yg.calibration.Finding:
    (found,) = [f for f in report.findings if f.question == question]
    return found


def test_the_truth_about_nano_is_found(report: yg.calibration.CalibrationReport) -> None:
    found = report.calibration
    assert (found.position_shift, found.leading_space, found.bin_base) == (0, False, 1)
    # A few pixels of one of eight images decide whether all of them count for "pixels" (docs/calibration.md).
    assert finding(report, "normalise").answer in ("pixels", None)
    assert found == replace(OWN_MODELS["Youtu-VL-nano"], normalise=found.normalise, refine=found.refine)
    assert {f.question for f in report.findings if f.answer is not None} >= {
        "position_shift", "leading_space", "bin_base",
    }  # fmt: skip


def test_the_order_of_steps_is_found_with_mtmds_embeddings() -> None:
    with yg.load("nano", threads=1, calibration="default", vision="mtmd") as model:
        found = find_normalise([look(model, image) for image in draw_images()], yg.Calibration())
    assert found.test is not None
    assert found.hypotheses[found.test.best] == "pixels"
    assert found.test.n_ahead >= 6  # of eight; all of them would decide


def test_every_drawn_image_is_seen_and_photographs_that_are_not_do_not_vote(
    report: yg.calibration.CalibrationReport,
) -> None:
    evidence = finding(report, "position_shift").evidence
    assert [b.image for b in evidence if b.understood] == [p.name for p in draw_images()]
    assert len(evidence) == 12


def test_the_refinement_is_decided_only_where_the_crf_was_tried(report: yg.calibration.CalibrationReport) -> None:
    refine = finding(report, "refine")
    if crf.installed():
        assert refine.words == ("none", "guided", "crf")
        assert refine.answer == "guided"
    else:
        assert refine.answer is None
        assert "pydensecrf2 (extra crf) is not installed" in refine.reason


def test_scores_that_are_shares_of_the_tokens_pixels_are_found_to_want_the_grid(nano: yg.Model) -> None:
    def shares(one: Seen) -> Seen:
        kinds = range(len(one.image.names))
        cells = one.image.labels.reshape(one.truth.shape[0], TOKEN_PX, one.truth.shape[1], TOKEN_PX)
        share = np.stack([(cells == k).mean(axis=(1, 3)).ravel() for k in kinds], axis=1)
        scores = CLASS_TEMPERATURE * np.log(np.maximum(share, 1e-6)).astype(np.float32)
        return replace(one, scores=dict.fromkeys((False, True), np.concatenate([scores[:1], scores])))

    found = find_normalise([shares(look(nano, image)) for image in draw_images()], yg.Calibration())
    assert found.answer == "grid"


def test_the_classes_are_asked_for_only_where_the_layout_is_seen(nano: yg.Model) -> None:
    image = draw_images()[0]
    assert set(look(nano, image).named) == {False, True}
    assert not look(yg.load(engine=AlteredEngine(nano.engine, noisy(20))), image).named


@pytest.mark.parametrize(("right", "answer"), [(False, None), (True, True)])
def test_a_period_is_wanted_where_it_makes_answers_right(nano: yg.Model, right: bool, answer: bool | None) -> None:
    def named(image: LabelledImage) -> Seen:
        there = frozenset(image.names[k] for k in np.unique(image.labels))
        return replace(look(nano, image), named={False: there if not right else frozenset(), True: there})

    assert find_final_period([named(image) for image in draw_images()]).answer is answer


def test_states_one_position_early_are_found_out(nano: yg.Model) -> None:
    found = answers(AlteredEngine(nano.engine, rolled(1)))
    assert (found["position_shift"], found["leading_space"], found["bin_base"]) == (-1, False, 1)


@pytest.mark.parametrize("by", [-1, 2, 3])
def test_states_at_a_place_that_no_reading_explains_decide_nothing(nano: yg.Model, by: int) -> None:
    found = finding(yg.calibration.run(yg.load(engine=AlteredEngine(nano.engine, rolled(by)))), "position_shift")
    assert found.answer is None
    assert ("one position later fits best" in found.reason) == (by == -1)


def test_names_that_want_a_space_are_found_out(nano: yg.Model) -> None:
    swapped = AlteredEngine(nano.engine, rename=lambda text: text[1:] if text.startswith(" ") else f" {text}")
    found = answers(swapped)
    assert (found["position_shift"], found["leading_space"], found["bin_base"]) == (0, True, 1)


def test_names_with_the_same_tokens_either_way_decide_nothing(nano: yg.Model) -> None:
    report = yg.calibration.run(yg.load(engine=AlteredEngine(nano.engine, rename=str.strip)))
    found = finding(report, "leading_space")
    assert found.answer is None
    assert "the same tokens either way" in found.reason


@pytest.mark.parametrize("invalid", ["the", "person", "picture"])
def test_a_first_bin_that_stands_apart_is_found_out(nano: yg.Model, invalid: str) -> None:
    found = answers(AlteredEngine(nano.engine, zero_based(nano.engine, invalid)))
    assert (found["position_shift"], found["leading_space"], found["bin_base"]) == (0, False, 0)


def test_two_alterations_at_once_are_told_apart(nano: yg.Model) -> None:
    spaced = AlteredEngine(nano.engine, rolled(1), lambda text: text[1:] if text.startswith(" ") else f" {text}")
    found = answers(spaced)
    assert (found["position_shift"], found["leading_space"]) == (-1, True)


def test_a_model_that_sees_next_to_nothing_tells_nothing_about_what_it_sees(nano: yg.Model) -> None:
    found = answers(AlteredEngine(nano.engine, noisy(20)))
    # That neighbouring depth tokens are alike stays true: their rows are.
    assert (found["position_shift"], found["leading_space"], found["refine"]) == (None, None, None)


@pytest.mark.parametrize("seed", range(4))
def test_random_weights_decide_nothing(seed: int, tmp_path: Path) -> None:
    pair = yg.weights.write_synthetic_pair(tmp_path, "tiny", seed=seed)
    with yg.load(*pair, threads=1, n_ctx=1024) as model:
        report = yg.calibration.run(model)
    assert report.n_decided == 0
    assert report.calibration == yg.Calibration()
    assert all(f.test.n_images == 0 for f in report.findings)


def test_a_shift_already_in_use_makes_no_difference(nano: yg.Model) -> None:
    model = yg.load(engine=nano.engine, calibration=yg.Calibration(position_shift=-1, leading_space=True))
    assert model.calibration.position_shift == -1
    assert yg.calibration.run(model).calibration.position_shift == 0


def test_progress_is_told_for_every_image(nano: yg.Model) -> None:
    told: list[tuple[str, int, int]] = []
    yg.calibration.run(nano, lambda *step: told.append(step))
    assert told == [("calibrate", n, 12) for n in range(13)]


def test_without_photographs_the_report_says_so(nano: yg.Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "skimage", None)
    report = yg.calibration.run(nano)
    assert [note for note in report.notes if "scikit-image (extra calibrate) is not installed" in note]
    assert len(report.findings[0].evidence) == len(draw_images())
    assert report.calibration.position_shift == 0


def test_refinements_are_measured_on_drawn_images_only(nano: yg.Model) -> None:
    seen = [look(nano, image) for image in draw_images()[:2]]
    found = find_refine(seen, yg.Calibration())
    assert [b.image for b in found.evidence] == ["drawn 1", "drawn 2"]
    assert found.answer is None  # two images prove nothing
    none, guided = found.test.means[:2]
    assert guided > none


@pytest.mark.parametrize(("far", "differs"), [(100, False), (80, True)])
def test_a_range_of_depth_that_the_model_states_otherwise_is_noted(nano: yg.Model, far: int, differs: bool) -> None:
    text = f"This is the <depth>, log-uniform quantified to 1-1000 from 0.5-{far}m at focal length 2000."
    engine = AlteredEngine(nano.engine, answer=lambda question, said: text if "depth" in question else said)
    notes = yg.calibration.run(yg.load(engine=engine)).notes
    assert any("another range" in note and f"0.5-{far}m" in note for note in notes) == differs


def test_an_engine_without_states_is_refused() -> None:
    engine = FakeEngine()
    engine.has_states = False  # type: ignore[misc]
    with pytest.raises(yg.CapabilityError, match="calibrating needs the states of image tokens"):
        yg.calibration.run(yg.load(engine=engine))


def test_too_few_image_tokens_are_refused(tiny_pair: Pair) -> None:
    with (
        yg.load(*tiny_pair, threads=1, n_ctx=1024, image_max_tokens=64) as model,
        pytest.raises(yg.InputError, match="images of 80 image tokens; got image_max_tokens=64"),
    ):
        yg.calibration.run(model)
