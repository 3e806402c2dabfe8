"""Bodies of requests for tasks: what fits the declarations, and what is said of what does not."""

from __future__ import annotations

from typing import Any

import pytest

from youtu_gguf.serve.errors import ApiError
from youtu_gguf.serve.schemas import inlined_schema
from youtu_gguf.serve.task_requests import MAX_TASKS, many_body, read_many, read_task, task_body
from youtu_gguf.tasks import TASKS

IMAGE = {"image": "img_1"}
AUTO = "'auto', 'auto:2', 'auto:3' or 'auto:4'"


def refusal(name: str, **sent: Any) -> ApiError:
    with pytest.raises(ApiError) as refused:
        read_task(name, {**IMAGE, **sent})
    return refused.value


@pytest.mark.parametrize("name", TASKS)
def test_a_body_has_the_arguments_of_its_task_and_those_of_every_task(name: str) -> None:
    whole = ["image", "timeout_s", "stream"]
    own = [argument.name for argument in TASKS[name].arguments]
    assert list(task_body(name).model_fields) == [*whole, *own, "options", "output"]
    assert len(set(task_body(name).model_fields)) == len(own) + 5
    schema = inlined_schema(task_body(name))
    assert schema["required"] == ["image", *(a.name for a in TASKS[name].arguments if a.is_required)]
    assert schema["additionalProperties"] is False
    assert "$ref" not in str(schema)
    assert all(schema["properties"][name].get("description") for name in own)


def test_what_is_not_sent_is_left_to_the_task() -> None:
    asked = read_task("detect", IMAGE)
    assert (asked.timeout_s, asked.stream) == (600, False)
    (question,) = asked.questions
    assert (question.task, question.arguments, question.options) == ("detect", {}, {})
    assert (question.output.masks, question.output.map) == ("rle", "none")


def test_what_is_sent_is_passed_on() -> None:
    asked = read_task(
        "detect",
        {
            **IMAGE,
            "classes": ["car"],
            "zoom": [1, "auto:3"],
            "options": {"max_seconds": 3, "seed": 1, "stop": ["."], "json_schema": {"type": "object"}},
            "output": {"masks": "none"},
            "timeout_s": 5,
            "stream": True,
        },
    )
    (question,) = asked.questions
    assert question.arguments == {"classes": ["car"], "zoom": [1.0, "auto:3"]}
    assert question.options == {"max_s": 3.0, "seed": 1, "stop": ["."], "json_schema": {"type": "object"}}
    assert (question.output.masks, asked.timeout_s, asked.stream) == ("none", 5, True)


def test_null_is_an_argument_that_is_not_sent() -> None:
    (question,) = read_task("refer", {**IMAGE, "phrase": None, "box": [1, 2, 3, 4.5]}).questions
    assert question.arguments == {"box": [1, 2, 3, 4.5]}


@pytest.mark.parametrize(
    ("name", "sent", "param", "message"),
    [
        ("detect", {"zoom": "2"}, "zoom", f"zoom must be a valid number or {AUTO} or a valid list; got '2'."),
        ("detect", {"zoom": [1, "x"]}, "zoom.1", f"zoom.1 must be a valid number or {AUTO}; got 'x'."),
        ("detect", {"zoom": True}, "zoom", f"zoom must be a valid number or {AUTO} or a valid list; got True."),
        ("detect", {"classes": "car"}, "classes", "classes must be a valid list; got 'car'."),
        ("segment", {"tiles": [1.5, 2]}, "tiles.0", "tiles.0 must be a valid integer"),
        ("segment", {"background": 1}, "background", "background must be a valid boolean; got 1."),
        ("segment", {"refine": "x"}, "refine", "refine must be 'auto', 'crf', 'guided' or 'none'; got 'x'."),
        (
            "depth",
            {"focal_px": float("inf")},
            "focal_px",
            "focal_px must be a finite number or 'unknown' or 'assumed'; got inf.",
        ),
        ("depth", {"zoom": 10**400}, "zoom", f"zoom must be a valid number or {AUTO} or 'focal'; got 1000"),
        ("ask", {}, "question", "question is missing."),
        ("ask", {"question": "a" * 70_000}, "question", "question is invalid: string should have at most 65536"),
        ("detect", {"classes": ["a"] * 3_000}, "classes", "classes is invalid: list should have at most 2000 items"),
        ("detect", {"timeout_s": 0}, "timeout_s", "timeout_s must be greater than 0; got 0."),
        ("detect", {"timeout_s": 1e9}, "timeout_s", "timeout_s must be less than or equal to 3600"),
        ("detect", {"clases": []}, "clases", "unknown argument clases. Known here: image, timeout_s, stream, classes"),
        ("detect", {"options": {"sed": 1}}, "options.sed", "Known here: strict, scores"),
        ("detect", {"options": {"max_seconds": 1e9}}, "options.max_seconds", "less than or equal to 3600"),
        ("detect", {"options": {"cancel": 1}}, "options.cancel", "unknown argument options.cancel."),
        ("detect", {"options": {"seed": -1}}, "options", "options: seed must be a whole number from 0"),
        ("ask", {"question": "a\0b"}, "question", "question has a null character"),
        ("detect", {"classes": ["a\0b"]}, "classes", "classes has a null character"),
        ("detect", {"options": {"stop": ["a"] * 33}}, "options.stop", "at most 32 items"),
        ("detect", {"options": {"stop": ["a" * 257]}}, "options.stop.0", "at most 256 characters"),
        ("detect", {"options": {"json_schema": {"a": "b" * 70_000}}}, "options.json_schema", "may have 65536 char"),
        ("detect", {"output": {"mask": "rle"}}, "output.mask", "Known here: masks, map."),
        ("detect", {"output": 3}, "output", "output must be a valid dictionary"),
    ],
)
def test_what_does_not_fit_is_named_with_what_was_expected(
    name: str, sent: dict[str, Any], param: str, message: str
) -> None:
    refused = refusal(name, **sent)
    assert (refused.status, refused.code, refused.param) == (400, "invalid_argument", param)
    assert message in refused.message


@pytest.mark.parametrize("image", [None, 3, ["img_1"]])
def test_an_image_that_is_no_text_is_missing(image: Any) -> None:
    assert refusal("detect", image=image).code == "image_required"


def test_an_unknown_argument_of_any_length_is_said_in_few_words() -> None:
    refused = refusal("detect", **{"x" * 100_000: 1})
    assert len(refused.message) < 500
    assert len(refused.param or "") < 100


def test_options_of_one_task_come_before_those_of_all() -> None:
    asked = read_many(
        {
            **IMAGE,
            "tasks": [{"task": "describe", "options": {"seed": 3}, "output": {"masks": "none"}}, {"task": "ocr"}],
            "options": {"seed": 1, "max_tokens": 9},
            "output": {"masks": "png"},
        }
    )
    assert [question.options for question in asked.questions] == [
        {"seed": 3, "max_tokens": 9},
        {"seed": 1, "max_tokens": 9},
    ]
    assert [question.output.masks for question in asked.questions] == ["none", "png"]


@pytest.mark.parametrize(
    ("tasks", "param", "message"),
    [
        ([], "tasks", "at least 1 item"),
        ([{"task": "ocr"}] * (MAX_TASKS + 1), "tasks", f"at most {MAX_TASKS} items"),
        ([{"task": "find"}], "tasks.0.task", "must be one of ask, describe"),
        ([{}], "tasks.0.task", "must be one of ask, describe"),
        ([{"task": "ocr"}, 3], "tasks.1", "must be a valid dictionary"),
        ([{"task": "detect", "zoom": "x"}], "tasks.0.zoom", "must be a valid number or 'auto'"),
        ([{"task": "ask", "question": "x", "zoom": 1}], "tasks.0.zoom", "Known here: question, options, output."),
        ([{"task": "ocr", "options": {"x": 1}}], "tasks.0.options.x", "Known here: strict"),
    ],
)
def test_one_of_several_tasks_is_named_by_its_place(tasks: Any, param: str, message: str) -> None:
    with pytest.raises(ApiError) as refused:
        read_many({**IMAGE, "tasks": tasks})
    assert (refused.value.code, refused.value.param) == ("invalid_argument", param)
    assert message in refused.value.message


def test_the_schema_of_several_tasks_stands_by_itself() -> None:
    schema = str(inlined_schema(many_body()))
    assert "$ref" not in schema
    assert all(f"'const': '{name}'" in schema for name in TASKS)
