"""Fields of requests: each is used, refused, or named as ignored."""

from __future__ import annotations

from typing import Any

import pytest

from youtu_gguf.serve.calls import Call
from youtu_gguf.serve.chat.sampling import ANY_OBJECT, ollama_sampling, openai_sampling, responses_sampling
from youtu_gguf.serve.errors import ApiError
from youtu_gguf.serve.fields import IGNORED, Fields, Ignored

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}}


def fields(**body: Any) -> Fields:
    return Fields(body, Ignored())


def test_what_is_not_taken_is_named_in_the_header() -> None:
    ignored, call = Ignored(), Call("")
    given = Fields({"model": "m", "user": "me", "store": None, "opts": {"a": 1}}, ignored)
    assert given.text("model") == "m"
    given.nested("opts").ignore_rest()
    given.ignore_rest()
    ignored.tell(call)
    assert call.headers == {IGNORED: "opts.a, user"}


def test_names_that_a_header_cannot_hold_are_not_written_into_it() -> None:
    ignored, call = Ignored(), Call("")
    ignored.add("a\r\nSet-Cookie: x", "ключ", "x" * 65, *(f"n{i}" for i in range(50)))
    ignored.tell(call)
    assert call.headers[IGNORED].startswith("other, n0, n1, ")
    assert len(call.headers[IGNORED]) < 300


def test_a_request_without_further_fields_gets_no_header() -> None:
    call = Call("")
    Ignored().tell(call)
    assert call.headers == {}


@pytest.mark.parametrize("value", [None, False, 0, 0.0, "", [], {}])
def test_a_refused_field_may_be_there_if_it_says_nothing(value: object) -> None:
    fields(tools=value).refuse(("tools",))


def test_a_refused_field_is_named_in_the_error() -> None:
    with pytest.raises(ApiError) as caught:
        fields(tools=[{}]).refuse(("tools",))
    assert (caught.value.status, caught.value.code, caught.value.param) == (400, "unsupported_parameter", "tools")


@pytest.mark.parametrize(("name", "value"), [("stream", "yes"), ("stream", 1)])
def test_a_field_of_another_type_is_refused(name: str, value: object) -> None:
    with pytest.raises(ApiError, match="must be true or false"):
        fields(**{name: value}).flag(name, default=False)


@pytest.mark.parametrize(
    ("body", "options"),
    [
        ({}, {}),
        ({"max_tokens": 5, "temperature": 0, "top_p": 0.9, "seed": 7}, {
            "max_tokens": 5, "temperature": 0, "top_p": 0.9, "seed": 7
        }),
        ({"max_completion_tokens": 5}, {"max_tokens": 5}),
        ({"stop": "\n"}, {"stop": ["\n"]}),
        ({"stop": ["a", "b"]}, {"stop": ["a", "b"]}),
        ({"seed": -1}, {"seed": 4_294_967_295}),
        ({"top_p": 0}, {"top_p": 1e-6}),
        ({"response_format": {"type": "text"}}, {}),
        ({"response_format": {"type": "json_object"}}, {"json_schema": ANY_OBJECT}),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}}, {
            "json_schema": SCHEMA
        }),
    ],
)  # fmt: skip
def test_openais_options_become_ours(body: dict[str, Any], options: dict[str, Any]) -> None:
    assert openai_sampling(fields(**body)) == options


def test_options_of_responses_become_ours() -> None:
    form = {"type": "json_schema", "name": "x", "schema": SCHEMA}
    assert responses_sampling(fields(max_output_tokens=9, text={"format": form})) == {
        "max_tokens": 9, "json_schema": SCHEMA
    }  # fmt: skip


@pytest.mark.parametrize(
    ("body", "options"),
    [
        ({"options": {"num_predict": -1, "num_ctx": 8192}}, {}),
        ({"options": {"num_predict": 8, "stop": ["x"]}}, {"max_tokens": 8, "stop": ["x"]}),
        ({"format": ""}, {}),
        ({"format": "json"}, {"json_schema": ANY_OBJECT}),
        ({"format": SCHEMA}, {"json_schema": SCHEMA}),
    ],
)
def test_ollamas_options_become_ours(body: dict[str, Any], options: dict[str, Any]) -> None:
    assert ollama_sampling(fields(**body)) == options


@pytest.mark.parametrize(
    "form", [{"type": "grammar"}, {"type": "json_schema"}, {"type": "json_schema", "json_schema": {"schema": 1}}, 3]
)
def test_a_format_that_cannot_be_kept_is_refused(form: object) -> None:
    with pytest.raises(ApiError) as caught:
        openai_sampling(fields(response_format=form))
    assert caught.value.status == 400
