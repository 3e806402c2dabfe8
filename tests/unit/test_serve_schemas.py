"""Schemas of clients: what limits a value and cannot be enforced is left out and named; the form stays."""

from __future__ import annotations

from typing import Any

import pytest

from youtu_gguf.serve.chat.sampling import ollama_sampling, openai_sampling
from youtu_gguf.serve.chat.schemas import enforceable
from youtu_gguf.serve.fields import Fields, Ignored

REVIEW = {
    "title": "Review",
    "type": "object",
    "properties": {
        "pattern": {"type": "string", "description": "A pattern in the scene."},
        "scene": {"type": "string", "pattern": "^[A-Z]"},
        "confidence": {"type": "number", "minimum": 0.0, "maximum": 1.0},
        "speed": {"type": "number", "minimum": 0, "maximum": 200},
        "level": {"type": "integer", "minimum": 0, "maximum": 3},
        "concerns": {"anyOf": [{"type": "array", "items": {"type": "string"}, "uniqueItems": True}, {"type": "null"}]},
        "count": {"type": "integer", "minimum": 1},
        "ref": {"$ref": "#/$defs/Odd"},
    },
    "required": ["pattern", "scene"],
    "$defs": {"Odd": {"type": "number", "exclusiveMinimum": 0}},
}


def test_limits_are_left_out_and_the_form_stays() -> None:
    kept, left_out = enforceable(REVIEW)
    assert kept == {
        "title": "Review",
        "type": "object",
        "properties": {
            "pattern": {"type": "string", "description": "A pattern in the scene."},
            "scene": {"type": "string"},
            "confidence": {"type": "number", "minimum": 0.0, "maximum": 1.0},
            "speed": {"type": "number"},
            "level": {"type": "integer", "minimum": 0, "maximum": 3},
            "concerns": {"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "null"}]},
            "count": {"type": "integer"},
            "ref": {"$ref": "#/$defs/Odd"},
        },
        "required": ["pattern", "scene"],
        "$defs": {"Odd": {"type": "number"}},
    }
    assert left_out == {"pattern", "minimum", "maximum", "uniqueItems", "exclusiveMinimum"}


@pytest.mark.parametrize(
    "schema",
    [
        {}, True, {"type": "number", "minimum": 0}, {"type": "integer", "minimum": -5, "maximum": 5},
        {"enum": [{"pattern": "x"}]}, {"const": {"maximum": 1}}, {"type": "object", "properties": {"maximum": True}},
        {"properties": 3, "items": 4, "anyOf": 5},
    ],
)  # fmt: skip
def test_what_can_be_enforced_or_is_no_keyword_is_unchanged(schema: Any) -> None:
    assert enforceable(schema) == (schema, frozenset())


def test_what_was_left_out_is_named() -> None:
    ignored = Ignored()
    schema = {"type": "string", "pattern": "x"}
    assert ollama_sampling(Fields({"format": schema}, ignored)) == {"json_schema": {"type": "string"}}
    form = {"type": "json_schema", "json_schema": {"schema": schema}}
    assert openai_sampling(Fields({"response_format": form}, ignored)) == {"json_schema": {"type": "string"}}
    assert ignored.names == ("format.pattern", "response_format.pattern")
