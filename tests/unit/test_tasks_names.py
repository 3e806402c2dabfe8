"""What names a thing has a letter or a digit, wherever it is given."""

from __future__ import annotations

import numpy as np
import pytest

import youtu_gguf as yg
from youtu_gguf.errors import InputError
from youtu_gguf.tasks import TASKS
from youtu_gguf.testing import FakeEngine

NO_NAMES = (",", "。", " - ", "、", "...", "?!", "<>", "\u3000", "\u200b", "🐈")
NAMES = ("car", "7", "猫", "a-b", "красный", "“кот”", "५", "C++")


def open_scene() -> tuple[yg.Scene, FakeEngine]:
    engine = FakeEngine(vocabulary={"<BG>": 1, "<FG>": 2})
    return yg.load(engine=engine).open(np.zeros((32, 32, 3), np.uint8)), engine


@pytest.mark.parametrize("given", NO_NAMES)
@pytest.mark.parametrize(
    ("task", "in_list"),
    [
        *(("detect", True), ("segment", True), ("instances", True)),
        *(("ground", False), ("polygon", False), ("count", False), ("refer", False)),
    ],
)
def test_what_has_no_letter_and_no_digit_names_nothing(task: str, in_list: bool, given: str) -> None:
    scene, engine = open_scene()
    with pytest.raises(InputError, match=r"must have a letter or a digit|must be words"):
        scene.run(task, ["car", given] if in_list else given)
    with pytest.raises(InputError, match=r"must have a letter or a digit|must be words|separated by blanks"):
        words = TASKS[task].words
        assert words is not None
        TASKS[task].read({words.name: [given]})
    assert not engine.questions


@pytest.mark.parametrize("given", NAMES)
def test_letters_and_digits_of_any_script_name_things(given: str) -> None:
    scene, engine = open_scene()
    scene.detect([given])
    scene.ground(given)
    assert all(given in question for question in engine.questions)
    assert TASKS["detect"].read({"classes": [given]}) == {"classes": [given]}


def test_a_question_may_be_of_any_words() -> None:
    scene, engine = open_scene()
    scene.ask("?")
    scene.click("+")
    assert engine.questions == ["?", "+"]
