"""What a server's list of models says, the fields that its kind gets, and the room that its context leaves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from youtu_gguf.config import Sampling
from youtu_gguf.engines.http.room import LEAST_ROOM, prompt_tokens, room_for_answer
from youtu_gguf.engines.http.served import Served, beyond_openai, find_served, read_models
from youtu_gguf.engines.prefix import Prefix
from youtu_gguf.types import PreparedImage, Turn

CARD = {"id": "base", "owned_by": "vllm", "max_model_len": 8192, "parent": None}


def test_an_adapter_has_the_context_of_its_base() -> None:
    adapter = {"id": "tuned", "owned_by": "vllm", "max_model_len": None, "parent": "base"}
    models = read_models({"data": [CARD, adapter]})
    assert models == [Served("base", "vllm", 8192), Served("tuned", "vllm", 8192)]
    assert find_served(models, "tuned").n_context == 8192


def test_a_model_that_is_not_listed_has_an_unknown_context() -> None:
    assert find_served(read_models({"data": [CARD]}), "other") == Served("other", "vllm", None)


@pytest.mark.parametrize("length", [None, 0, -1, True, "8192", 8192.0])
def test_a_context_that_is_no_length_is_unknown(length: object) -> None:
    (model,) = read_models({"data": [CARD | {"max_model_len": length}]})
    assert model.n_context is None


def test_llama_server_and_ollama_say_less() -> None:
    models = read_models({"data": [{"id": "m", "owned_by": "llamacpp"}, {"id": "n", "owned_by": "library"}, {"id": 3}]})
    assert models == [Served("m", "llamacpp"), Served("n", "library"), Served("3")]


@pytest.mark.parametrize("listed", [None, [], {}, {"data": []}, {"data": None}, {"data": [{}]}, {"data": [7]}, "no"])
def test_what_is_no_list_of_models_raises(listed: Any) -> None:
    with pytest.raises((TypeError, LookupError, AttributeError)):
        read_models(listed)


OURS = {"repeat_penalty", "repeat_last_n", "reasoning_format", "return_progress"}
THEIRS = {"repetition_penalty", "skip_special_tokens"}
CLOSE = "spaces_between_special_tokens"


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("llamacpp", OURS),
        ("vllm", THEIRS | {CLOSE}),
        ("lmdeploy", THEIRS | {CLOSE}),
        ("sglang", THEIRS | {"chat_template_kwargs"}),
        ("", OURS | THEIRS | {CLOSE}),
        ("openai", OURS | THEIRS | {CLOSE}),
    ],
)
def test_a_server_gets_the_fields_of_its_kind(kind: str, expected: set[str]) -> None:
    assert beyond_openai(kind, Sampling()).keys() == expected | {"top_k", "min_p"}


def test_sglang_finds_the_spaces_where_it_looks_for_them() -> None:
    assert beyond_openai("sglang", Sampling())["chat_template_kwargs"] == {CLOSE: False}


def test_a_prompt_has_the_tokens_of_its_images_and_at_most_one_for_each_byte() -> None:
    image = PreparedImage(np.zeros((64, 96, 3), np.uint8))
    one = prompt_tokens(Prefix(image, system="é"), "Why?")
    assert (one.least, one.most) == (6, 6 + 2 + 4 + 64)
    two = prompt_tokens(Prefix("So?", system="", turns=[Turn((image, "Why?"), "So.")]), "")
    assert (two.least, two.most) == (6, 6 + 3 + 4 + 3 + 2 * 64)


def test_the_room_is_what_the_upper_bound_leaves_or_else_the_lower() -> None:
    prompt = prompt_tokens(Prefix(PreparedImage(np.zeros((64, 96, 3), np.uint8)), system=""), "x" * 1000)
    assert room_for_answer(2000, prompt) == 2000 - 1070
    assert room_for_answer(1070 + LEAST_ROOM, prompt) == LEAST_ROOM
    assert room_for_answer(1070 + LEAST_ROOM - 1, prompt) == 1070 + LEAST_ROOM - 1 - 6
    assert room_for_answer(3, prompt) == 1
