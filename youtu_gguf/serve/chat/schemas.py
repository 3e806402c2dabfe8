"""JSON schemas of clients, without what no engine here can enforce while it generates.

Programs make schemas from their own types, with limits that they check again when the answer has come. An answer in the
right form with a number out of range is of more use to them than none, so such limits are left out, and named. What
changes the form of an answer stays, and is refused by the engine if it cannot be enforced.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from youtu_gguf.arguments import as_float

_LIMITS = frozenset({
    "pattern", "multipleOf", "exclusiveMinimum", "exclusiveMaximum", "uniqueItems", "minProperties", "maxProperties",
    "contentEncoding", "contentMediaType", "nullable",
})  # fmt: skip
"""Keywords that limit a value and are not enforced, besides `_BOUNDS` of some numbers."""

_BOUNDS = ("minimum", "maximum")

_MOST_INTEGERS = 1000
"""Integers between two bounds up to which these are enforced."""

_OF_NAMES = ("properties", "$defs", "definitions")
_OF_LISTS = ("prefixItems", "anyOf", "oneOf", "allOf")
_OF_ONE = ("items", "additionalProperties")


def enforceable(schema: Any) -> tuple[Any, frozenset[str]]:
    """Return a schema without the limits that are not enforced, and their keywords."""
    if not isinstance(schema, Mapping):
        return schema, frozenset()
    bounds = () if _has_enforced_bounds(schema) else _BOUNDS
    left_out = {key for key in schema if key in _LIMITS or key in bounds}
    kept: dict[str, Any] = {}
    for key, value in schema.items():
        if key in left_out:
            continue
        parts: Mapping[Any, Any] | None = None
        if key in _OF_NAMES and isinstance(value, Mapping):
            parts = {name: enforceable(part) for name, part in value.items()}
            kept[key] = {name: part for name, (part, _) in parts.items()}
        elif key in _OF_LISTS and isinstance(value, list):
            parts = dict(enumerate(map(enforceable, value)))
            kept[key] = [part for part, _ in parts.values()]
        elif key in _OF_ONE:
            parts = {key: enforceable(value)}
            kept[key] = parts[key][0]
        else:
            kept[key] = value
        left_out = left_out.union(*(below for _, below in (parts or {}).values()))
    return kept, frozenset(left_out)


def _has_enforced_bounds(schema: Mapping[str, Any]) -> bool:
    """Return whether the bounds of a number are 0 and none, 0 and 1, or those of a few integers."""
    least, most = (_whole(schema.get(bound)) for bound in _BOUNDS)
    if schema.get("type") == "integer" and least is not None and most is not None:
        return 0 <= most - least < _MOST_INTEGERS
    return least == 0 and ("maximum" not in schema or (schema.get("type") == "number" and most == 1))


def _whole(bound: Any) -> int | None:
    """Return a bound that is a whole number, however it is written, else None."""
    number = as_float(bound)
    return int(number) if number is not None and number.is_integer() else None
