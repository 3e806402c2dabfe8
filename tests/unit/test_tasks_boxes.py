"""Detection at several scales: boxes of all of them in source pixels, and none of them twice."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import youtu_gguf as yg
from youtu_gguf.testing import FakeEngine
from youtu_gguf.types import Size

IMAGE = np.zeros((128, 128, 3), np.uint8)
ANSWER = "<ref>cup</ref><box><x_0><y_0><x_64><y_64></box><box><x_0><y_0><x_128><y_128></box>"
"""At zoom 1 boxes with sides of 64 and 128 px; at zoom 2 of 32 and 64."""


def open_scene(answer: str = ANSWER, **options: int) -> tuple[yg.Scene, FakeEngine]:
    engine = FakeEngine({"Detect all": answer, "the cup": answer, "poses": answer}, **options)  # type: ignore[arg-type]
    return yg.load(engine=engine).open(IMAGE), engine


def sides(boxes: yg.Boxes) -> list[float]:
    return (boxes.xyxy[:, 2] - boxes.xyxy[:, 0]).tolist()


@pytest.mark.parametrize(
    ("zoom", "expected"),
    [
        (1, [64, 128]),
        (2, [32, 64]),
        ("auto", [16, 32]),  # four times
        ((2,), [64, 32]),  # merged boxes come with the largest first
        ((1, 2), [128, 64, 32]),
        ((2, 1, 4.0, "auto", 1), [128, 64, 32, 16]),
    ],
)
def test_boxes_are_in_source_pixels_at_every_zoom(zoom: object, expected: list[float]) -> None:
    scene, _ = open_scene()
    assert sides(scene.detect(zoom=zoom)) == expected  # type: ignore[arg-type]


def test_every_scale_is_asked_once() -> None:
    scene, engine = open_scene(image_max_tokens=64)  # "auto" is 2 there
    found = scene.detect(zoom=(1, "auto", 2))
    assert len(engine.questions) == 2
    assert found.timings.n_image_tokens == 16 + 64


def test_scores_stay_with_their_boxes() -> None:
    scene, engine = open_scene()
    found = scene.detect(zoom=(1, 2), scores=True)
    assert found.scores is not None
    assert found.scores.tolist() == [engine.probability] * 3
    assert scene.detect(zoom=(1, 2)).scores is None


def test_all_answers_are_kept_and_flaws_have_their_place_among_them() -> None:
    answer = "<ref>cup</ref><box><x_1></box>"
    scene, _ = open_scene(answer)
    found = scene.detect(zoom=(1, 2))
    assert found.raw == f"{answer}\n{answer}"
    places = [found.raw[issue.start : issue.end] for issue in found.issues]
    assert places == ["<box><x_1></box>", answer] * 2
    assert [issue.start for issue in found.issues] == [14, 0, 45, 31]


def test_an_answer_cut_off_at_any_scale_is_told() -> None:
    scene, _ = open_scene(f"{ANSWER} and more")
    found = scene.detect(zoom=(1, 2), max_tokens=2)
    assert found.finish == "length"
    ends = [issue.start for issue in found.issues if "token limit" in issue.message]
    assert ends == [len(found.raw) // 2, len(found.raw)]


def test_cancelling_ends_it_with_the_scales_there_are() -> None:
    scene, engine = open_scene()
    cancel = threading.Event()
    cancel.set()
    found = scene.detect(zoom=(1, 2, 3), cancel=cancel)
    assert len(engine.questions) == 1
    assert found.finish == "cancelled"
    assert "ended after 1 of 3 scales" in [issue.message for issue in found.issues]


@pytest.mark.parametrize("zoom", [0.5, 5, "large", (), (1, 9), None, True, {1, 2}])
def test_zooms_that_cannot_be_are_input_errors_before_anything_is_generated(zoom: object) -> None:
    scene, engine = open_scene()
    with pytest.raises(yg.InputError, match="zoom must be"):
        scene.detect(zoom=zoom)  # type: ignore[arg-type]
    assert engine.questions == []


def test_a_zoom_that_does_not_fit_is_an_input_error_before_anything_is_generated() -> None:
    scene, engine = open_scene(image_max_tokens=64)
    with pytest.raises(yg.InputError, match="144 image tokens"):
        scene.detect(zoom=(1, 3))
    assert engine.questions == []


def test_grounding_outlining_and_posing_take_a_zoom_too() -> None:
    scene, _ = open_scene()
    assert sides(scene.ground("the cup", zoom=2)) == [32, 64]
    person = "<person><box><x_0><y_0><x_64><y_64></box>" + "<kpt><x_8><y_8></kpt>" * 16 + "</person>"
    posed = open_scene(person)[0].pose(zoom=4)
    assert (posed.boxes.tolist(), posed.xyv[0, 0, :2].tolist()) == ([[0, 0, 16, 16]], [2, 2])
    outlined = open_scene("<ins><poly><x_0><y_0><x_64><y_0><x_64><y_64></poly></ins>")[0].polygon("the cup", zoom=2)
    assert outlined.parts[0][0].tolist() == [[0, 0], [32, 0], [32, 32]]
    assert scene.size == Size(128, 128)
