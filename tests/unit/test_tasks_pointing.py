"""Masks of what is at a point, on the fake engine: states are the mean colours of cells, foreground is what is red."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

import youtu_gguf as yg
from youtu_gguf.output import to_json
from youtu_gguf.prompts import ENGLISH
from youtu_gguf.tasks.pointing import Pixel, connected_part, smallest_box
from youtu_gguf.testing import FakeEngine
from youtu_gguf.types import Size

# 160x128 px, prepared as it is: black, with two red squares.
IMAGE = np.zeros((128, 160, 3), np.uint8)
IMAGE[32:64, 64:96] = IMAGE[96:128, 0:32] = (255, 0, 0)
HEAD = np.array([[0, 0, 0], [4, 0, 0], [-4, 0, 0]], np.float32)
VOCABULARY = {"<FG>": 1, "<BG>": 2, "square": 1, "floor": 2}
DETECTED = (
    "<ref>scene</ref><box><x_0><y_0><x_120><y_90></box>"
    "<ref>square</ref><box><x_64><y_32><x_96><y_64></box>"
    "<ref>strip</ref><box><x_40><y_40><x_150><y_56></box>"
)
CLASSES = "<ref>square</ref><ref>floor</ref>"
KNOBS: dict[str, Any] = {"crop_size": 128, "refine": "none"}


@pytest.fixture
def engine() -> FakeEngine:
    answers = {ENGLISH.detect_all: DETECTED, ENGLISH.segment_all: CLASSES}
    return FakeEngine(answers, head=HEAD, vocabulary=VOCABULARY)


@pytest.fixture
def scene(engine: FakeEngine) -> yg.Scene:
    return yg.load(engine=engine).open(IMAGE)


def test_the_smallest_box_around_the_point_is_masked(scene: yg.Scene) -> None:
    mask = scene.refer(point=(80, 60), **KNOBS)
    boxed = scene.refer(box=(64, 32, 96, 64), **KNOBS)
    assert np.array_equal(mask.bits, boxed.bits)
    assert (mask.found_by, boxed.found_by, mask.score) == ("box", "box", boxed.score)
    assert (mask.raw, mask.finish, mask.issues) == (DETECTED, "stop", ())
    strip = scene.refer(point=(140, 50), **KNOBS)
    assert np.array_equal(strip.bits, scene.refer(box=(40, 40, 150, 56), **KNOBS).bits)


def test_everything_is_detected_once_for_all_points(scene: yg.Scene, engine: FakeEngine) -> None:
    for point in ((80, 60), (10, 10), (140, 50)):
        scene.refer(point=point, **KNOBS)
    assert engine.questions == [ENGLISH.detect_all]
    scene.refer(point=(10, 10), temperature=0.5, **KNOBS)
    assert engine.questions == [ENGLISH.detect_all] * 2


@pytest.mark.parametrize("options", [{"max_tokens": 1}, {"cancel": threading.Event()}])
def test_what_was_cut_short_is_detected_again(scene: yg.Scene, engine: FakeEngine, options: dict[str, Any]) -> None:
    if "cancel" in options:
        options["cancel"].set()
    engine.answers[ENGLISH.detect_all] = DETECTED.replace("<ref>", " <ref>")
    assert scene.refer(point=(155, 5), **options).finish in ("length", "cancelled")
    n = len(engine.questions)
    scene.refer(point=(155, 5), **{name: value for name, value in options.items() if name != "cancel"})
    assert engine.questions[n] == ENGLISH.detect_all


def test_without_a_box_the_connected_part_of_the_class_is_the_mask(scene: yg.Scene, engine: FakeEngine) -> None:
    mask = scene.refer(point=(10, 120), **KNOBS)
    assert engine.questions == [ENGLISH.detect_all, ENGLISH.segment_all]
    assert (mask.found_by, mask.score, mask.refined_by) == ("segment", None, "none")
    assert mask.bits[112, 16]
    assert not mask.bits[48, 80]
    labels = scene.segment(refine="none")
    assert not (mask.bits & ~labels.mask("square")).any()
    assert mask.area < labels.mask("square").sum()
    assert to_json(mask)["found_by"] == "segment"


def test_a_point_without_a_class_has_an_empty_mask(scene: yg.Scene, engine: FakeEngine) -> None:
    engine.answers[ENGLISH.segment_all] = "Nothing."
    mask = scene.refer(point=(10, 120), **KNOBS)
    assert (mask.area, mask.found_by) == (0, "segment")
    assert mask.issues[-1].message == "no class was found at the point"


def test_a_run_that_is_stopped_segments_nothing(scene: yg.Scene, engine: FakeEngine) -> None:
    cancel = threading.Event()
    cancel.set()
    mask = scene.refer(point=(10, 120), cancel=cancel, **KNOBS)
    assert (mask.area, mask.finish, engine.questions) == (0, "cancelled", [ENGLISH.detect_all])
    assert any("before the image was segmented" in issue.message for issue in mask.issues)


@pytest.mark.parametrize(
    ("point", "message"),
    [
        ((160, 5), r"must lie in the image, 160x128 pixels; got \(160, 5\)"),
        ((5, 128.0), "must lie in the image"),
        ((-0.1, 5), "must lie in the image"),
        ((float("nan"), 5), "must lie in the image"),
        ((1, 2, 3), r"a point must be x and y in source pixels; got \(1, 2, 3\)"),
        (("1", "2"), "a point must be x and y"),
        (7, "a point must be x and y in source pixels; got 7"),
        ("ab", "a point must be x and y"),
    ],
)
def test_a_point_that_cannot_be_is_refused_before_anything_is_asked(
    scene: yg.Scene, engine: FakeEngine, point: Any, message: str
) -> None:
    with pytest.raises(yg.InputError, match=message):
        scene.refer(point=point)
    assert engine.questions == []


def test_a_point_may_be_an_array_and_between_pixels(scene: yg.Scene) -> None:
    edge = scene.refer(point=np.array([159.9, 127.9], np.float32), **KNOBS)
    assert edge.found_by == "segment"
    assert edge.bits[127, 159]


def test_a_point_has_no_outline_of_a_phrase(scene: yg.Scene) -> None:
    with pytest.raises(yg.InputError, match='by="polygon" needs a phrase; got a point'):
        scene.refer(point=(1, 1), by="polygon")


def test_a_box_holds_the_pixels_that_it_has_a_part_of() -> None:
    boxes = yg.Boxes([[0, 0, 10, 10], [4, 4, 6.5, 6.5], [5, 5, 5, 9], [6, 6, 99, 99]], ("", "", "", ""))

    def around(x: int, y: int, among: yg.Boxes = boxes) -> list[float] | None:
        found = smallest_box(among, Pixel(x, y), Size(12, 12))
        return None if found is None else found.xyxy.tolist()

    assert around(4, 4) == [4, 4, 6.5, 6.5]
    assert around(7, 7) == [6, 6, 12, 12]
    assert around(1, 1) == [0, 0, 10, 10]
    assert around(10, 10, boxes[:1]) is None
    assert around(0, 0, boxes[:0]) is None


def test_pixels_are_connected_side_by_side() -> None:
    region = np.array([[1, 1, 0, 1], [0, 1, 0, 0], [0, 1, 1, 0], [1, 0, 0, 1]], bool)
    part = [[1, 1, 0, 0], [0, 1, 0, 0], [0, 1, 1, 0], [0, 0, 0, 0]]
    assert connected_part(region, Pixel(2, 2)).astype(int).tolist() == part
    assert connected_part(region, Pixel(3, 0)).sum() == 1
