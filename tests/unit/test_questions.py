"""Tasks as people type them."""

from __future__ import annotations

import pytest

import youtu_gguf as yg
from youtu_gguf.cli.questions import FORMS, parse
from youtu_gguf.errors import InputError


@pytest.mark.parametrize(
    ("words", "question"),
    [
        ("describe", yg.Question("describe")),
        ("  ASK  What is  this? ", yg.Question("ask", ("What is  this?",))),
        ("detect", yg.Question("detect", (None,))),
        ("detect car, person\uff0c dog", yg.Question("detect", (["car", "person", "dog"],))),
        ("instances", yg.Question("instances", (None,))),
        ("instances car, dog", yg.Question("instances", (["car", "dog"],))),
        ("depth NYUv2", yg.Question("depth", (), {"scale": "nyuv2"})),
        (
            "segment --all road, sky",
            yg.Question("segment", (["road", "sky"],), {"present": "all", "background": False}),
        ),
    ],
)
def test_words_become_questions(words: str, question: yg.Question) -> None:
    assert parse(words).question == question


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("", "expected a task, one of ask, describe"),
        ("paint it", "expected a task, .*got 'paint it'"),
        ("count", "expected count WHAT; got nothing after count"),
        ("pose standing", "pose stands alone; got 'standing' after it"),
        ("detect ,", "at least one class name"),
        ("segment --all", "at least one class name"),
        ("segment --every sky", "segment knows --all and --background; got --every"),
        ("depth mars", "expected a depth scale among open, nyuv2, cityscapes, ddad; got 'mars'"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_any_image_is_looked_at(words: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse(words)


def test_every_task_can_be_typed() -> None:
    from youtu_gguf.tasks import TASKS

    assert sorted(form.task for form in FORMS) == sorted(TASKS)
