"""How good poses are: worked figures, an independent reference, how answers are given to persons, what is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy.io import savemat

import youtu_gguf as yg
from scripts.layouts import mpii
from youtu_gguf.evaluate import BENCHMARKS, Data, Prediction, Sample
from youtu_gguf.evaluate.data.mpii import AnnotatedPerson, Place
from youtu_gguf.evaluate.kinds.poses import Pckh, PosesOfPersons
from youtu_gguf.facts import MPII_JOINTS
from youtu_gguf.testing import FakeEngine

KIND = PosesOfPersons()
MPII = BENCHMARKS["mpii"]
HEAD_PX = 100.0  # joints are right up to 30 px away, at 0.1 up to 6 px
JOINTS = np.stack([np.arange(16) * 50.0, np.full(16, 400.0)], 1)
ALL = np.ones(16, np.bool_)
Floats = npt.NDArray[np.float64]


def person(
    joints: Floats = JOINTS, annotated: npt.NDArray[np.bool_] = ALL, head_px: float = HEAD_PX
) -> AnnotatedPerson:
    return AnnotatedPerson(joints, annotated, head_px)


def sample(*persons: AnnotatedPerson, name: str = "a.jpg") -> Sample:
    places = tuple(Place(*p.joints.mean(0).tolist(), 1.0, n) for n, p in enumerate(persons))
    return Sample(name, Path(name), {"places": places}, persons)


def said(*persons: Floats | None, by_place: bool = False) -> Prediction:
    listed = [None if joints is None else {"joints": joints.tolist()} for joints in persons]
    return Prediction({"persons": listed, "by_place": by_place})


def figures(asked: Sample, answer: Prediction | None) -> dict[str, float]:
    measure = Pckh()
    measure.add(asked, answer)
    return measure.figures()


def down(pixels: float) -> Floats:
    return JOINTS + np.array((0, pixels))


def moved(by: Mapping[str, float]) -> Floats:
    """Return the joints, some of which lie so many pixels farther down."""
    joints = JOINTS.copy()
    for name, pixels in by.items():
        joints[MPII_JOINTS.index(name), 1] += pixels
    return joints


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ({}, {"pckh": 1, "pckh01": 1, "head": 1, "ankle": 1}),
        ({"head_top": 30.0}, {"pckh": 1, "pckh01": 13 / 14, "head": 1}),
        ({"head_top": 30.01}, {"pckh": 13 / 14, "pckh01": 13 / 14, "head": 0, "shoulder": 1}),
        ({"left_knee": 31.0, "right_wrist": 6.01}, {"pckh": 13 / 14, "pckh01": 12 / 14, "knee": 0.5, "wrist": 1}),
        ({"upper_neck": 31.0}, {"pckh": 13 / 14, "head": 1}),  # the neck counts in the mean alone
        ({"pelvis": 500.0, "thorax": 500.0}, {"pckh": 1, "pckh01": 1, "hip": 1}),
        (dict.fromkeys(MPII_JOINTS, 31.0), dict.fromkeys(["pckh", "head", "hip", "elbow", "pckh01"], 0)),
    ],
)
@pytest.mark.parametrize("by_place", [False, True])
def test_joints_that_are_moved_give_the_worked_figures(
    by: dict[str, float], expected: dict[str, float], by_place: bool
) -> None:
    found = figures(sample(person()), said(moved(by), by_place=by_place))
    assert {name: found[name] for name in expected} == pytest.approx(expected)
    assert list(found) == [figure.name for figure in KIND.figures]


def test_joints_that_are_not_annotated_do_not_count() -> None:
    annotated = ALL.copy()
    annotated[[MPII_JOINTS.index("left_wrist"), MPII_JOINTS.index("head_top")]] = False
    found = figures(sample(person(annotated=annotated)), said(moved({"left_wrist": 99.0, "right_wrist": 99.0})))
    assert found["pckh"] == 11 / 12
    assert found["wrist"] == 0
    assert np.isnan(found["head"])


def test_a_mean_is_one_over_joints_not_over_images() -> None:
    two, one = sample(person(), person(JOINTS + 2000)), sample(person(), name="b.jpg")
    measure = Pckh()
    measure.add(two, said(JOINTS, JOINTS + 2000))
    measure.add(one, None)
    assert measure.figures()["pckh"] == pytest.approx(2 / 3)
    assert measure.figures(np.array([1.0, 4.0]))["pckh"] == pytest.approx(2 / 6)
    assert np.isnan(list(Pckh().figures().values())).all()


def test_answers_go_to_the_persons_whose_joints_they_have_right_once() -> None:
    near, far = person(), person(down(50))
    swapped = figures(sample(near, far), said(down(50), JOINTS))
    assert swapped["pckh"] == 1
    both_near = figures(sample(near, far), said(JOINTS, down(1)))
    assert both_near["pckh"] == 0.5  # the other one is 49 px away
    extra = figures(sample(near), said(JOINTS + 1000, down(20), JOINTS, None))
    assert extra["pckh01"] == 1
    by_place = figures(sample(near, far), said(down(50), JOINTS, by_place=True))
    assert by_place["pckh"] == 0


def test_a_person_without_joints_that_count_takes_no_answer() -> None:
    annotated = np.zeros(16, np.bool_)
    annotated[[6, 7]] = True
    found = figures(sample(person(annotated=annotated), person(), person(down(60))), said(down(60), JOINTS))
    assert found["pckh"] == 1
    assert np.isnan(figures(sample(person(annotated=annotated)), said(JOINTS))["pckh"])


def test_missing_joints_and_persons_are_wrong() -> None:
    joints = [None, *JOINTS[1:].tolist()]
    assert figures(sample(person()), Prediction({"persons": [{"joints": joints}]}))["ankle"] == 0.5
    at_zero = person(JOINTS - JOINTS[0])
    missing = [None, *at_zero.joints[1:].tolist()]
    assert figures(sample(at_zero), Prediction({"persons": [{"joints": missing}]}))["ankle"] == 0.5
    assert figures(sample(person()), said())["pckh"] == 0
    assert figures(sample(person(), person(JOINTS + 900)), said(None, JOINTS + 900, by_place=True))["pckh"] == 0.5


def test_a_head_without_size_takes_exact_joints_only() -> None:
    assert figures(sample(person(head_px=0)), said(moved({"head_top": 0.1})))["pckh"] == 13 / 14


def reference(truth: Sequence[AnnotatedPerson], found: Sequence[Floats]) -> dict[str, float]:
    """Joint by joint, in Python's own numbers, for answers in the order of the persons."""
    right, counts = [0] * 16, [0] * 16
    for one, joints in zip(truth, found, strict=True):
        for j in range(16):
            if one.annotated[j]:
                counts[j] += 1
                x, y = (joints[j] - one.joints[j]).tolist()
                right[j] += (x * x + y * y) ** 0.5 <= 0.5 * 0.6 * one.head_px
    kept = [j for j in range(16) if j not in (6, 7)]
    rates = [r / c if c else float("nan") for r, c in zip(right, counts, strict=True)]
    pairs = {"shoulder": (12, 13), "elbow": (11, 14), "wrist": (10, 15), "hip": (2, 3), "knee": (1, 4), "ankle": (0, 5)}
    means = {name: (rates[a] + rates[b]) / 2 for name, (a, b) in pairs.items()}
    return {"pckh": sum(right[j] for j in kept) / sum(counts[j] for j in kept), "head": rates[9], **means}


@pytest.mark.parametrize("seed", range(30))
def test_figures_are_those_of_a_plain_reference(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = [person(rng.uniform(0, 300, (16, 2)), rng.random(16) < 0.85, float(rng.uniform(40, 120))) for _ in range(9)]
    found = [one.joints + rng.normal(0, 20, (16, 2)) for one in truth]
    measure = Pckh()
    for n in range(0, 9, 3):
        measure.add(sample(*truth[n : n + 3], name=str(n)), said(*found[n : n + 3], by_place=True))
    expected = reference(truth, found)
    assert {name: value for name, value in measure.figures().items() if name in expected} == pytest.approx(expected)


def answer_of(persons: Sequence[Floats]) -> str:
    return "".join(
        "<person><box><x_1><y_1><x_90><y_90></box><kpt>"
        + "".join(f"<x_{int(x)}><y_{int(y)}><v_1.0>" for x, y in joints)
        + "</kpt></person>"
        for joints in persons
    )


SMALL = np.stack([np.arange(16) * 2.0 + 20, np.arange(16) + 30.0], 1)


def test_the_model_is_asked_about_the_whole_image() -> None:
    engine = FakeEngine({"Detect all persons": answer_of([SMALL, SMALL + 5])})
    with yg.load(engine=engine) as model, model.open(np.zeros((96, 128, 3), np.uint8)) as scene:
        answer = KIND.ask(scene, sample(person(SMALL)), MPII.options())
    assert len(engine.questions) == 1
    assert json.loads(json.dumps(answer.form)) == answer.form
    assert figures(sample(person(SMALL), person(SMALL + 5)), answer)["pckh"] == 1


def test_the_model_is_asked_about_a_crop_around_each_person() -> None:
    places = (Place(80, 40 - 15 * 0.256, 0.256, 0), Place(40, 60 - 15 * 0.256, 0.256, 1), Place(900, 900, 0.256, 2))
    engine = FakeEngine({"Detect all persons": answer_of([SMALL + 200, SMALL])})
    with yg.load(engine=engine) as model, model.open(np.zeros((96, 128, 3), np.uint8)) as scene:
        asked = Sample("a", Path("a"), {"places": places})
        answer = KIND.ask(scene, asked, {**MPII.options(), "view": "person"})
    assert len(engine.questions) == 2
    assert [prefix.image(0).rgb.shape for prefix in engine.prefixes] == [(64, 64, 3)] * 2
    first, second, third = answer.form["persons"]
    assert third is None
    assert answer.form["by_place"] is True
    # The first crop is 64x64 px at (48, 8), prepared as 64x64; the second is 64x64 at (8, 28).
    assert np.array(first["joints"]).min(0).tolist() == [68, 38]
    assert np.array(second["joints"]).min(0).tolist() == [28, 58]


def measured(data: Data, answer: Any) -> dict[str, float]:
    measure = KIND.measure(data, MPII.options())
    for one in data.samples:
        measure.add(one, answer(one))
    return measure.figures()


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Data:
    folder = tmp_path_factory.mktemp("mpii")
    mpii.export(folder, 5)
    return MPII.read(folder, "val")


def test_the_truth_of_the_layout_is_perfect_and_the_baseline_is_not(exported: Data) -> None:
    assert set(measured(exported, KIND.perfect).values()) == {1.0}
    (answer,) = KIND.baselines(exported, MPII.options()).values()
    assert 0.1 < measured(exported, answer)["pckh"] < 0.9


def test_the_mean_pose_of_equal_persons_is_the_truth() -> None:
    shown = [sample(person(), name="a"), sample(person(JOINTS + 77), name="b")]
    (answer,) = KIND.baselines(Data(shown, Path()), MPII.options()).values()
    assert measured(Data(shown, Path()), answer)["pckh01"] == 1


def test_predictions_are_read_from_lines_and_from_files_of_matlab(exported: Data, tmp_path: Path) -> None:
    lines = [{"id": one.id, **KIND.perfect(one).form} for one in exported.samples]
    path = tmp_path / "predictions.jsonl"
    path.write_text("\n".join(map(json.dumps, [*lines, {"id": "another.jpg", "persons": []}])))
    found = KIND.read_predictions(path, exported)
    assert list(found) == [one.id for one in exported.samples]
    assert set(measured(exported, lambda one: found[one.id]).values()) == {1.0}
    rows = {place.row: p for one in exported.samples for place, p in zip(one.asked["places"], one.truth, strict=True)}
    savemat(tmp_path / "pred.mat", {"preds": np.stack([rows[n].joints for n in range(len(rows))]) + 1})
    found = KIND.read_predictions(tmp_path / "pred.mat", exported)
    assert set(measured(exported, lambda one: found[one.id]).values()) == {1.0}
    savemat(tmp_path / "pred.mat", {"preds": np.zeros((2, 16, 2))})
    with pytest.raises(yg.InputError, match="expected preds of at least"):
        KIND.read_predictions(tmp_path / "pred.mat", exported)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({}, "expected 'persons'"),
        ({"persons": {}}, "expected 'persons' to be list"),
        ({"persons": [3]}, r"persons\[0\]: expected an object with 'joints'"),
        ({"persons": [{"joints": [[1, 2]] * 15}]}, "expected 16 joints, each null or two numbers"),
        ({"persons": [{"joints": [[1]] * 16}]}, "expected 16 joints"),
        ({"persons": [{"joints": [[1, float("nan")]] * 16}]}, "expected 16 joints"),
        ({"persons": [{"joints": [[1, 10**400]] * 16}]}, "expected 16 joints"),
        ({"persons": [{"joints": ["12"] * 16}]}, "expected 16 joints"),
        ({"persons": [{"joints": [{}] * 16}]}, "expected 16 joints"),
        ({"persons": [{"joints": [1] * 16}]}, "expected 16 joints"),
    ],
)
def test_predictions_of_other_forms_are_refused(record: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = tmp_path / "predictions.jsonl"
    path.write_text(json.dumps({"id": "a.jpg", **record}))
    with pytest.raises(yg.InputError, match=rf"predictions.jsonl, line 1.*{message}"):
        KIND.read_predictions(path, Data([sample(person())], Path()))
    with pytest.raises(yg.InputError, match=rf"the prediction for a.jpg.*{message}"):
        figures(sample(person()), Prediction(record))


def test_an_answer_for_places_needs_one_for_each(tmp_path: Path) -> None:
    with pytest.raises(yg.InputError, match="expected 1 persons, one for each place; got 2"):
        figures(sample(person()), said(JOINTS, JOINTS, by_place=True))
    (tmp_path / "a.jsonl").write_text('{"id": "b.jpg", "persons": []}')
    with pytest.raises(yg.InputError, match=r"expected persons of images such as a.jpg; there are none"):
        KIND.read_predictions(tmp_path / "a.jsonl", Data([sample(person())], Path()))
