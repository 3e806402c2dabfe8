"""JSON schemas as grammars: what is refused. tests/integration/test_json_schema.py has what they let pass."""

from __future__ import annotations

import json
from typing import Any

import pytest

from youtu_gguf.config import Sampling
from youtu_gguf.engines.native.json_grammar import gbnf_of
from youtu_gguf.errors import InputError

NESTED: dict[str, Any] = {}
for _ in range(600):
    NESTED = {"items": NESTED}


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"type": "text"}, "one or several of object, array, .* at #/type; got \\['text'\\]"),
        ({"type": "string", "pattern": "^a$"}, "got pattern at #. Leave it out and check the answer yourself"),
        ({"type": "integer", "minimum": 5}, "a minimum of 0, .* of integers both bounds .* at #; got {'minimum': 5}"),
        ({"type": "integer", "minimum": 0, "maximum": 5000}, "both bounds with at most 1000 numbers"),
        ({"type": "integer", "minimum": 3, "maximum": 2}, "both bounds"),
        ({"type": "number", "minimum": 0, "maximum": 2}, "of numbers 0 and 1"),
        ({"type": "number", "maximum": 1}, "of numbers 0 and 1"),
        ({"type": "object", "properties": {"a": {"not": {}}}}, "got not at #/properties/a"),
        ({"type": "object", "properties": []}, "an object at #/properties; got \\[\\]"),
        ({"type": "object", "properties": {}, "required": ["a"]}, "names of properties at #/required"),
        ({"type": "array", "maxItems": -1}, "a whole number from 0 to 2000 at #/maxItems; got -1"),
        ({"type": "array", "minItems": 3, "maxItems": 2}, "minItems or more at #/maxItems; got 2"),
        ({"type": "array", "prefixItems": [{}], "minItems": 2}, "1 items, as prefixItems has"),
        ({"type": "array", "prefixItems": [{}], "items": {}}, "no further items"),
        ({"type": "string", "maxLength": 2001}, "a whole number from 0 to 2000 at #/maxLength; got 2001"),
        ({"enum": []}, "a list of values at #/enum"),
        ({"anyOf": []}, "a list of schemas, of one with allOf at #/anyOf"),
        ({"allOf": [{}, {}]}, "a list of schemas, of one with allOf at #/allOf"),
        ({"anyOf": [{}], "type": "string"}, "got type at #"),
        ({"$ref": "https://example.org/a"}, "a place in this schema, such as .* at #/\\$ref"),
        ({"$ref": "#/$defs/none"}, "a place in this schema at #/\\$ref"),
        ({"items": {"properties": {"a": 3}}}, "an object at #/items/properties/a; got 3"),
        ({"items": False}, "an object at #/items; got False"),
        (NESTED, "must not be nested so deep"),
    ],
)
def test_what_a_grammar_cannot_enforce_is_refused_with_its_place(schema: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=f"json_schema must .*{message}|json_schema {message}"):
        gbnf_of(json.dumps(schema))


@pytest.mark.parametrize("schema", ["{", "3", [1], 3, {"a": {1, 2}}, {"minimum": float("nan")}])
def test_what_is_no_schema_is_refused_as_a_setting(schema: Any) -> None:
    with pytest.raises(InputError, match="json_schema must be a JSON schema, an object; got"):
        Sampling(json_schema=schema)


def test_a_schema_is_kept_as_text_and_does_not_change_with_the_object() -> None:
    schema = {"type": "string"}
    sampling = Sampling(json_schema=schema)  # type: ignore[arg-type]
    schema["type"] = "array"
    assert sampling == Sampling(json_schema='{"type":"string"}')
    assert hash(sampling)
