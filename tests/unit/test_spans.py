"""Where in the raw answer an item is written: of every task, each span reads as the item's words or numbers."""

from __future__ import annotations

import pickle
import re
from typing import Any

import numpy as np
import pytest

import youtu_gguf as yg
from youtu_gguf.decode.actions import parse_action
from youtu_gguf.testing import FakeEngine
from youtu_gguf.types import placed_spans

# 160x128 px, prepared as it is: black, with a large red square and a small one.
IMAGE = np.zeros((128, 160, 3), np.uint8)
IMAGE[16:80, 16:80] = IMAGE[96:112, 120:136] = (255, 0, 0)
HEAD = np.array([[0, 0, 0], [4, 0, 0], [-4, 0, 0]], np.float32)
VOCABULARY = {"<FG>": 1, "<BG>": 2, "方块": 1, "sky": 2}
LARGE, SMALL = "<x_16><y_16><x_80><y_80>", "<x_120><y_96><x_136><y_112>"
NAMES = "类别 🎈 <ref>方块</ref><ref>sky</ref>."
BOXES = f"好 🎈 <ref>方块</ref><box>{SMALL}</box><box>{LARGE}</box>"
OTHERS = f"<ref>sky</ref><box><x_0><y_0><x_9><y_9></box>{BOXES}"
RING, RING_2 = "<x_10><y_10><x_90><y_10><x_90><y_70>", "<x_1><y_2><x_3><y_3><x_1><y_9>"
OUTLINE = f"<ins><ref>cup</ref><poly>{RING}</poly><poly><x_1><y_1><x_5><y_1></poly><poly>{RING_2}</poly></ins>"
JOINTS = "".join(f"<kpt><x_{i}><y_{i}><v_2></kpt>" for i in range(16))
PERSON = f"<person><box>{LARGE}</box>{JOINTS}</person>"
CALL = '<tool_call>{"name": "computer_use", "arguments": {"action": "left_click", "coordinate": [30, 40]}}</tool_call>'


def open_scene(**answers: str) -> yg.Scene:
    questions = {
        "ground": "the cup", "detect": "in these classes", "everything": "Detect all", "polygon": "the outline",
        "names": "Segment all", "count": "How many", "pose": "poses", "click": "open it",
    }  # fmt: skip
    engine = FakeEngine({questions[name]: text for name, text in answers.items()}, head=HEAD, vocabulary=VOCABULARY)
    return yg.load(engine=engine).open(IMAGE)


def read(value: yg.Result, spans: Any) -> list[str]:
    """Return what stands at `spans` in the raw answer."""
    assert spans is not None
    return [value.raw[start:stop] for start, stop in spans]


def rows(value: Any) -> list[list[str]]:
    return [read(value, row.spans) for row in value]


def test_a_box_is_written_by_its_label_and_its_corners() -> None:
    found = open_scene(everything=BOXES).detect()
    assert rows(found) == [["方块", SMALL], ["方块", LARGE]]
    assert rows(found[::-1]) == [["方块", LARGE], ["方块", SMALL]]


def test_a_label_from_the_question_is_not_written() -> None:
    assert rows(open_scene(ground=f"<box>{LARGE}</box>").ground("the cup")) == [[LARGE]]


def test_a_repeated_box_is_where_it_was_written_first() -> None:
    found = open_scene(everything=f"<box>{LARGE}</box><box>{LARGE}</box>").detect()
    assert found.spans == (((5, 5 + len(LARGE)),),)


@pytest.mark.parametrize("zoom", [1, 2, "auto"])
def test_at_a_zoom_the_places_are_those_of_the_answer(zoom: Any) -> None:
    assert rows(open_scene(everything=BOXES).detect(zoom=zoom)) == [["方块", SMALL], ["方块", LARGE]]


def test_of_merged_scales_each_box_is_in_the_answer_that_it_is_from() -> None:
    found = open_scene(everything=BOXES).detect(zoom=(1, 2))
    assert found.raw == f"{BOXES}\n{BOXES}"
    assert rows(found) == [["方块", LARGE], ["方块", LARGE], ["方块", SMALL], ["方块", SMALL]]
    first = BOXES.index("方块")
    second = len(BOXES) + 1 + first
    assert [spans[0][0] for spans in found.spans or ()] == [first, second, first, second]


def test_an_outline_is_written_by_its_label_and_its_points_alone() -> None:
    found = open_scene(ground=OUTLINE).polygon("the cup")
    assert rows(found) == [["cup", RING, RING_2]]


def test_a_person_is_written_by_its_box_and_its_joints() -> None:
    found = open_scene(pose=PERSON).pose()
    assert rows(found) == [[LARGE, *(f"<x_{i}><y_{i}><v_2>" for i in range(16))]]


def test_a_class_is_written_by_its_name() -> None:
    found = open_scene(names=NAMES).segment(refine="none")
    assert rows(found) == [["方块"], ["sky"]]
    assert read(found, found["sky"].spans) == ["sky"]
    assert rows(found[["sky"]]) == [["sky"]]


def test_classes_that_are_all_taken_are_not_written() -> None:
    found = open_scene().segment(["方块", "sky"], present="all", refine="none")
    assert found.spans is None


def test_an_instance_is_where_its_box_is_in_the_second_answer() -> None:
    found = open_scene(names=NAMES, detect=BOXES).instances(crop_size=128, refine="none")
    assert found.raw == f"{NAMES}\n{BOXES}"
    assert rows(found) == [["方块", LARGE], ["方块", SMALL]]
    assert all(start > len(NAMES) for spans in found.spans or () for start, _ in spans)


@pytest.mark.parametrize(("answer", "number"), [("There are 12, yes 12.", ["12"]), ("1,200", ["1,200"])])
def test_a_count_is_where_its_number_is_written_first(answer: str, number: list[str]) -> None:
    count = open_scene(count=answer).count("cup")
    assert read(count, count.spans) == number
    assert count.spans is not None
    assert count.spans[0][0] == answer.index(number[0])


def test_a_count_without_a_number_is_not_written() -> None:
    assert open_scene(count="3 or 4").count("cup").spans is None


def test_a_count_by_detection_has_the_places_of_its_boxes() -> None:
    count = open_scene(detect=OTHERS).count("方块", by="detection")
    assert count.boxes is not None
    assert count.spans is None
    assert [read(count, spans) for spans in count.boxes.spans or ()] == [["方块", SMALL], ["方块", LARGE]]


def test_a_mask_of_a_phrase_is_where_its_box_or_its_outlines_are() -> None:
    scene = open_scene(ground=f"<box><x_5><y_5></box><box>{LARGE}</box>")
    mask = scene.refer("the cup", crop_size=128, refine="none")
    assert read(mask, mask.spans) == [LARGE]
    outlined = open_scene(ground=OUTLINE).refer("the cup", by="polygon")
    assert read(outlined, outlined.spans) == ["cup", RING, RING_2]
    assert open_scene(ground="no").refer("the cup", crop_size=128, refine="none").spans is None
    assert open_scene(ground="no").refer("the cup", by="polygon").spans is None


def test_a_mask_of_a_given_box_is_not_written() -> None:
    assert open_scene().refer(box=(16, 16, 80, 80), crop_size=128, refine="none").spans is None


def test_a_mask_of_a_point_is_written_in_the_answer_that_it_was_asked_with_alone() -> None:
    scene = open_scene(everything=BOXES, names=NAMES)
    first, again = (scene.refer(point=(20, 20), crop_size=128, refine="none") for _ in range(2))
    assert read(first, first.spans) == ["方块", LARGE]
    assert (again.raw, again.spans) == ("", None)
    beside = scene.refer(point=(100, 5), crop_size=128, refine="none")
    assert (beside.found_by, beside.raw) == ("segment", NAMES)
    assert read(beside, beside.spans) == ["sky"]


def test_a_mask_of_a_point_without_a_box_is_where_its_class_is_in_the_second_answer() -> None:
    mask = open_scene(everything=BOXES, names=NAMES).refer(point=(100, 5), refine="none")
    assert mask.raw == f"{BOXES}\n{NAMES}"
    assert read(mask, mask.spans) == ["sky"]


def test_an_action_is_where_the_numbers_of_its_point_are() -> None:
    action = open_scene(click=CALL).click("open it")
    assert read(action, action.spans) == ["30", "40"]
    assert open_scene(click="no").click("open it").spans is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (CALL, ["30", "40"]),
        (CALL.replace("[30, 40]", '["30.5", "40"]'), ["30.5", "40"]),
        (CALL.replace("[30, 40]", "[1e2, 40]"), []),
        (CALL.replace("[30, 40]", "[30, 40, 50]"), []),
        (CALL.replace('"left_click"', '"left_click", "note": "\'coordinate\': [7, 8]"'), ["30", "40"]),
        (CALL.replace(", ", ",\n "), ["30", "40"]),
        (CALL[: CALL.index("]}") + 1], ["30", "40"]),  # cut off behind the point
        ("<x_1><y_2><x_3><y_4>, or <x_30><y_40>", ["<x_30>", "<y_40>"]),
        ("nothing", []),
    ],
)
def test_the_point_of_an_action_is_found_in_every_form(text: str, expected: list[str]) -> None:
    found = parse_action(f"🎈{text}")
    assert [f"🎈{text}"[start:stop] for start, stop in found.spans] == expected


def test_what_is_decoded_from_a_text_has_its_places_there() -> None:
    text = f"See {OTHERS} and {OUTLINE}"
    boxes, outlines = open_scene().decode(text)
    assert rows(boxes) == [["sky", "<x_0><y_0><x_9><y_9>"], ["方块", SMALL], ["方块", LARGE]]
    assert rows(outlines) == [["cup", RING, RING_2]]


def test_questions_side_by_side_have_places_in_their_own_answers() -> None:
    scene = open_scene(everything=BOXES, names=NAMES, count="3 cups")
    boxes, labels, count = scene.many([("detect",), ("segment", None, "model", False, "none"), ("count", "cup")])
    assert rows(boxes) == [["方块", SMALL], ["方块", LARGE]]
    assert rows(labels) == [["方块"], ["sky"]]
    assert isinstance(count, yg.Count)
    assert read(count, count.spans) == ["3"]


@pytest.mark.parametrize(
    ("spans", "offset", "expected"),
    [
        ((), 5, ()),
        (((1, 2), (3, 4)), 0, ((1, 2), (3, 4))),
        (((1, 3), (3, 4), (4, 9)), 10, ((11, 19),)),  # the tags of one box
        (((7, 9), (1, 3)), 0, ((1, 3), (7, 9))),
        (((1, 9), (2, 3)), 0, ((1, 9),)),
    ],
)
def test_spans_are_moved_put_in_order_and_joined(spans: Any, offset: int, expected: Any) -> None:
    assert placed_spans(spans, offset) == expected


@pytest.mark.parametrize(
    "made",
    [
        lambda: yg.Boxes([[1, 2, 3, 4]], ("a",), spans=()),
        lambda: yg.Boxes([[1, 2, 3, 4]], ("a",), spans=((1, 2),)),  # type: ignore[arg-type]
        lambda: yg.Boxes([[1, 2, 3, 4]], ("a",), spans=(((1, 2, 3),),)),  # type: ignore[arg-type]
        lambda: yg.Boxes([[1, 2, 3, 4]], ("a",), spans=(((3, 2),),)),
        lambda: yg.Count(1, spans=((-1, 2),)),
        lambda: yg.Mask([[True]], spans=(("x", "y"),)),  # type: ignore[arg-type]
        lambda: yg.LabelMap([[0]], ("a",), spans=((), ())),
    ],
)
def test_spans_that_are_none_are_refused(made: Any) -> None:
    with pytest.raises(yg.InputError, match="span"):
        made()


def test_spans_are_plain_tuples_and_survive_pickling() -> None:
    count = yg.Count(3, spans=[np.array([1, 2])])  # type: ignore[arg-type]
    assert count.spans == ((1, 2),)
    assert [type(number) for number in count.spans[0]] == [int, int]
    assert pickle.loads(pickle.dumps(count)).spans == ((1, 2),)


def test_places_do_not_show_in_the_repr_of_a_row() -> None:
    assert not re.search("span|outline", repr(open_scene(everything=BOXES).detect()[0]))
