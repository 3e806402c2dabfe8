"""Answers that are held to a JSON schema: what llama.cpp's grammar lets pass, and answers of nano."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import youtu_gguf as yg
from youtu_gguf.engines.native.engine import NativeEngine
from youtu_gguf.engines.native.json_grammar import gbnf_of
from youtu_gguf.engines.native.llama.chain import Grammar
from youtu_gguf.engines.native.llama.handles import LlamaModel
from youtu_gguf.errors import InputError

RGB = np.full((64, 64, 3), 200, np.uint8)


@pytest.fixture(scope="module")
def nano() -> Iterator[yg.Model]:
    with yg.load("nano", threads=1, max_tokens=300) as model:
        yield model


def lets_pass(model: LlamaModel, schema: dict[str, Any], text: str) -> bool:
    """Return whether the tokens of `text`, and the end after them, may come one after the other."""
    grammar = Grammar(model, gbnf_of(json.dumps(schema)))
    end = next(token for token in range(model.n_vocab) if model.ends(token))
    try:
        for token in [*model.tokenize(text, special=False), end]:
            if grammar.refused([token])[0]:
                return False
            grammar.accept(token)
    finally:
        grammar.close()
    return True


POINT: dict[str, Any] = {"type": "object", "properties": {"x": {}, "y": {}, "z": {}}, "required": ["y"]}
TREE: dict[str, Any] = {
    "$ref": "#/$defs/a~1b",
    "$defs": {"a/b": {"type": "object", "properties": {"t": {"type": "array", "items": {"$ref": "#/$defs/a~1b"}}}}},
}


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({}, ['{"a": [1, null, {"b":true}]}', "-1.5e-3", '"中"'], ["", "01", '{"a":}', "[1,]", "{a:1}"]),
        ({"type": "string"}, ['""', '"a\\n\\u00e9"', '"<x_1>"'], ['"a\n"', '"a"b"', "a", '"\\x"', '"\t"']),
        ({"type": "string", "minLength": 1, "maxLength": 2}, ['"a"', '"é中"'], ['""', '"abc"']),
        ({"type": "integer"}, ["0", "-12"], ["1.0", "007", "1e3", "-"]),
        ({"type": "integer", "minimum": 0}, ["0", "12"], ["-1"]),
        ({"type": "integer", "minimum": -1, "maximum": 10}, ["-1", "0", "10"], ["-2", "11", "100"]),
        ({"type": "number", "minimum": 0}, ["0.5", "1e9"], ["-0.5"]),
        ({"type": "number", "minimum": 0.0, "maximum": 1.0}, ["0", "0.93", "1", "1.0"], ["-0.5", "1.5", "2", "0.5e3"]),
        ({"type": ["boolean", "null"]}, ["true", "null"], ["1", "True"]),
        ({"enum": ['a"b\\c\n', 1, None, {"中": []}]}, ['"a\\"b\\\\c\\n"', "1", "null", '{"中": []}'], ['"a"', "2"]),
        ({"const": "x"}, ['"x"'], ['"y"']),
        ({"type": "array", "items": {"const": 1}}, ["[]", "[1]", "[1, 1,1]"], ["[2]", "[1 1]"]),
        ({"items": {"const": 1}, "minItems": 2, "maxItems": 3}, ["[1,1]", "[1,1,1]"], ["[1]", "[1,1,1,1]"]),
        ({"items": {"const": 1}, "minItems": 1, "maxItems": 1}, ["[1]"], ["[]", "[1,1]"]),
        ({"type": "array", "maxItems": 0}, ["[]"], ["[1]"]),
        ({"prefixItems": [{"const": 1}, {"type": "string"}]}, ['[1, "a"]'], ["[1]", '["a", 1]']),
        (
            POINT,
            ['{"y":1}', '{"x":1,"y":2}', '{"y":1,"z":2}', '{"x":1,"y":2,"z":3}'],
            ["{}", '{"x":1}', '{"y":1,"x":2}'],
        ),
        (POINT, [], ['{"y":1,}', '{"y":1,"other":2}', '{,"y":1}']),
        (POINT | {"required": []}, ["{}", '{"z":1}', '{"x":1,"z":1}'], ['{"a":1}', '{"x":1 "z":1}']),
        (POINT | {"additionalProperties": {"const": 0}}, ['{"y":1}'], ['{"y":1,"y":0}', '{"y":1,"a":1}']),
        ({"enum": ["\ud800", "\x00\u2028"]}, ['"\\ud800"', '"\\u0000\\u2028"'], ['"\x00"']),
        ({"additionalProperties": {"type": "null"}}, ["{}", '{"a":null,"b":null}'], ['{"a":1}']),
        ({"type": "object"}, ["{}", '{"a":[1]}'], ["[]"]),
        ({"type": "object", "additionalProperties": False}, ["{}"], ['{"a":1}']),
        ({"anyOf": [{"const": 1}, {"type": "string"}]}, ["1", '"b"'], ["2"]),
        ({"allOf": [{"const": 1}], "title": "One"}, ["1"], ["2"]),
        (TREE, ["{}", '{"t":[{"t":[]},{}]}'], ['{"t":[1]}', '{"t":{}}']),
    ],
)
def test_a_grammar_lets_exactly_what_fits_the_schema_pass(
    nano: yg.Model, schema: dict[str, Any], good: list[str], bad: list[str]
) -> None:
    assert isinstance(nano.engine, NativeEngine)
    model = nano.engine.model
    assert [text for text in good if not lets_pass(model, schema, text)] == []
    assert [text for text in bad if lets_pass(model, schema, text)] == []


def test_a_schema_that_leads_nowhere_is_refused_before_the_image_is_read(nano: yg.Model) -> None:
    with nano.open(RGB + np.uint8(1)) as scene:
        for schema in ({"$ref": "#"}, {"type": "string", "format": "date", "pattern": "x"}):
            with pytest.raises(InputError, match="json_schema must"):
                scene.ask("Why?", json_schema=schema)
            with pytest.raises(InputError, match="json_schema must"):
                scene.many([yg.Question("ask", ("Why?",), {"json_schema": schema})])
        assert scene.session().cost.encode_s == 0


CARS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "colour": {"enum": ["red", "blue", 'a "quoted" one\n']},
        "number": {"type": "integer", "minimum": 0, "maximum": 12},
        "tags": {"type": "array", "items": {"type": "string", "maxLength": 6}, "maxItems": 3},
        "moving": {"type": ["boolean", "null"]},
    },
    "required": ["colour", "number", "tags"],
}


@pytest.mark.parametrize(
    "drawing", [{}, {"temperature": 0.0, "repeat_penalty": 1.0}, {"temperature": 1.5, "top_p": 1.0, "seed": 3}]
)
def test_every_answer_is_json_that_fits(nano: yg.Model, drawing: dict[str, Any]) -> None:
    questions = ("How many cars are there?", "Where?", "one two three")
    asked = [
        yg.Question("ask", (question,), {"json_schema": CARS, "scores": True, **drawing}) for question in questions
    ]
    with nano.open(RGB) as scene:
        for answer in scene.many(asked):
            assert answer.finish == "stop"
            found = json.loads(answer.raw)
            assert list(found) == [name for name in CARS["properties"] if name in found]
            assert {"colour", "number", "tags"} <= found.keys()
            assert found["colour"] in CARS["properties"]["colour"]["enum"]
            assert found["number"] in range(13)
            assert len(found["tags"]) <= 3
            assert all(isinstance(tag, str) and len(tag) <= 6 for tag in found["tags"])
            assert found.get("moving") in (True, False, None)


def test_an_answer_without_a_schema_is_unchanged_after_one_with_it(nano: yg.Model) -> None:
    with nano.open(RGB) as scene:
        before = scene.ask("What is it?").raw
        scene.ask("What is it?", json_schema=CARS)
        assert scene.ask("What is it?").raw == before
