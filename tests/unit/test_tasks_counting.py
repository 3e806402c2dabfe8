"""Counting by the boxes that detecting finds, on the fake engine; and what becomes of such a count."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import youtu_gguf as yg
from youtu_gguf.output import WRITERS, to_json
from youtu_gguf.prompts import CHINESE
from youtu_gguf.render import draw
from youtu_gguf.testing import FakeEngine
from youtu_gguf.types import in_words

IMAGE = np.zeros((50, 100, 3), np.uint8)  # prepared to 128x64
BOXES = "<box><x_0><y_0><x_64><y_32></box><box><x_64><y_32><x_128><y_64></box>"


def count(answer: str, what: str = "dog", **options: object) -> yg.Count:
    scene = yg.load(engine=FakeEngine({f"classes: {what}": answer})).open(IMAGE)
    return scene.count(what, by="detection", **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("answer", "value", "flaws"),
    [
        (f"<ref>dog</ref>{BOXES}", 2, []),
        (f"<ref>Dog</ref>{BOXES}", 2, []),
        (BOXES, 2, []),
        (f"<ref></ref>{BOXES}", 2, []),
        (f"<ref>dog</ref>{BOXES}<ref>cat</ref><box><x_1><y_1><x_2><y_2></box>", 2, ["boxes of 'cat', which was not"]),
        (f"<ref>cat</ref>{BOXES}", 0, ["boxes of 'cat', which was not"]),
        (f"<ref>dog</ref>{BOXES}{BOXES}", 2, ["repeated box", "repeated box"]),
        ("<ref>dog</ref><box><x_1><y_1>", 0, ["not closed", "needs x, y, x, y", "no whole box"]),
        ("none", 0, ["no whole box"]),
        ("", 0, ["no whole box"]),
    ],
)
def test_boxes_of_the_name_are_counted_and_others_reported(answer: str, value: int, flaws: list[str]) -> None:
    found = count(answer)
    assert (found.value, str(found), found.raw) == (value, str(value), answer)
    assert found.boxes is not None
    assert len(found.boxes) == value
    assert len(found.issues) == len(flaws)
    assert all(flaw in issue.message for flaw, issue in zip(flaws, found.issues, strict=True))


def test_the_boxes_are_those_of_detecting() -> None:
    scene = yg.load(engine=FakeEngine({"classes: dog": f"<ref>dog</ref>{BOXES}"})).open(IMAGE)
    boxes, counted = scene.detect(["dog"]), scene.count("dog", by="detection").boxes
    assert counted is not None
    assert counted.xyxy.tolist() == boxes.xyxy.tolist() == [[0, 0, 50, 25], [50, 25, 100, 50]]
    assert counted.labels == boxes.labels


def test_scores_are_those_of_the_boxes_where_wanted() -> None:
    found = count(f"<ref>dog</ref>{BOXES}", scores=True)
    assert found.score == 0.5
    assert found.boxes is not None
    assert found.boxes.scores is not None
    assert found.boxes.scores.tolist() == [0.5, 0.5]
    assert count(BOXES).score is None


def test_a_count_that_was_said_has_no_boxes() -> None:
    said = yg.load(engine=FakeEngine({"How many": "3"})).open(IMAGE).count("dogs")
    assert (said.value, said.boxes, to_json(said)["boxes"]) == (3, None, None)
    assert in_words(said)


def test_it_may_be_asked_in_chinese() -> None:
    engine = FakeEngine({CHINESE.detect(["狗"]): f"<ref>狗</ref>{BOXES}"})
    assert yg.load(engine=engine, lang="zh").open(IMAGE).count("狗", by="detection").value == 2


def test_a_way_of_counting_that_there_is_not_is_refused() -> None:
    with pytest.raises(yg.InputError, match="by must be one of answer, detection; got 'magic'"):
        yg.load(engine=FakeEngine()).open(IMAGE).count("dog", by="magic")  # type: ignore[arg-type]


def test_a_model_without_coordinates_is_refused() -> None:
    class Blind(FakeEngine):
        def token_id(self, token: str) -> int | None:
            return None

    with pytest.raises(yg.ModelFileError, match="count by detection needs the special tokens"):
        yg.load(engine=Blind()).open(IMAGE).count("dog", by="detection")


def test_boxes_of_a_count_go_into_json_arrays_and_picture(tmp_path: Path) -> None:
    found = count(f"<ref>dog</ref>{BOXES}")
    form = to_json(found)
    assert (form["count"], [box["label"] for box in form["boxes"]]) == (2, ["dog", "dog"])
    WRITERS["npz"](tmp_path / "count.npz", found)
    with np.load(tmp_path / "count.npz") as arrays:
        assert (int(arrays["count"]), arrays["xyxy"].shape, arrays["labels"].tolist()) == (2, (2, 4), ["dog", "dog"])
    assert not in_words(found)
    assert (draw(IMAGE, found) == draw(IMAGE, found.boxes)).all()  # type: ignore[arg-type]


def test_reasoning_asks_for_steps_and_can_be_watched() -> None:
    engine = FakeEngine({"Is it safe?\nThink step-by-step.": "First, red. So no.", "安全吗？\n请逐步思考。": "不。"})
    scene = yg.load(engine=engine).open(IMAGE)
    assert str(scene.reason(" Is it safe? ")) == "First, red. So no."
    assert "".join(scene.reason("Is it safe?", stream=True)) == "First, red. So no."
    assert str(scene.reason("安全吗？", lang="zh")) == "不。"
    with pytest.raises(yg.InputError, match="the question must be words"):
        scene.reason(" ", stream=True)
