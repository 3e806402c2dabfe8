"""Chats with the small model that ships with the package: what one protocol reads, all others find read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

import youtu_gguf as yg
from tests.serve.conftest import serving
from tests.serve.talking import base64_of, image_url, photograph, words

A, B = photograph(1), photograph(2)
LIMIT = 4


@pytest.fixture(scope="module")
def server() -> Iterator[httpx.Client]:
    load = lambda: yg.load("nano", threads=1, temperature=0.0)  # noqa: E731
    with serving(load) as url, httpx.Client(base_url=url, timeout=120) as client:
        yield client


def post(server: httpx.Client, path: str, **body: Any) -> dict[str, Any]:
    answer = server.post(path, json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_an_image_is_read_once_for_all_protocols(server: httpx.Client) -> None:
    content = [words("What is this?"), image_url(A)]
    first = post(server, "/v1/chat/completions", messages=[{"role": "user", "content": content}], max_tokens=LIMIT)
    assert first["usage"]["prompt_tokens_details"]["cached_tokens"] == 0
    assert first["timings"]["encode_ms"] > 0
    n_image = first["usage"]["prompt_tokens_details"]["image_tokens"]

    again = post(server, "/v1/chat/completions", messages=[{"role": "user", "content": content}], max_tokens=LIMIT)
    assert again["choices"] == first["choices"]
    shown = [{"role": "user", "content": [image_url(A)]}]
    task = post(server, "/v1/chat/completions", model="youtu-vl:describe", messages=shown, max_tokens=LIMIT)
    part = {"type": "input_image", "image_url": f"data:image/png;base64,{base64_of(A)}"}
    given = [{"role": "user", "content": [part, {"type": "input_text", "text": "Which colours?"}]}]
    reply = post(server, "/v1/responses", input=given, max_output_tokens=LIMIT)
    for found in (again, task, reply):
        assert (found["timings"]["encode_ms"], found["timings"]["prompt_ms"]) == (0, 0)
        assert found["timings"]["cache_n"] > n_image
    assert reply["usage"]["input_tokens_details"]["cached_tokens"] > n_image

    asked: dict[str, Any] = {"model": "youtu-vl", "stream": False, "options": {"num_predict": LIMIT}}
    chat = post(server, "/api/chat", **asked, messages=[{"role": "user", "content": "Who?", "images": [base64_of(A)]}])
    prompt = post(server, "/api/generate", **asked, prompt="Where?", images=[base64_of(A)])
    for found in (chat, prompt):
        assert found["prompt_eval_duration"] == 0
        assert found["cached_tokens"] > n_image


def test_a_conversation_that_is_sent_again_is_not_read_again(server: httpx.Client) -> None:
    messages: list[dict[str, Any]] = [{"role": "user", "content": [image_url(B), words("What is this?")]}]
    first = post(server, "/v1/chat/completions", messages=messages, max_tokens=LIMIT)
    answer = first["choices"][0]["message"]["content"]
    messages += [{"role": "assistant", "content": answer}, {"role": "user", "content": "What else?"}]
    second = post(server, "/v1/chat/completions", messages=messages, max_tokens=LIMIT)
    assert second["timings"]["encode_ms"] == 0
    assert second["usage"]["prompt_tokens_details"]["cached_tokens"] >= first["usage"]["prompt_tokens"]


def test_several_images_and_none_are_answered(server: httpx.Client) -> None:
    two = [words("Image 1:"), image_url(A), words("Image 2:"), image_url(B), words("Compare.")]
    for content, n_images in ((two, 2), ("Hello!", 0)):
        usage = post(server, "/v1/chat/completions", messages=[{"role": "user", "content": content}], max_tokens=LIMIT)[
            "usage"
        ]
        assert usage["prompt_tokens_details"]["image_tokens"] == n_images * 12
        assert usage["completion_tokens"] <= LIMIT


def test_an_answer_fits_the_schema_that_is_asked_for(server: httpx.Client) -> None:
    schema = {"type": "object", "properties": {"colour": {"enum": ["red", "blue"]}}, "required": ["colour"]}
    form = {"type": "json_schema", "json_schema": {"name": "c", "schema": schema}}
    content = post(
        server, "/v1/chat/completions",
        messages=[{"role": "user", "content": [image_url(A), words("Colour?")]}], response_format=form, max_tokens=64,
    )["choices"][0]["message"]["content"]  # fmt: skip
    assert json.loads(content)["colour"] in {"red", "blue"}
    said = post(server, "/api/generate", model="youtu-vl", prompt="Colour?", images=[base64_of(A)], format=schema,
                stream=False, options={"num_predict": 64})["response"]  # fmt: skip
    assert json.loads(said)["colour"] in {"red", "blue"}


def test_a_map_comes_as_json_that_has_its_shape(server: httpx.Client) -> None:
    content = post(
        server, "/v1/chat/completions", model="youtu-vl:depth",
        messages=[{"role": "user", "content": [image_url(A)]}],
    )["choices"][0]["message"]["content"]  # fmt: skip
    value = json.loads(content)
    assert (value["type"], value["size"], value["finish"]) == ("DepthMap", [128, 96], "none")


def test_a_conversation_beyond_the_context_is_refused(server: httpx.Client) -> None:
    answer = server.post("/v1/chat/completions", json={"messages": [{"role": "user", "content": "word " * 9000}]})
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "context_length_exceeded"
