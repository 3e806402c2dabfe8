"""The stock client of Ollama against a server of ours."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from urllib.request import Request, urlopen

import ollama
import pytest

from tests.serve.conftest import serving
from tests.serve.talking import Scripted, photograph
from youtu_gguf.facts import DEFAULT_SYSTEM

A, B = photograph(1), photograph(2)


SCRIPTED = Scripted()


@pytest.fixture
def model() -> Scripted:
    return SCRIPTED.forget()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving(SCRIPTED) as url:
        yield url


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[ollama.Client]:
    with ollama.Client(host=url) as client:
        yield client


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_root_tells_that_the_server_runs(url: str, method: str) -> None:
    with urlopen(Request(url, method=method)) as answer:
        assert answer.status == 200


def test_the_version_is_that_of_the_protocol(url: str) -> None:
    with urlopen(f"{url}/api/version") as answer:
        assert [int(part) for part in json.load(answer)["version"].split(".")] >= [0, 6, 4]


def test_models_are_listed_described_and_running(client: ollama.Client) -> None:
    listed = [model.model for model in client.list().models]
    assert listed[0] == "youtu-vl:latest"
    assert "youtu-vl:detect" in listed
    for name in ("youtu-vl", *listed):
        assert client.show(str(name)).capabilities == ["completion", "vision"]
    (running,) = client.ps().models
    assert running.name == "youtu-vl:latest"
    assert isinstance(running.expires_at, datetime)


def test_a_chat_about_an_image_is_answered(client: ollama.Client, model: Scripted) -> None:
    answer = client.chat(
        "youtu-vl:latest",
        [
            {"role": "system", "content": "Be terse."},
            {"role": "user", "content": "What is this?", "images": [A]},
            {"role": "assistant", "content": "A cup."},
            {"role": "user", "content": "And this?", "images": [B]},
        ],
    )
    assert answer.message.content == "Nothing else."
    assert (answer.done, answer.done_reason, answer.eval_count) == (True, "stop", 2)
    assert model.heard() == ["Be terse.", "#", "What is this?", "> A cup.", "#", "And this?"]
    assert answer.total_duration is not None
    assert answer.eval_duration is not None
    assert answer.total_duration >= answer.eval_duration > 0


def test_a_stream_is_lines_and_the_last_one_counts(client: ollama.Client) -> None:
    *pieces, last = client.chat("youtu-vl", [{"role": "user", "content": "What?", "images": [A]}], stream=True)
    assert [piece.message.content for piece in pieces] == ["A ", "red ", "cup."]
    assert not any(piece.done for piece in pieces)
    assert (last.message.content, last.done, last.done_reason, last.eval_count) == ("", True, "stop", 3)


def test_a_prompt_is_answered(client: ollama.Client, model: Scripted) -> None:
    answer = client.generate("youtu-vl", "What is this?", system="Be terse.", images=[A])
    assert (answer.response, answer["context"]) == ("A red cup.", [])
    assert model.heard() == ["Be terse.", "#", "What is this?"]
    *pieces, last = client.generate("youtu-vl", "What is this?", images=[A], stream=True)
    assert "".join(piece.response or "" for piece in pieces) == "A red cup."
    assert last.prompt_eval_count
    assert model.heard() == [DEFAULT_SYSTEM, "#", "What is this?"]


def test_markers_place_images_among_the_words(client: ollama.Client, model: Scripted) -> None:
    images = [A, B]
    client.chat("youtu-vl", [{"role": "user", "content": "One: [img] Two: [img] What?", "images": images}])
    assert model.heard()[1:] == ["One:", "#", "Two:", "#", "What?"]
    client.chat("youtu-vl", [{"role": "user", "content": "What? [img-1][img-0]", "images": images}])
    assert model.heard()[1:] == ["#", "#", "What?"]
    second, first = model.engine.prefixes[-1].images
    assert [first.digest, second.digest] == [image.digest for image in model.engine.prefixes[-2].images]
    client.chat("youtu-vl", [{"role": "user", "content": "What is [img]?"}])
    assert model.heard()[1:] == ["What is [img]?"]


def test_a_task_is_a_tag_of_the_model(client: ollama.Client) -> None:
    answer = client.generate("youtu-vl:detect", "car", images=[A], format="")
    assert json.loads(answer.response)["boxes"][0]["label"] == "car"


def test_a_request_without_words_loads_the_model(client: ollama.Client) -> None:
    assert client.generate("youtu-vl", "").done_reason == "load"
    assert client.chat("youtu-vl", []).done_reason == "load"


def test_limits_are_kept(client: ollama.Client) -> None:
    answer = client.generate("youtu-vl", "What?", options={"num_predict": 1, "num_ctx": 8192})
    assert (answer.response, answer.done_reason) == ("A ", "length")
    assert client.generate("youtu-vl", "What?", options={"num_predict": -1}).response == "A red cup."
    assert client.generate("youtu-vl", "What?", options={"stop": [" red"]}).response == "A"


@pytest.mark.parametrize("stream", [False, True])
def test_an_unknown_model_is_an_error_in_its_shape(client: ollama.Client, stream: bool) -> None:
    with pytest.raises(ollama.ResponseError, match="no model 'llava'") as caught:
        [*client.chat("llava", [{"role": "user", "content": "Hi"}], stream=stream)]
    assert caught.value.status_code == 404


def test_tools_are_refused(client: ollama.Client) -> None:
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
    with pytest.raises(ollama.ResponseError, match="tools is not supported") as caught:
        client.chat("youtu-vl", [{"role": "user", "content": "Hi"}], tools=[tool])
    assert caught.value.status_code == 400


def test_an_unknown_path_is_an_error_in_its_shape(url: str, client: ollama.Client) -> None:
    with pytest.raises(ollama.ResponseError) as caught:
        client.embed("youtu-vl", "words")
    assert caught.value.status_code == 404
