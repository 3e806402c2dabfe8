"""How the description of the API (OpenAPI) shows the bodies of chats and of their answers."""

from __future__ import annotations

from typing import Any

from youtu_gguf.serve.chat.wishes import FIELD, WISHES
from youtu_gguf.serve.inputs import JSON
from youtu_gguf.serve.model_facts import MODEL_ID
from youtu_gguf.serve.streams import EVENT_STREAM, NDJSON

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_FLAG: Schema = {"type": "boolean", "default": False}
_OBJECT: Schema = {"type": "object"}
_BINARY: Schema = {"type": "string", "format": "binary"}
_MODEL: Schema = {"type": "string", "default": MODEL_ID}
_IMAGE: Schema = {"type": "string", "description": "Data URI, base64, or the id of an image."}

_SAMPLING: dict[str, Schema] = {
    "temperature": {"type": "number", "minimum": 0},
    "top_p": {"type": "number", "minimum": 0, "maximum": 1},
    "seed": {"type": "integer"},
    "stop": {"anyOf": [_TEXT, {"type": "array", "items": {"type": "string", "minLength": 1}, "maxItems": 32}]},
}


def _of(properties: dict[str, Schema], *required: str) -> Schema:
    return {"type": "object", "properties": properties, "required": list(required)}


def _array(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _typed(kind: str, name: str, value: Schema) -> Schema:
    """Return the schema of a part of a message."""
    return _of({"type": {"const": kind}, name: value}, "type", name)


def _message(roles: list[str], *parts: Schema) -> Schema:
    content = {"anyOf": [_TEXT, _array({"anyOf": list(parts)})]}
    return _of({"role": {"type": "string", "enum": roles}, "content": content}, "role", "content")


def _body(schema: Schema, kind: str = JSON) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {kind: {"schema": schema}}}}


def _answers(stream: str, required: list[str]) -> dict[int | str, dict[str, Any]]:
    content = {JSON: {"schema": {"type": "object", "required": required}}, stream: {"schema": _TEXT}}
    return {200: {"description": "The answer, whole or, with `stream`, in parts.", "content": content}}


_ROLES = ["system", "developer", "user", "assistant"]
_IMAGE_URL: Schema = {"anyOf": [_of({"url": _IMAGE, "detail": _TEXT}, "url"), _IMAGE]}

CHAT = _body(
    _of(
        {
            "model": _MODEL,
            "messages": _array(
                _message(_ROLES, _typed("text", "text", _TEXT), _typed("image_url", "image_url", _IMAGE_URL))
            ),
            "stream": _FLAG,
            "stream_options": _of({"include_usage": _FLAG}),
            "max_completion_tokens": {"type": "integer", "minimum": 1},
            "max_tokens": {"type": "integer", "minimum": 1},
            **_SAMPLING,
            "response_format": _of(
                {"type": {"enum": ["text", "json_object", "json_schema"]}, "json_schema": _of({"schema": _OBJECT})},
                "type",
            ),
            FIELD: WISHES,
        },
        "messages",
    )
)
CHAT_ANSWERS = _answers(EVENT_STREAM, ["id", "object", "created", "model", "choices", "usage"])

RESPONSES = _body(
    _of(
        {
            "model": _MODEL,
            "input": {
                "anyOf": [
                    _TEXT,
                    _array(
                        _message(
                            _ROLES,
                            _typed("input_text", "text", _TEXT),
                            _typed("input_image", "image_url", _IMAGE),
                            _typed("input_image", "file_id", _TEXT),
                            _typed("output_text", "text", _TEXT),
                        )
                    ),
                ]
            },
            "instructions": _TEXT,
            "stream": _FLAG,
            "max_output_tokens": {"type": "integer", "minimum": 1},
            "temperature": _SAMPLING["temperature"],
            "top_p": _SAMPLING["top_p"],
            "text": _of({"format": _OBJECT}),
            FIELD: WISHES,
        },
        "input",
    )
)
RESPONSES_ANSWERS = _answers(EVENT_STREAM, ["id", "object", "created_at", "status", "model", "output", "usage"])

FILE = _body(_of({"file": _BINARY, "purpose": _TEXT}, "file"), "multipart/form-data")

_OLLAMA: dict[str, Schema] = {
    "model": _MODEL,
    "stream": {"type": "boolean", "default": True},
    "options": _of({**_SAMPLING, "num_predict": {"type": "integer", "minimum": -2}}),
    "format": {"anyOf": [{"type": "string", "enum": ["json"]}, _OBJECT]},
    FIELD: WISHES,
}
_IMAGES = _array(_IMAGE)

OLLAMA_SHOW = _body(_of({"model": _MODEL}, "model"))
OLLAMA_CHAT = _body(
    _of(
        {
            **_OLLAMA,
            "messages": _array(
                _of(
                    {
                        "role": {"type": "string", "enum": ["system", "user", "assistant"]},
                        "content": _TEXT,
                        "images": _IMAGES,
                    },
                    "role",
                    "content",
                )
            ),
        },
        "model",
        "messages",
    )
)
OLLAMA_GENERATE = _body(_of({**_OLLAMA, "prompt": _TEXT, "system": _TEXT, "images": _IMAGES}, "model", "prompt"))
OLLAMA_ANSWERS = _answers(NDJSON, ["model", "created_at", "done"])
OLLAMA_ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"description": description, "content": {JSON: {"schema": _of({"error": _TEXT}, "error")}}}
    for status, description in (
        ("4XX", "The request cannot be answered; the message says what to change."),
        ("5XX", "The server cannot answer, or not now."),
    )
}
