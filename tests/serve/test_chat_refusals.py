"""Chats that cannot be answered: each error has its status, its code and its protocol's body, streamed or not."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

import youtu_gguf as yg
from tests.serve.talking import Scripted, image_url, photograph, words
from youtu_gguf.serve.app import create_app
from youtu_gguf.testing import FakeEngine

A = photograph(1)
HI = [{"role": "user", "content": "What?"}]


@pytest.fixture(scope="module")
def server() -> Iterator[TestClient]:
    yield from started(Scripted())


def started(load: Callable[[], yg.Model]) -> Iterator[TestClient]:
    with TestClient(create_app(load), base_url="http://localhost") as client:
        while client.get("/readyz").status_code == 503:
            pass
        yield client


def refused(server: TestClient, **body: Any) -> dict[str, Any]:
    """Return the error of a chat in OpenAI's shape, which is the same whether it is streamed or not."""
    errors = []
    for stream in (False, True):
        answer = server.post("/v1/chat/completions", json={"messages": HI, "stream": stream, **body})
        error = answer.json()["error"]
        assert set(error) == {"message", "type", "param", "code"}
        errors.append({**error, "status": answer.status_code})
    assert errors[0] == errors[1]
    return errors[0]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tools", [{"type": "function"}]), ("tool_choice", "required"), ("n", 2), ("logit_bias", {"1": 1}),
        ("logprobs", True), ("presence_penalty", 0.5), ("frequency_penalty", -1), ("modalities", ["text", "audio"]),
        ("audio", {"voice": "x"}), ("functions", [{}]), ("grammar", "root ::= x"), ("guided_json", {"type": "object"}),
    ],
)  # fmt: skip
def test_what_would_change_the_answer_is_refused(server: TestClient, name: str, value: object) -> None:
    error = refused(server, **{name: value})
    assert (error["status"], error["code"], error["param"]) == (400, "unsupported_parameter", name)


@pytest.mark.parametrize(
    "body", [{"n": 1}, {"tools": []}, {"tool_choice": "auto"}, {"presence_penalty": 0.0}, {"modalities": ["text"]}]
)
def test_the_same_fields_may_say_what_is_done_anyway(server: TestClient, body: dict[str, Any]) -> None:
    answer = server.post("/v1/chat/completions", json={"messages": HI, **body})
    assert answer.status_code == 200
    assert "x-youtu-ignored" not in answer.headers


@pytest.mark.parametrize(
    ("messages", "code", "param"),
    [
        ([], "invalid_argument", "messages"),
        ("Hi", "invalid_argument", "messages"),
        (["Hi"], "invalid_argument", "messages.0"),
        ([{"role": "user"}], "invalid_argument", "messages"),
        ([{"role": "user", "content": ""}], "invalid_argument", "messages"),
        ([{"role": "user", "content": 3}], "invalid_argument", "messages.0.content"),
        ([{"role": "robot", "content": "x"}], "invalid_argument", "messages.0.role"),
        ([{"role": "tool", "content": "x"}], "unsupported_parameter", "messages.0.role"),
        ([{"role": "user", "content": "x"}, {"role": "assistant", "tool_calls": [{}]}], "unsupported_parameter",
         "messages.tool_calls"),
        ([{"role": "user", "content": [image_url(A)]}], "invalid_argument", "messages"),
        ([{"role": "user", "content": [{"type": "input_audio"}, words("x")]}], "unsupported_parameter",
         "messages.0.content.0.type"),
        ([{"role": "user", "content": [{"type": "image_url"}, words("x")]}], "invalid_argument",
         "messages.0.content.0.image_url"),
        ([{"role": "user", "content": [{"type": "image_url", "image_url": "/etc/passwd"}, words("x")]}],
         "invalid_image", "messages.0.content.0.image_url"),
        ([{"role": "user", "content": [{"type": "image_url", "image_url": "img_0"}, words("x")]}],
         "image_not_found", "messages.0.content.0.image_url"),
        ([{"role": "user", "content": [{"type": "image_url", "image_url": "https://example.com/a"}, words("x")]}],
         "url_not_allowed", "messages.0.content.0.image_url"),
        ([{"role": "user", "content": [{"type": "image_url", "image_url": "aGVsbG8="}, words("x")]}],
         "unsupported_media_type", "messages.0.content.0.image_url"),
    ],
)  # fmt: skip
def test_messages_that_cannot_be_answered_are_refused(
    server: TestClient, messages: object, code: str, param: str | None
) -> None:
    error = refused(server, messages=messages)
    assert (error["code"], error["param"]) == (code, param)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"max_tokens": 0}, 400, "invalid_argument"),
        ({"temperature": "hot"}, 400, "invalid_argument"),
        ({"stop": [1]}, 400, "invalid_argument"),
        ({"stop": ["x"] * 33}, 400, "invalid_argument"),
        ({"stop": "x" * 257}, 400, "invalid_argument"),
        ({"json_schema": {"enum": ["x" * 70_000]}}, 400, "invalid_argument"),
        ({"stream_options": 3}, 400, "invalid_argument"),
        ({"model": "llava"}, 404, "model_not_found"),
        ({"model": 3}, 400, "invalid_argument"),
        ({"youtu": {"decode": True}}, 400, "image_required"),
        ({"model": "youtu-vl:detect"}, 400, "image_required"),
    ],
)
def test_an_argument_that_cannot_be_is_refused_before_a_stream_begins(
    server: TestClient, body: dict[str, Any], status: int, code: str
) -> None:
    error = refused(server, **body)
    assert (error["status"], error["code"]) == (status, code)


def test_a_task_takes_one_image_and_its_own_options(server: TestClient) -> None:
    two = [{"role": "user", "content": [image_url(A), image_url(photograph(2)), words("car")]}]
    one = [{"role": "user", "content": [image_url(A), words("car")]}]
    assert refused(server, model="youtu-vl:detect", messages=two)["code"] == "several_images"
    form = {"type": "json_schema", "json_schema": {"schema": {"type": "object"}}}
    assert refused(server, model="youtu-vl:detect", messages=one, response_format=form)["param"] == "response_format"
    assert refused(server, model="youtu-vl:detect", messages=one, stop="x")["param"] == "stop"
    nothing = [{"role": "user", "content": [image_url(A)]}]
    assert "expected PHRASE; got nothing" in refused(server, model="youtu-vl:ground", messages=nothing)["message"]


def test_a_task_names_what_it_does_not_read(server: TestClient) -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [image_url(A), words("What?")]},
        {"role": "assistant", "content": "A cup."},
        {"role": "user", "content": "Describe it."},
    ]
    answer = server.post("/v1/chat/completions", json={"model": "youtu-vl:describe", "messages": messages})
    assert json.loads(answer.json()["choices"][0]["message"]["content"])["text"] == "A table."
    assert answer.headers["x-youtu-ignored"] == "text, history, system"


class Failing(FakeEngine):
    """Gives one piece, and then an error."""

    def open(self, prefix: Any) -> Any:
        session = super().open(prefix)
        words_of = session._words

        def failing(*arguments: Any) -> Iterator[Any]:
            yield next(words_of(*arguments))
            raise yg.ServerError("the server is gone.", retry=True)

        session._words = failing
        return session


def test_an_error_in_a_stream_that_has_begun_is_its_last_event() -> None:
    for server in started(lambda: yg.load(engine=Failing(answers={"What": "A red cup."}))):
        answer = server.post("/v1/chat/completions", json={"messages": HI, "stream": True})
        assert answer.status_code == 200
        events = [json.loads(event.removeprefix("data: ")) for event in answer.text.split("\n\n") if event]
        assert events[1]["choices"][0]["delta"] == {"content": "A "}
        assert events[-1]["error"]["code"] == "engine_unavailable"
        lines = [
            json.loads(text)
            for text in server.post("/api/chat", json={"model": "youtu-vl", "messages": HI}).text.splitlines()
        ]
        assert lines[0]["message"]["content"] == "A "
        assert lines[-1] == {"error": "the server is gone."}
        last = server.post("/v1/responses", json={"input": "What?", "stream": True}).text.split("\n\n")[-2]
        kind, data = last.split("\n")
        assert kind == "event: error"
        assert json.loads(data.removeprefix("data: "))["error"]["code"] == "engine_unavailable"


@pytest.mark.parametrize("path", ["/api/chat", "/api/generate", "/api/show", "/api/nothing"])
def test_errors_of_ollama_are_one_text(server: TestClient, path: str) -> None:
    answer = server.post(path, json={})
    assert answer.status_code in {400, 404}
    assert [*answer.json()] == ["error"]
    assert isinstance(answer.json()["error"], str)


@pytest.mark.parametrize("name", ["raw", "suffix", "template", "context", "logprobs", "think"])
def test_what_ollama_would_do_and_we_cannot_is_refused(server: TestClient, name: str) -> None:
    answer = server.post("/api/generate", json={"model": "youtu-vl", "prompt": "What?", name: [1]})
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(f"{name} is not supported")
