"""Tasks and scenes on the fake engine: scripted answers, and states that are the mean colours of the cells."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import youtu_gguf as yg
from youtu_gguf.testing import FakeEngine
from youtu_gguf.types import Lang

# A source image of 100x50 px is prepared to 128x64: x shrinks by 100/128, y by 50/64.
IMAGE = np.zeros((50, 100, 3), np.uint8)
IMAGE[:, 50:] = (255, 0, 0)
HEAD = np.array([[0, 0, 0], [4, 0, 0], [-4, 0, 0], [8, 0, 0]], np.float32)
WORDS = {"red": 1, "black": 2, "very": 3}


def open_scene(answers: dict[str, str] | None = None, **engine: object) -> yg.Scene:
    return yg.load(engine=FakeEngine(answers, head=HEAD, vocabulary=WORDS, **engine)).open(IMAGE)  # type: ignore[arg-type]


def test_boxes_come_in_source_pixels() -> None:
    boxes = open_scene({"the cup": "<box><x_64><y_0><x_128><y_64></box>"}).ground("the cup")
    assert boxes.xyxy.tolist() == [[50, 0, 100, 50]]
    assert boxes.labels == ("the cup",)
    assert (boxes.issues, boxes.finish) == ((), "stop")


def test_polygons_come_in_source_pixels() -> None:
    answer = "Sure. <ins><poly><x_0><y_0><x_128><y_0><x_128><y_64></poly></ins>"
    outlines = open_scene({"the cup": answer}).polygon("the cup")
    assert outlines.parts[0][0].tolist() == [[0, 0], [100, 0], [100, 50]]


def test_places_in_an_answer_to_any_question_are_decoded_to_source_pixels() -> None:
    scene = open_scene()
    text = "A <ref>cup</ref><box><x_64><y_0><x_128><y_64></box> and <box><x_1></box>"
    text += "<ins><poly><x_0><y_0><x_128><y_0><x_128><y_64></poly></ins>"
    boxes, outlines = scene.decode(text)
    assert (boxes.xyxy.tolist(), boxes.labels, boxes.raw) == ([[50, 0, 100, 50]], ("cup",), text)
    assert len(boxes.issues) == 1
    assert outlines.parts[0][0].tolist() == [[0, 0], [100, 0], [100, 50]]
    nothing = scene.decode("Nothing is there.")
    assert [len(value) for value in nothing] == [0, 0]


def test_detection_asks_for_the_classes_and_keeps_their_names() -> None:
    answer = "<ref>cup</ref><box><x_0><y_0><x_32><y_32></box><box><x_32><y_0><x_64><y_32></box>"
    scene = open_scene({"Detect all objects in these classes: cup, cat": answer})
    assert scene.detect(["cup", "cat"]).labels == ("cup", "cup")


def test_label_map_is_aligned_with_the_picture() -> None:
    labels = open_scene().segment(["black", "red"], present="all")
    assert (labels.ids[:, :45] == 0).all()
    assert (labels.ids[:, 55:] == 1).all()
    assert labels.mask("red")[:, 60:].all()


def test_only_classes_named_in_the_answer_are_labelled() -> None:
    scene = open_scene({"Segment: black, red": "The target categories include <ref>red</ref>, numbered"})
    labels = scene.segment(["black", "red"])
    assert labels.classes == ("red",)
    assert (labels.ids == 0).all()


def test_answers_to_chinese_questions_are_read_like_others() -> None:
    answers = {
        "分割：红、黑，不包含背景类别。": "目标类别包括<ref>红</ref><ref>黑</ref>，从0开始依次编号",
        "检测属于以下类别的所有物体：杯子、猫": "<ref>杯子</ref><box><x_64><y_0><x_128><y_64></box>",
        "图片中有多少个杯子？": "图中有3个杯子。",
    }
    engine = FakeEngine(answers, head=HEAD, vocabulary={"红": 1, "黑": 2})
    scene = yg.load(engine=engine, lang="zh").open(IMAGE)
    labels, boxes, count = scene.many([("segment", ["红", "黑"]), ("detect", ["杯子", "猫"]), ("count", "杯子")])
    assert isinstance(labels, yg.LabelMap)
    assert isinstance(boxes, yg.Boxes)
    assert (labels.classes, boxes.labels, str(count)) == (("红", "黑"), ("杯子",), "3")
    assert labels.mask("红")[:, 60:].all()
    assert labels.issues == boxes.issues == count.issues == ()


def test_everything_is_labelled_with_the_classes_that_the_answer_names() -> None:
    scene = open_scene({"Segment all objects in this image.": "include <ref>black</ref><ref>red</ref>, numbered"})
    labels = scene.segment(refine="none")
    assert labels.classes == ("black", "red")
    assert labels.issues == ()
    assert (labels.ids == scene.segment(["black", "red"], present="all", refine="none").ids).all()


def test_everything_there_needs_an_answer() -> None:
    with pytest.raises(yg.InputError, match='present="all" needs the classes that are there; got none'):
        open_scene().segment(present="all")


def test_an_answer_that_names_nothing_labels_nothing() -> None:
    labels = open_scene().segment()
    assert (labels.classes, labels.issues[0].message) == ((), "the answer names no class")


def test_a_class_of_two_words_scores_their_mean() -> None:
    scores = open_scene().patches().logits([1, 3]).mean(axis=-1)
    labels = open_scene().segment(["black", "very red"], present="all")
    assert np.array_equal(labels.ids[32, [10, 90]] == 1, scores[1, [0, 3]] > 0)


def test_a_class_the_answer_invents_is_labelled_and_reported() -> None:
    labels = open_scene({"Segment: red": "include <ref>black</ref>, numbered"}).segment(["red"])
    assert labels.classes == ("black",)
    assert any("'black', which was not asked for" in issue.message for issue in labels.issues)


@pytest.mark.parametrize(
    ("lang", "background", "question"),
    [
        ("en", False, "Segment: black, red., without the background class."),
        ("en", True, "Segment: black, red."),
        ("zh", True, "分割：black、red。"),
    ],
)
def test_a_period_follows_the_last_class_where_the_calibration_says_so(
    lang: Lang, background: bool, question: str
) -> None:
    engine = FakeEngine({"": "<ref>red</ref>"}, head=HEAD, vocabulary=WORDS)
    for final_period in (True, False):
        model = yg.load(engine=engine, calibration=yg.Calibration(final_period=final_period))
        model.open(IMAGE).segment(["black", "red"], background=background, lang=lang)
    assert engine.questions[0] == question
    assert question not in engine.questions[1:]


def test_labels_say_which_refinement_ran() -> None:
    scene = open_scene()
    for refine, ran in (("guided", "guided"), ("none", "none")):
        assert scene.segment(["black", "red"], present="all", refine=refine).refined_by == ran  # type: ignore[arg-type]
    assert scene.segment(["black", "red"], present="all", background=True).refined_by == "none"
    assert scene.segment(["black", "red"], present="all").refined_by in ("crf", "guided")
    assert scene.segment(["red"], present="all").refined_by == "none"  # no border


def test_an_unknown_refinement_is_an_input_error() -> None:
    with pytest.raises(yg.InputError, match="refine must be one of auto, crf, guided, none; got 'best'"):
        open_scene().segment(["red"], refine="best")  # type: ignore[arg-type]


def test_persons_come_in_source_pixels_with_their_visibility() -> None:
    joints = "".join(f"<kpt><x_{8 * i}><y_64><v_1.0></kpt>" for i in range(15)) + "<kpt><x_128><y_0></kpt>"
    poses = open_scene({"MPII": f"<person><box><x_0><y_0><x_128><y_64></box>{joints}</person>"}).pose()
    assert poses.boxes.tolist() == [[0, 0, 100, 50]]
    assert poses.xyv[0, 8].tolist() == [50, 50, 1]
    assert poses.xyv[0, 15, :2].tolist() == [100, 0]
    assert np.isnan(poses.xyv[0, 15, 2])
    assert poses.issues == ()


def test_an_answer_without_persons_is_an_issue() -> None:
    poses = open_scene().pose()
    assert len(poses) == 0
    assert "no whole person" in poses.issues[0].message


def test_counting_gives_a_number_and_keeps_the_answer() -> None:
    count = open_scene({"How many dogs are there": "There are 3."}).count(" dogs ")
    assert (count.value, str(count), count.raw) == (3, "3", "There are 3.")


def test_a_count_that_cannot_be_read_is_none_an_issue_and_refused_when_strict() -> None:
    scene = open_scene({"How many": "a few"})
    count = scene.count("dogs")
    assert (count.value, str(count)) == (None, "")
    assert "expected one whole number in the answer; got none" in count.issues[0].message
    with pytest.raises(yg.DecodeError, match="one whole number"):
        scene.count("dogs", strict=True)


FLAWED = "<ref>red</ref><box><x_64><y_0><x_128><y_64></box><BOX><x_1></box>"


@pytest.mark.parametrize(
    ("task", "arguments", "answer", "n_kept"),
    [
        ("ground", ("it",), FLAWED, 1),
        ("detect", (), FLAWED, 1),
        ("polygon", ("it",), "<poly><x_0><y_0><x_128><y_0><x_128><y_64>", 1),
        ("pose", (), f"<person>{FLAWED}</person>", 1),
        ("segment", (["red", "black"],), "<ref>red</ref><ref>black", 1),
    ],
)
def test_a_flawed_answer_keeps_its_good_items_and_is_refused_when_strict(
    task: str, arguments: tuple[object, ...], answer: str, n_kept: int
) -> None:
    scene = open_scene({"e": answer})
    value = getattr(scene, task)(*arguments)
    assert len(value.classes if task == "segment" else value) == n_kept
    assert value.issues
    with pytest.raises(yg.DecodeError, match="expected a flawless answer"):
        getattr(scene, task)(*arguments, strict=True)


def test_reading_and_classifying_give_the_words() -> None:
    scene = open_scene({"Read the text": " STOP\n", "What is the category of the primary object": "a sign"})
    assert (scene.ocr().value, scene.classify().value) == ("STOP", "a sign")


@pytest.mark.parametrize("classes", [[], [" "], ["red", "red"], "red", [3]])
def test_unusable_class_lists_are_input_errors(classes: list[str]) -> None:
    with pytest.raises(yg.InputError, match="class"):
        open_scene().segment(classes, present="all")


def test_a_class_without_tokens_is_an_input_error() -> None:
    with pytest.raises(yg.InputError, match="'unheard' has none"):
        open_scene().segment(["red", "unheard"], present="all")


@pytest.mark.parametrize(("task", "argument"), [("ask", ""), ("ground", "  "), ("polygon", "\n"), ("count", " ")])
def test_blank_words_are_input_errors(task: str, argument: str) -> None:
    with pytest.raises(yg.InputError, match="must be words"):
        getattr(open_scene(), task)(argument)


def test_words_that_are_not_unicode_are_input_errors() -> None:
    with pytest.raises(yg.InputError, match="valid Unicode"):
        open_scene().ground("a cup \udcff")


def test_depth_without_its_tokens_is_a_model_file_error() -> None:
    with pytest.raises(yg.ModelFileError, match=r"lacks <custom_1>.*and others"):
        open_scene().depth()


def test_an_answer_cut_at_the_token_limit_is_an_issue() -> None:
    engine = FakeEngine({"long": "one two three four"})
    answer = yg.load(engine=engine, max_tokens=2).open(IMAGE).ask("long")
    assert (answer.value, answer.finish) == ("one two", "length")
    assert "cut off at the token limit" in answer.issues[0].message


def test_a_stream_says_why_it_ended() -> None:
    scene = yg.load(engine=FakeEngine({"long": "one two three four"}), max_tokens=2).open(IMAGE)
    stream = scene.ask("long", stream=True)
    assert stream.finish == "none"
    assert "".join(stream) == "one two "
    assert stream.finish == "length"


def test_a_cut_answer_is_refused_when_strict() -> None:
    model = yg.load(engine=FakeEngine({"long": "one two three four"}), max_tokens=2)
    with pytest.raises(yg.DecodeError, match="cut off"):
        model.open(IMAGE).ask("long", strict=True)


def test_unknown_settings_are_named_with_the_known_ones() -> None:
    with pytest.raises(yg.InputError, match=r"unknown setting n_ctxx. The settings are: .*n_ctx"):
        yg.load(engine=FakeEngine(), n_ctxx=5)


@pytest.mark.parametrize(
    "settings",
    [
        {"n_ctx": 0},
        {"n_ctx": True},
        {"threads": -1},
        {"threads": 100_000},
        {"image_max_tokens": 2.5},
        {"image_max_tokens": 10**9},
        {"n_gpu_layers": -2},
        {"temperature": -1},
        {"temperature": float("nan")},
        {"temperature": float("inf")},
        {"repeat_penalty": float("inf")},
        {"top_p": 0},
        {"seed": -1},
        {"hidden_way": "x"},
    ],
)
def test_settings_out_of_range_are_input_errors(settings: dict[str, object]) -> None:
    with pytest.raises(yg.InputError, match=next(iter(settings))):
        yg.load(engine=FakeEngine(), **settings)


def test_without_a_model_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("YOUTU_GGUF_MODEL", raising=False)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(yg.ModelFileError, match=r'"nano".* set YOUTU_GGUF_MODEL .*youtu-gguf pull'):
        yg.load()


def test_the_model_closes_its_engine() -> None:
    engine = FakeEngine()
    with yg.load(engine=engine):
        pass
    assert engine.closed


@pytest.mark.parametrize("limits", [{"max_s": 0}, {"max_s": "x"}, {"cancel": 3}])
def test_limits_of_reading_states_are_checked(limits: dict[str, Any]) -> None:
    with yg.load(engine=FakeEngine()) as model, pytest.raises(yg.InputError, match=next(iter(limits))):
        model.open(np.zeros((64, 64, 3), np.uint8)).patches(**limits)
