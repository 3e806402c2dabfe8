"""Referring masks on the fake engine: states are the mean colours of a crop's cells, foreground is what is red."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest

import youtu_gguf as yg
from youtu_gguf.testing import FakeEngine, mean_colours
from youtu_gguf.types import Normalise

# 160x128 px, prepared as it is: black, with a red square from 64,32 to 96,64.
IMAGE = np.zeros((128, 160, 3), np.uint8)
IMAGE[32:64, 64:96] = (255, 0, 0)
SQUARE = (64, 32, 96, 64)
HEAD = np.array([[0, 0, 0], [4, 0, 0], [-4, 0, 0]], np.float32)
TAGS = {"<FG>": 1, "<BG>": 2}
ANSWER = "<box><x_64><y_32><x_96><y_64></box>"


def open_scene(
    answer: str = "", vocabulary: dict[str, int] = TAGS, calibration: yg.Calibration | Literal["default"] = "default"
) -> tuple[yg.Scene, FakeEngine]:
    engine = FakeEngine({"the square": answer}, head=HEAD, vocabulary=vocabulary)
    return yg.load(engine=engine, calibration=calibration).open(IMAGE), engine


def test_a_phrase_is_grounded_and_its_object_masked_in_source_pixels() -> None:
    scene, engine = open_scene(ANSWER)
    mask = scene.refer("the square", crop_size=1280)
    inside = np.zeros(IMAGE.shape[:2], bool)
    inside[32:64, 64:96] = True
    assert (mask.bits & inside).sum() / (mask.bits | inside).sum() > 0.9
    assert mask.score is not None
    assert mask.score > 0.9
    assert (mask.raw, mask.finish, mask.issues) == (ANSWER, "stop", ())
    assert len(engine.questions) == 1


def test_a_box_needs_no_generation() -> None:
    scene, engine = open_scene()
    mask = scene.refer(box=SQUARE, crop_size=640)
    assert mask.bits[48, 80]
    assert not mask.bits[:28].any()
    assert (mask.raw, mask.finish, mask.timings.n_generated) == ("", "none", 0)
    assert engine.questions == []


def test_the_same_box_gives_the_same_mask_by_phrase() -> None:
    scene, _ = open_scene(ANSWER)
    assert np.array_equal(scene.refer("the square", crop_size=320).bits, scene.refer(box=SQUARE, crop_size=320).bits)


@pytest.mark.parametrize(("order", "left"), [("pixels", 0.1), ("grid", 0.8)])
def test_the_border_of_a_mask_follows_the_edges_of_the_picture(order: Normalise, left: float) -> None:
    scene, _ = open_scene(calibration=yg.Calibration(normalise=order))
    inside = np.zeros(IMAGE.shape[:2], bool)
    inside[32:64, 64:96] = True
    plain, guided = (
        scene.refer(box=SQUARE, crop_size=128, padding=1.5, refine=refine) for refine in ("none", "guided")
    )
    off_plain, off_guided = ((mask.bits != inside).sum() for mask in (plain, guided))
    assert off_guided < off_plain * left
    assert (plain.refined_by, guided.refined_by) == ("none", "guided")
    assert scene.refer(box=SQUARE, crop_size=64).refined_by in ("guided", "crf")  # whether pydensecrf2 is installed
    assert guided.score is not None
    assert guided.score > 0.5


def test_an_outline_is_not_refined() -> None:
    scene, _ = open_scene()
    with pytest.raises(yg.InputError, match="an outline is not refined"):
        scene.refer("the square", by="polygon", refine="guided")
    assert scene.refer("the square", by="polygon").refined_by == "none"


def test_a_refinement_that_does_not_exist_is_refused() -> None:
    scene, _ = open_scene()
    with pytest.raises(yg.InputError, match="refine must be one of auto, crf, guided, none; got 'best'"):
        scene.refer(box=SQUARE, refine="best")  # type: ignore[arg-type]


def test_padding_widens_what_can_be_masked() -> None:
    scene, _ = open_scene()
    narrow, wide = (scene.refer(box=(80, 40, 90, 50), crop_size=320, padding=p).bits for p in (1, 4))
    assert np.argwhere(narrow).min(axis=0).tolist() == [40, 80]
    assert wide.sum() > narrow.sum()


def test_image_tokens_of_the_crop_are_counted() -> None:
    scene, _ = open_scene(ANSWER)
    assert scene.refer(box=SQUARE, crop_size=320).timings.n_image_tokens == 100  # 10x10 tokens of 32 px
    assert scene.refer("the square", crop_size=320).timings.n_image_tokens == 100 + scene.grid.n_tokens


@pytest.mark.parametrize("answer", ["", "no such thing", "<box><x_9><y_9></box>"])
def test_an_answer_without_a_box_is_an_empty_mask_and_an_issue(answer: str) -> None:
    scene, _ = open_scene(answer)
    mask = scene.refer("the square")
    assert mask.bits.shape == IMAGE.shape[:2]
    assert not mask.bits.any()
    assert mask.score == 0
    assert "no whole box" in mask.issues[-1].message


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("<box><x_9><y_9><x_9><y_40></box>", "no area"),
        ("<box><x_900><y_9><x_990><y_40></box>", "reaches beyond"),
    ],
)
def test_a_box_without_pixels_is_an_empty_mask_and_an_issue(answer: str, message: str) -> None:
    scene, _ = open_scene(answer)
    mask = scene.refer("the square")
    assert not mask.bits.any()
    assert message in mask.issues[0].message


def test_of_several_boxes_the_first_usable_one_is_taken_and_the_rest_reported() -> None:
    scene, _ = open_scene("<box><x_9><y_9><x_9><y_40></box>" + ANSWER)
    mask = scene.refer("the square", crop_size=320)
    assert mask.bits[48, 80]
    assert "the answer holds 2" in mask.issues[-1].message


def test_nothing_in_the_box_is_an_issue_and_refused_when_strict() -> None:
    engine = FakeEngine(head=HEAD, vocabulary=TAGS, states=lambda image: -np.abs(mean_colours(image)))
    scene = yg.load(engine=engine).open(IMAGE)
    mask = scene.refer(box=SQUARE)
    assert (mask.bits.any(), mask.score) == (False, 0)
    assert "stands out from the background" in mask.issues[0].message
    with pytest.raises(yg.DecodeError, match="stands out from the background"):
        scene.refer(box=SQUARE, strict=True)


def test_tags_that_are_no_single_tokens_are_scored_by_their_pieces() -> None:
    class Pieces(FakeEngine):
        def tokenize(self, text: str) -> tuple[int, ...]:
            return {"<FG>": (0, 1), "<BG>": (0, 2)}[text]

    scene = yg.load(engine=Pieces(head=HEAD)).open(IMAGE)
    assert scene.refer(box=SQUARE, crop_size=320).bits[48, 80]


def test_a_vocabulary_that_cannot_write_the_tags_is_a_model_file_error() -> None:
    scene, _ = open_scene(ANSWER, {})
    with pytest.raises(yg.ModelFileError, match="refer needs the tag <BG>"):
        scene.refer("the square")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "refer needs one of a phrase, a box and a point; got none"),
        ({"phrase": "the square", "box": SQUARE}, "got a phrase and a box"),
        ({"box": SQUARE, "point": (1, 1)}, "got a box and a point"),
        ({"phrase": " "}, "must be words"),
        ({"box": (5, 5, 5, 5)}, "left < right"),
        ({"phrase": "the square", "crop_size": 7}, "crop_size"),
        ({"phrase": "the square", "padding": 0}, "padding"),
    ],
)
def test_unusable_arguments_are_input_errors_before_anything_is_generated(
    arguments: dict[str, object], message: str
) -> None:
    scene, engine = open_scene(ANSWER)
    with pytest.raises(yg.InputError, match=message):
        scene.refer(**arguments)  # type: ignore[arg-type]
    assert engine.questions == []


def test_a_scene_answers_as_before_after_a_crop() -> None:
    scene, _ = open_scene(ANSWER)
    before = scene.patches().hidden
    scene.refer(box=SQUARE)
    assert np.array_equal(scene.patches().hidden, before)
    assert scene.ground("the square").labels == ("the square",)
