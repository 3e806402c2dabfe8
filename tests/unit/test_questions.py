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
        ("reason Is it safe? Why?", yg.Question("reason", ("Is it safe? Why?",))),
        ("count red dogs", yg.Question("count", ("red dogs",), {"by": "answer"})),
        ("count --detect red  dog", yg.Question("count", ("red dog",), {"by": "detection"})),
        ("click open the menu", yg.Question("click", ("open the menu",))),
        ("instances", yg.Question("instances", (None,))),
        ("instances car, dog", yg.Question("instances", (["car", "dog"],))),
        ("depth NYUv2", yg.Question("depth", (), {"scale": "nyuv2"})),
        ("segment", yg.Question("segment", (None,), {"present": "model", "background": False})),
        ("depth ddad --zoom=2 --tiles=2x1", yg.Question("depth", (), {"scale": "ddad", "zoom": 2.0, "tiles": (2, 1)})),
        ("depth --zoom=focal", yg.Question("depth", (), {"scale": "open", "zoom": "focal"})),
        ("depth --focal-px=900", yg.Question("depth", (), {"scale": "open", "focal_px": 900.0})),
        ("depth --focal-px=unknown", yg.Question("depth", (), {"scale": "open", "focal_px": "unknown"})),
        (
            "segment --zoom=auto sky",
            yg.Question("segment", (["sky"],), {"present": "model", "background": False, "zoom": "auto"}),
        ),
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
        ("count --detect", "expected count --detect WHAT; got nothing to count"),
        ("count --boxes dog", "count knows --detect; got --boxes"),
        ("reason", "expected reason QUESTION"),
        ("pose standing", "pose stands alone; got 'standing' after it"),
        ("detect ,", "at least one class name"),
        ("segment --all", "at least one class name"),
        ("segment --every sky", "segment knows --all, --background, .*; got --every"),
        ("segment sky --zoom", "segment knows .*--zoom=, --tiles=; got --zoom"),
        ("depth --zoom=big", "zoom must be a number from 1 to 4, or auto; got 'big'"),
        ("depth --tiles=2", "tiles must be columns and rows, as 2x2; got '2'"),
        ("depth --tiles=0x2", "two positive whole numbers, columns and rows"),
        ("depth --zoom=0", "zoom must be a number from 1 to 4"),
        ("depth --zoom=nan", "zoom must be a number from 1 to 4"),
        ("depth --focal-px=abc", "in pixels of the image, or unknown; got 'abc'"),
        ("segment --zoom=focal", "zoom must be a number from 1 to 4, or auto; got 'focal'"),
        ("segment --zoom=1, sky", "zoom must be a number from 1 to 4, or auto; got '1,'"),
        ("detect --zoom=2 cat", "detect takes class names alone here; got --zoom=2"),
        ("instances cat, --limit 3", "instances takes class names alone here; got --limit"),
        ("depth mars", "expected a depth scale among open, nyuv2, cityscapes, ddad; got 'mars'"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_any_image_is_looked_at(words: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse(words)


def test_every_task_can_be_typed() -> None:
    from youtu_gguf.tasks import TASKS

    assert sorted(form.task for form in FORMS) == sorted(TASKS)
