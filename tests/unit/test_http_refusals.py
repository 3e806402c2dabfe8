"""What servers say when they refuse: the forms of vLLM, SGLang, LMDeploy, Ollama, llama-server and OpenAI."""

from __future__ import annotations

from typing import Any

import pytest

from youtu_gguf.engines.http.refusals import (
    SHOWN,
    Overflow,
    Refusal,
    lacks_model,
    most_images,
    read_overflow,
    read_refusal,
)

FORMS: list[tuple[object, Refusal | None]] = [
    # OpenAI, vLLM 0.10 and later
    (
        {"error": {"message": "no", "type": "BadRequestError", "param": None, "code": 400}},
        Refusal("no", "BadRequestError", 400),
    ),
    # SGLang, LMDeploy, vLLM 0.9
    (
        {"object": "error", "message": "no", "type": "BadRequestError", "param": None, "code": 400},
        Refusal("no", "BadRequestError", 400),
    ),
    # SGLang among the events of an answer
    ({"error": {"object": "error", "message": "no", "type": "Abort", "code": 500}}, Refusal("no", "Abort", 500)),
    # Ollama; OpenAI, whose codes are words
    ({"error": {"message": "no", "type": "api_error", "param": None, "code": None}}, Refusal("no", "api_error")),
    ({"error": {"message": "no", "type": None, "code": "model_not_found"}}, Refusal("no")),
    # vLLM's middleware; FastAPI
    ({"error": "Unauthorized"}, Refusal("Unauthorized")),
    ({"detail": "Not Found"}, Refusal("Not Found")),
    ({"detail": [{"loc": ["body", "x"], "msg": "bad"}]}, Refusal("[{'loc': ['body', 'x'], 'msg': 'bad'}]")),
    ({"error": {"code": True}}, Refusal("nothing")),
    ({"error": {"message": "a\n b" + "c" * 500}}, Refusal(("a b" + "c" * 500)[:SHOWN])),
    ({"choices": [], "error": None}, None),
    ({"object": "chat.completion.chunk", "message": "no error"}, None),
    ({}, None),
    ([], None),
    ("error", None),
    (None, None),
]


@pytest.mark.parametrize(("data", "expected"), FORMS)
def test_every_form_of_an_error_is_read(data: Any, expected: Refusal | None) -> None:
    assert read_refusal(data) == expected


OVERFLOWS: dict[str, tuple[int, int | None]] = {
    # vLLM 0.33, in renderers/params.py, v1/engine/input_processor.py and entrypoints/serve/utils/api_utils.py
    "max_tokens=12280 cannot be greater than max_model_len=8192. Please request fewer output tokens. "
    "(parameter=max_tokens, value=12280)": (8192, None),
    "This model's maximum context length is 8192 tokens. However, your prompt contains 9000 input tokens, "
    "which exceeds this limit even without any output tokens. Please reduce the length of the input prompt.": (
        8192,
        9000,
    ),
    "This model's maximum context length is 8192 tokens. However, your prompt contains at least 8193 input "
    "tokens, which exceeds this limit even without any output tokens.": (8192, None),
    "This model's maximum context length is 8192 tokens. However, your prompt contains 90000 characters (more"
    " than 65536 characters, which is the upper bound for 8192 input tokens).": (8192, None),
    "The decoder prompt (length 9000) is longer than the maximum model length of 8192. Make sure that "
    "`max_model_len` is no smaller than the number of text tokens plus multimodal tokens.": (8192, 9000),
    "Input length (9000) exceeds model's maximum context length (8192).": (8192, 9000),
    # vLLM before: in entrypoints/openai/serving_engine.py and v1/engine/processor.py, and what came between
    "'max_tokens' or 'max_completion_tokens' is too large: 4096. This model's maximum context length is 65536"
    " tokens and your request has 63366 input tokens (4096 > 65536 - 63366).": (65536, 63366),
    "This model's maximum context length is 2048 tokens. However, you requested 12400 tokens (120 in the "
    "messages, 12280 in the completion). Please reduce the length of the messages or completion.": (2048, 120),
    "This model's maximum context length is 16384 tokens. However, you requested 8192 output tokens and your "
    "prompt contains at least 8193 input tokens, for a total of at least 16385 tokens.": (16384, None),
    "The prompt (total length 9000) is too long to fit into the model (context length 8192).": (8192, 9000),
    # SGLang, in its tokenizer manager
    "The input (9000 tokens) is longer than the model's context length (8192 tokens).": (8192, 9000),
    "Requested token count exceeds the model's maximum context length of 8192 tokens. You requested a total "
    "of 12900 tokens: 620 tokens from the input messages and 12280 tokens for the completion.": (8192, 620),
    # LMDeploy, in its asynchronous engine
    "Input length (9000) must be smaller than the model context length (8192).": (8192, 9000),
    # llama-server, in server-context.cpp
    "request (9000 tokens) exceeds the available context size (8192 tokens), try increasing it": (8192, 9000),
    # OpenAI
    "This model's maximum context length is 4097 tokens. However, your messages resulted in 5000 tokens.": (4097, 5000),
}


@pytest.mark.parametrize("words", OVERFLOWS)
def test_numbers_are_read_of_every_message_about_the_context(words: str) -> None:
    assert read_overflow(words) == Overflow(*OVERFLOWS[words])
    assert read_overflow(words[:SHOWN]) == Overflow(*OVERFLOWS[words])


@pytest.mark.parametrize(
    "words",
    [
        "",
        "temperature must be in [0, 2], got 3.0.",
        "the context length is what you make of it",
        "max_model_len=" + "9" * 5000,
        "The model `x` does not exist.",
        "At most 8 image(s) may be provided in one prompt.",
        "Context size has been exceeded.",
    ],
)
def test_other_messages_say_nothing_of_the_context(words: str) -> None:
    assert read_overflow(words) is None


@pytest.mark.parametrize(
    ("words", "lacks"),
    [
        ("The model `youtu` does not exist. Valid aliases: a, b.", True),  # vLLM 0.33
        ("The model `youtu` does not exist.", True),  # vLLM 0.9
        ("The model 'youtu' does not exist.", True),  # LMDeploy
        ("model 'youtu' not found", True),  # Ollama
        ("The model `youtu` does not exist or you do not have access to it.", True),  # OpenAI
        ("Not Found", False),
        ("The model does not support Chat Completions API", False),
        ("File Not Found", False),
    ],
)
def test_a_missing_model_is_recognised(words: str, lacks: bool) -> None:
    assert lacks_model(words) is lacks


def test_the_number_of_images_is_read() -> None:
    assert most_images("At most 0 image(s) may be provided in one prompt. (parameter=image)") == 0
    assert most_images("At most 2 image(s) may be provided in one prompt. Set `--limit-mm-per-prompt`") == 2
    assert most_images("At most 1 video(s) may be provided in one prompt.") is None
