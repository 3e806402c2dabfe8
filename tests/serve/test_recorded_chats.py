"""Requests as programs send them: in our wording, with the fields, types and order of theirs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.serve.conftest import serving
from tests.serve.talking import Scripted, base64_of, photograph

JPEG = base64_of(photograph(1, "JPEG"))
FURTHER = base64_of(photograph(2, "JPEG"))

LABELS = {
    "type": "object",
    "properties": {"labels": {"type": "array", "items": {"type": "string"}}},
    "required": ["labels"],
    "additionalProperties": False,
}
ANSWER = '{"labels": ["cup"]}'


SCRIPTED = Scripted(**{"Tell": ANSWER})


@pytest.fixture
def model() -> Scripted:
    return SCRIPTED.forget()


@pytest.fixture(scope="module")
def server() -> Iterator[httpx.Client]:
    with serving(SCRIPTED) as url, httpx.Client(base_url=url, timeout=30) as client:
        yield client


def data_uri(image: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{image}"}}


def test_home_assistant_streams_a_chat_with_a_schema(server: httpx.Client, model: Scripted) -> None:
    assert server.get("/api/tags").json()["models"]
    answer = server.post(
        "/api/chat",
        json={
            "model": "youtu-vl:latest",
            "stream": True,
            "options": {"num_ctx": 8192},
            "keep_alive": "-1s",
            "think": False,
            "tools": None,
            "format": LABELS,
            "messages": [
                {"role": "system", "content": "You are a helper of this home."},
                {"role": "user", "content": "Tell what the camera shows.", "images": [JPEG]},
            ],
        },
    )
    assert answer.headers["content-type"] == "application/x-ndjson"
    lines = [json.loads(text) for text in answer.text.splitlines()]
    assert "".join(line["message"]["content"] for line in lines) == ANSWER
    assert lines[-1]["done_reason"] == "stop"
    assert set(answer.headers["x-youtu-ignored"].split(", ")) == {"keep_alive", "options.num_ctx"}
    assert model.heard() == ["You are a helper of this home.", "#", "Tell what the camera shows."]


def test_llm_vision_asks_by_openais_protocol(server: httpx.Client, model: Scripted) -> None:
    assert server.get("/readyz").status_code == 200
    content = [
        {"type": "text", "text": "Image 1:"}, data_uri(JPEG), {"type": "text", "text": "Image 2:"}, data_uri(FURTHER),
        {"type": "text", "text": "Tell what happens."},
    ]  # fmt: skip
    answer = server.post(
        "/v1/chat/completions",
        json={
            "model": "youtu-vl",
            "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": content}],
            "max_completion_tokens": 100,
            "temperature": 0.2,
            "top_p": 0.9,
            "response_format": {"type": "json_schema", "json_schema": {"name": "r", "strict": True, "schema": LABELS}},
        },
    )
    assert answer.json()["choices"][0]["message"]["content"] == ANSWER
    assert model.heard() == ["Be brief.", "Image 1:", "#", "Image 2:", "#", "Tell what happens."]


def test_llm_vision_asks_by_ollamas_protocol(server: httpx.Client, model: Scripted) -> None:
    answer = server.post(
        "/api/chat",
        json={
            "model": "youtu-vl",
            "messages": [{"role": "user", "content": "Tell what happens.", "images": [JPEG]}],
            "system": "Be brief.",
            "prompt": [],
            "images": [JPEG],
            "stream": False,
            "options": {"temperature": 0.2, "num_ctx": 16384, "num_predict": 100},
            "keep_alive": 5,
            "format": LABELS,
        },
    )
    assert answer.json()["message"]["content"] == ANSWER
    assert model.heard() == ["Be brief.", "#", "Tell what happens."]
    assert "images" in answer.headers["x-youtu-ignored"].split(", ")


def test_images_beside_the_messages_are_seen_where_these_have_none(server: httpx.Client, model: Scripted) -> None:
    messages = [{"role": "user", "content": "Tell."}]
    server.post("/api/chat", json={"model": "youtu-vl", "messages": messages, "images": [JPEG], "stream": False})
    assert model.heard()[1:] == ["#", "Tell."]


def test_frigate_asks_by_llama_servers_protocol(server: httpx.Client, model: Scripted) -> None:
    (entry,) = (m for m in server.get("/v1/models").json()["data"] if "youtu-vl" in {m["id"], *m["aliases"]})
    assert "image" in entry["architecture"]["input_modalities"]
    assert server.get("/props", params={"model": "youtu-vl"}).json()["modalities"]["vision"]
    content = [
        {"type": "text", "text": "Tell what happens in these frames."},
        {"type": "text", "text": "Front door, 10:01"}, data_uri(JPEG),
        {"type": "text", "text": "Front door, 10:02"}, data_uri(FURTHER),
    ]  # fmt: skip
    answer = server.post(
        "/v1/chat/completions",
        json={
            "model": "youtu-vl",
            "messages": [{"role": "user", "content": content}],
            "chat_template_kwargs": {"enable_thinking": False},
            "timings_per_token": True,
        },
    )
    assert answer.json()["usage"]["prompt_tokens"] > 0
    assert answer.json()["timings"]["predicted_n"] > 0
    assert model.heard()[1:] == [
        "Front door, 10:01", "#", "Front door, 10:02", "#", "Tell what happens in these frames.",
    ]  # fmt: skip


def test_frigate_asks_by_ollamas_protocol(server: httpx.Client, model: Scripted) -> None:
    assert "vision" in server.post("/api/show", json={"model": "youtu-vl"}).json()["capabilities"]
    answer = server.post(
        "/api/chat",
        json={
            "model": "youtu-vl",
            "stream": False,
            "messages": [{"role": "user", "content": "Tell what happens.\n[img]\n[img]", "images": [JPEG, FURTHER]}],
            "options": {"temperature": 0.5, "repeat_penalty": 1.05, "presence_penalty": 0.3},
            "think": False,
        },
    )
    assert answer.json()["message"]["content"] == ANSWER
    assert answer.headers["x-youtu-ignored"] == "options.presence_penalty"
    assert model.heard()[1:] == ["#", "#", "Tell what happens."]


def test_frigate_generates_with_a_format(server: httpx.Client) -> None:
    answer = server.post(
        "/api/generate",
        json={"model": "youtu-vl", "prompt": "Tell.", "images": [JPEG], "format": LABELS, "stream": False},
    )
    assert json.loads(answer.json()["response"]) == {"labels": ["cup"]}


def test_open_webui_chats_and_asks_for_a_title(server: httpx.Client, model: Scripted) -> None:
    chat = {
        "stream": True,
        "model": "youtu-vl",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "What is this?"}, data_uri(JPEG)]}],
        "stream_options": {"include_usage": True},
    }
    answer = server.post("/v1/chat/completions", json=chat)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.text.endswith("data: [DONE]\n\n")
    title = {
        "model": "youtu-vl",
        "messages": [{"role": "user", "content": "Tell a title for this chat."}],
        "stream": False,
        "max_completion_tokens": 1000,
    }
    assert server.post("/v1/chat/completions", json=title).json()["choices"][0]["message"]["content"] == ANSWER
    assert model.heard()[1:] == ["Tell a title for this chat."]


def test_photoprism_generates_labels(server: httpx.Client) -> None:
    answer = server.post(
        "/api/generate",
        json={
            "model": "youtu-vl:latest",
            "prompt": "Tell the labels of this picture as JSON.",
            "system": "You label pictures.",
            "suffix": "",
            "format": "json",
            "images": [JPEG],
            "options": {"temperature": 0.01, "top_k": 40, "top_p": 0.9, "num_ctx": 4096, "repeat_penalty": 1.2},
            "stream": False,
        },
    )
    assert json.loads(answer.json()["response"]) == {"labels": ["cup"]}


def test_photoprism_asks_by_openais_responses(server: httpx.Client) -> None:
    answer = server.post(
        "/v1/responses",
        json={
            "model": "youtu-vl",
            "input": [
                {"role": "system", "type": "message", "content": [{"type": "input_text", "text": "You label."}]},
                {
                    "role": "user",
                    "type": "message",
                    "content": [
                        {"type": "input_text", "text": "Tell the labels."},
                        {"type": "input_image", "detail": "low", "image_url": f"data:image/jpeg;base64,{JPEG}"},
                    ],
                },
            ],
            "text": {"format": {"type": "json_schema", "name": "labels", "strict": True, "schema": LABELS}},
            "max_output_tokens": 512,
            "temperature": 0.1,
        },
    )
    output = answer.json()["output"]
    assert output[0]["content"][0]["text"] == ANSWER
