"""Descriptions of bodies for OpenAPI."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, get_args

from youtu_gguf.serve.errors import Code

if TYPE_CHECKING:
    from pydantic import BaseModel

_DEFINITIONS = "$defs"

_ERROR = {
    "type": "object",
    "required": ["error", "request_id"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "code": {"type": "string", "enum": list(get_args(Code))},
            },
        },
        "request_id": {"type": "string"},
    },
}

ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"description": description, "content": {"application/json": {"schema": _ERROR}}}
    for status, description in (
        ("4XX", "The request cannot be answered; the message says what to change."),
        ("5XX", "The server cannot answer, or not now."),
    )
}
"""The errors of our own routes, for their descriptions."""


def json_body(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a route adds to its description where its body is JSON of this schema."""
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


@cache
def inlined_schema(model: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON schema of a model with what it refers to put in place, so that it stands anywhere."""
    schema = model.model_json_schema()
    definitions = schema.pop(_DEFINITIONS, {})
    inlined: dict[str, Any] = _inlined(schema, definitions)
    return inlined


def _inlined(node: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(node, list):
        return [_inlined(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    rest = {
        key: _inlined(value, definitions)
        for key, value in node.items()
        if key not in ("$ref", "discriminator")  # which names definitions; "oneOf" says the same
    }
    if "$ref" not in node:
        return rest
    return {**_inlined(definitions[node["$ref"].rpartition("/")[2]], definitions), **rest}
