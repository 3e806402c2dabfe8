"""Instances on the fake engine: states are the mean colours of a crop's cells, foreground is what is red."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import youtu_gguf as yg
from youtu_gguf.output import WRITERS, to_json
from youtu_gguf.prompts import ENGLISH
from youtu_gguf.render import draw
from youtu_gguf.testing import FakeEngine, mean_colours
from youtu_gguf.types import run_lengths
from youtu_gguf.types.colours import colour

# 160x128 px, prepared as it is: black, with a large red square and a small one.
IMAGE = np.zeros((128, 160, 3), np.uint8)
IMAGE[16:80, 16:80] = IMAGE[96:112, 120:136] = (255, 0, 0)
LARGE, SMALL = (16, 16, 80, 80), (120, 96, 136, 112)
HEAD = np.array([[0, 0, 0], [4, 0, 0], [-4, 0, 0]], np.float32)
TAGS = {"<FG>": 1, "<BG>": 2}
NAMES = "The target categories include <ref>square</ref><ref>sky</ref>, numbered sequentially starting from 0."


def box(*xyxy: int) -> str:
    return "<box><x_{}><y_{}><x_{}><y_{}></box>".format(*xyxy)


BOXES = f"<ref>square</ref>{box(*SMALL)}{box(*LARGE)}"


def open_scene(
    boxes: str = BOXES,
    names: str = NAMES,
    vocabulary: dict[str, int] = TAGS,
    progress: Callable[[str, int, int], None] = lambda *_: None,
) -> tuple[yg.Scene, FakeEngine]:
    answers = {"Segment all objects": names, "in these classes": boxes}
    engine = FakeEngine(answers, head=HEAD, vocabulary=vocabulary)
    return yg.load(engine=engine, progress=progress).open(IMAGE), engine


def find(boxes: str = BOXES, names: str = NAMES, **options: object) -> yg.Instances:
    return open_scene(boxes, names)[0].instances(crop_size=320, **options)  # type: ignore[arg-type]


def test_objects_are_named_detected_and_masked_the_largest_first() -> None:
    scene, engine = open_scene()
    found = scene.instances(crop_size=1280)
    assert engine.questions == [ENGLISH.segment_all, ENGLISH.detect(["square", "sky"])]
    assert found.labels == ("square", "square")
    assert found.xyxy.tolist() == [list(LARGE), list(SMALL)]
    for mask, (left, top, right, bottom) in zip(found.masks, (LARGE, SMALL), strict=True):
        true = np.zeros(IMAGE.shape[:2], bool)
        true[top:bottom, left:right] = True
        assert (mask & true).sum() / (mask | true).sum() > 0.85
    assert found.scores is not None
    assert (found.scores > 0.9).all()
    assert (found.raw, found.finish, found.issues) == (f"{NAMES}\n{BOXES}", "stop", ())


def test_each_mask_is_that_of_its_box_alone() -> None:
    scene, _ = open_scene()
    found = scene.instances(crop_size=320, padding=1.5)
    for xyxy, mask in zip(found.xyxy.tolist(), found.masks, strict=True):
        assert np.array_equal(mask, scene.refer(box=xyxy, crop_size=320, padding=1.5).bits)


def test_classes_that_are_given_need_no_naming() -> None:
    scene, engine = open_scene()
    found = scene.instances(["square"], crop_size=320)
    assert len(found) == 2
    assert engine.questions == [ENGLISH.detect(["square"])]


def test_everything_can_be_detected_without_naming_it() -> None:
    engine = FakeEngine({ENGLISH.detect_all: BOXES}, head=HEAD, vocabulary=TAGS)
    found = yg.load(engine=engine).open(IMAGE).instances(crop_size=320, find="everything")
    assert engine.questions == [ENGLISH.detect_all]
    assert (len(found), found.raw) == (2, BOXES)


def test_boxes_found_twice_and_outside_and_beyond_the_limit_are_left_out_and_reported() -> None:
    twice, outside = box(16, 16, 80, 79), box(300, 20, 400, 60)
    found = find(f"<ref>square</ref>{box(*SMALL)}{twice}{box(*LARGE)}{outside}", limit=1)
    assert found.xyxy.tolist() == [list(LARGE)]
    said = [issue.message for issue in found.issues]
    assert said[0].startswith("box reaches beyond")
    assert said[1:] == [
        "1 box(es) found twice are left out",
        "1 box(es) without pixels of the image are left out",
        "1 box(es) beyond the limit of 1 are left out, the smallest; raise limit for them",
    ]


def test_an_object_in_whose_box_nothing_stands_out_keeps_its_place() -> None:
    scene, engine = open_scene()
    engine.states = lambda image: -np.abs(mean_colours(image))
    found = scene.instances(crop_size=320)
    assert found.labels == ("square", "square")
    assert not found.masks.any()
    assert found.scores is not None
    assert found.scores.tolist() == [0, 0]
    assert found.issues[1].message == "nothing in box 1 (square) stands out from the background"
    with pytest.raises(yg.DecodeError, match="stands out from the background"):
        scene.instances(crop_size=320, strict=True)


@pytest.mark.parametrize("names", ["", "Nothing to see.", "<ref></ref>"])
def test_where_nothing_is_named_nothing_is_found_and_said_so(names: str) -> None:
    scene, engine = open_scene(names=names)
    found = scene.instances()
    assert (len(found), found.masks.shape, found.xyxy.shape) == (0, (0, 128, 160), (0, 4))
    assert "names no class" in found.issues[-1].message
    assert len(engine.questions) == 1


def test_where_nothing_is_detected_nothing_is_found_and_said_so() -> None:
    found = find("There are none.")
    assert len(found) == 0
    assert found.finish == "stop"
    assert "no whole box" in found.issues[-1].message


def test_flaws_have_their_place_among_all_answers() -> None:
    names, boxes = f"{NAMES}<ref>square</ref>", f"{BOXES}<box><x_1></box>"
    found = find(boxes, names)
    assert found.raw == f"{names}\n{boxes}"
    assert [found.raw[i.start : i.end] for i in found.issues] == ["<ref>square</ref>", "<box><x_1></box>"]


def test_cancelling_before_the_crop_of_an_object_is_read_ends_with_the_objects_so_far() -> None:
    cancel, seen = threading.Event(), []

    def watch(stage: str, done: int, total: int) -> None:
        if stage == "instances":
            seen.append((done, total))
            if done == 1:
                cancel.set()

    three = f"{BOXES}<ref>sky</ref>{box(100, 0, 140, 40)}"
    scene, _ = open_scene(three, progress=watch)
    found = scene.instances(crop_size=320, cancel=cancel)
    assert (found.labels, len(found.masks), found.finish) == (("square",), 1, "cancelled")
    assert found.issues[-1].message == "ended after 1 of 3 objects"
    assert seen == [(0, 3), (1, 3), (1, 3)]


def test_cancelling_instances_among_other_questions_leaves_these_alone() -> None:
    cancel = threading.Event()

    def stop(stage: str, done: int, _total: int) -> None:
        if (stage, done) == ("instances", 1):
            cancel.set()

    scene, _ = open_scene(progress=stop)
    own = {"crop_size": 320, "cancel": cancel}
    found, clicked, failed = (
        update.result or update.error
        for update in sorted(
            scene.many([yg.Question("instances", (), own), ("click", "it {}"), ("instances", None, 0)], stream=True),
            key=lambda update: update.index,
        )
        if update.result or update.error
    )
    assert isinstance(found, yg.Instances)
    assert (len(found), found.finish) == (1, "cancelled")
    assert found.issues[-1].message == "ended after 1 of 2 objects"
    assert isinstance(clicked, yg.Action)
    assert clicked.finish == "stop"
    assert isinstance(failed, yg.InputError)


def test_time_that_is_up_ends_it_before_anything_is_looked_for() -> None:
    found = find(max_s=1e-9)
    assert (len(found), found.finish, found.raw) == (0, "time", NAMES)
    assert found.issues[-1].message == "ended before any object was looked for"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"classes": "cup"}, "list of names"),
        ({"classes": []}, "at least one class name"),
        ({"limit": 0}, "limit must be a whole number"),
        ({"limit": True}, "limit must be a whole number"),
        ({"limit": 2.5}, "limit must be a whole number"),
        ({"find": "some"}, "find must be one of names, everything"),
        ({"classes": ["cup"], "find": "everything"}, "takes no classes"),
        ({"crop_size": 7}, "crop_size"),
        ({"padding": 0}, "padding"),
    ],
)
def test_unusable_arguments_are_input_errors_before_anything_is_generated(
    arguments: dict[str, object], message: str
) -> None:
    scene, engine = open_scene()
    with pytest.raises(yg.InputError, match=message):
        scene.instances(**arguments)  # type: ignore[arg-type]
    assert engine.questions == []


def test_a_vocabulary_that_cannot_write_the_tags_is_a_model_file_error() -> None:
    scene, engine = open_scene(vocabulary={})
    with pytest.raises(yg.ModelFileError, match="instances needs the tag <BG>"):
        scene.instances()
    assert engine.questions == []


def test_an_engine_without_states_is_refused_before_anything_is_generated() -> None:
    scene, engine = open_scene()
    engine.has_states = False
    with pytest.raises(yg.CapabilityError, match="instances"):
        scene.instances()
    assert engine.questions == []


def test_the_json_form_has_the_runs_of_every_mask() -> None:
    found = find()
    form = to_json(found)
    assert form["size"] == [160, 128]
    assert [item["xyxy"] for item in form["instances"]] == [list(LARGE), list(SMALL)]
    for item, mask in zip(form["instances"], found.masks, strict=True):
        assert item["label"] == "square"
        assert item["runs"] == run_lengths(mask).tolist()
        assert 0.9 < item["score"] <= 1


def test_arrays_come_back_under_their_names(tmp_path: Path) -> None:
    found = find()
    WRITERS["npz"](tmp_path / "found.npz", found)
    with np.load(tmp_path / "found.npz", allow_pickle=False) as stored:
        assert sorted(stored) == ["labels", "masks", "scores", "xyxy"]
        assert np.array_equal(stored["masks"], found.masks)


def test_smaller_objects_are_drawn_over_larger_ones_in_their_own_colours() -> None:
    masks = np.zeros((2, 128, 160), bool)
    masks[0, 60:70, 60:70] = True
    masks[1, 20:110, 20:140] = True  # a larger mask, wherever it stands
    found = yg.Instances(masks, np.array([[0, 0, 160, 128], [0, 0, 160, 128]], np.float32), ("", ""))
    picture = draw(np.zeros((128, 160, 3), np.uint8), found).astype(float)
    for y, x, index in ((65, 65, 0), (30, 100, 1)):
        assert picture[y, x] == pytest.approx(np.multiply(colour(index), 0.55), abs=1)
