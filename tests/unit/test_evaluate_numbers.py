"""Questions that a number answers: how it is read, measured and compared."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import youtu_gguf as yg
from youtu_gguf.evaluate.base import Data, Prediction, Sample
from youtu_gguf.evaluate.benchmarks.counting import COUNTING
from youtu_gguf.evaluate.kinds.numbers import Numbers, read_number
from youtu_gguf.testing import FakeEngine

KIND = Numbers()
OPTIONS = COUNTING[0].options()


def sample(name: str, truth: int, image: str = "a.png") -> Sample:
    return Sample(name, Path(image), {"question": "How many cups are there?"}, truth)


@pytest.mark.parametrize(
    ("answer", "number"),
    [
        ("3", 3),
        ("There are 3 cups.", 3),
        ("**12**", 12),
        ("1,204", 1204),
        ("three", 3),
        ("There are Three cups.", 3),
        ("none", 0),
        ("There are no cups here.", 0),
        ("twenty", 20),
        ("3 (three)", 3),
        ("", None),
        ("many", None),
        ("3 or 4", None),
        ("two or three", None),
        ("3.5", None),
        ("someone", None),
        ("twenty-one", None),
        ("a dozen", None),
    ],
)
def test_a_number_is_read_from_digits_or_words(answer: str, number: int | None) -> None:
    assert read_number(answer) == number


def test_words_can_be_left_unread() -> None:
    assert read_number("three", words=False) is None
    assert read_number("3", words=False) == 3


def test_figures_have_the_worked_values() -> None:
    """Right, one off, three off, no number, and a question that failed; the errors are 0, 1 and 3."""
    measure = KIND.measure(Data([], Path()), OPTIONS)
    for truth, answer in ((2, "2"), (2, "3"), (5, "2"), (4, "lots")):
        measure.add(sample("x", truth), Prediction({"answer": answer}))
    measure.add(sample("x", 1), None)
    assert measure.figures() == {
        "exact": 1 / 5,
        "within_1": 2 / 5,
        "mean_error": pytest.approx(4 / 3),
        "no_number": 2 / 5,
    }


def test_images_that_count_twice_count_twice() -> None:
    measure = KIND.measure(Data([], Path()), OPTIONS)
    measure.add(sample("a", 1, "a.png"), Prediction({"answer": "1"}))
    measure.add(sample("b", 1, "b.png"), Prediction({"answer": "2"}))
    assert measure.figures(np.array([2.0, 1.0]))["exact"] == pytest.approx(2 / 3)


def test_without_a_number_there_is_no_mean_error() -> None:
    measure = KIND.measure(Data([], Path()), OPTIONS)
    measure.add(sample("x", 1), None)
    assert math.isnan(measure.figures()["mean_error"])


def test_always_the_most_common_number_is_the_baseline() -> None:
    data = Data([sample(str(i), truth) for i, truth in enumerate((2, 2, 1, 3, 1, 2))], Path())
    ((name, answer),) = KIND.baselines(data, OPTIONS).items()
    assert name == "always 2"
    measure = KIND.measure(data, OPTIONS)
    for each in data.samples:
        measure.add(each, answer(each))
    assert measure.figures()["exact"] == 1 / 2


def test_the_question_is_asked_with_the_reports_ending(tmp_path: Path) -> None:
    Image.new("RGB", (64, 64)).save(tmp_path / "a.png")
    engine = FakeEngine(answers={"How many cups": " 3 "})
    with yg.load(engine=engine) as model, model.open(tmp_path / "a.png") as scene:
        said = KIND.ask(scene, sample("x", 3), OPTIONS)
    assert engine.questions == ["How many cups are there? Output the final answer as a single number."]
    assert said.form == {"answer": "3"}
    json.dumps(said.form)


def test_an_answer_that_is_no_text_is_refused_with_its_question() -> None:
    measure = KIND.measure(Data([], Path()), OPTIONS)
    with pytest.raises(yg.InputError, match=r"'q7'.*'answer'"):
        measure.add(sample("q7", 1), Prediction({"answer": 3}))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("results.json", '[{"question_id": 7, "answer": "three"}, {"question_id": "x", "answer": 4}]'),
        ("records.tsv", 'index\tquestion\tprediction\n7\t"How\nmany?"\tthree\nx\tHow?\t4\n'),
        ("records.csv", "index,prediction\n7,three\nx,4\n"),
    ],
)
def test_results_of_others_are_read(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    found = KIND.read_predictions(tmp_path / name, Data([], tmp_path))
    assert {name: said.form for name, said in found.items()} == {"7": {"answer": "three"}, "x": {"answer": "4"}}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.json", '{"7": "3"}', "expected a list"),
        ("a.json", '[{"question_id": 7}]', r"\[0\]: expected 'answer'"),
        ("a.json", '[{"question_id": 7, "answer": "3"}, {"question_id": 7, "answer": "4"}]', r"\[1\].*'7' has two"),
        ("a.json", '[{"question_id": 7, "answer": NaN}]', r"\[0\]: expected 'answer'"),
        ("a.json", "[{", "line 1"),
        ("a.tsv", "index\tanswer\n7\t3\n", "line 2: expected the columns"),
        ("a.csv", "index,prediction\n7,3\n7,4\n", "line 3.*'7' has two"),
    ],
)
def test_broken_results_are_refused_with_their_place(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(yg.InputError, match=message):
        KIND.read_predictions(tmp_path / name, Data([], tmp_path))


def test_settings_are_checked_when_they_are_read() -> None:
    read = {setting.name: setting.read for setting in COUNTING[0].settings}
    assert read["number_words"] is not None
    assert read["number_words"]("no") == "no"
    with pytest.raises(yg.InputError, match="yes, no"):
        read["number_words"]("perhaps")
