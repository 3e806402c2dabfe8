"""A JSON schema as a grammar in llama.cpp's notation (GBNF), which the tokens of an answer can be checked against.

llama-cpp-python has a converter too. It ignores what it does not know, such as `maximum`, and its strings may hold line
breaks and unescaped quotes, which are not JSON. This one refuses what it cannot enforce.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from youtu_gguf.arguments import as_float, as_int, short_repr
from youtu_gguf.errors import InputError

_IGNORED = {
    "$schema", "$id", "$comment", "$defs", "definitions", "title", "description", "default", "examples", "format",
    "deprecated", "readOnly", "writeOnly",
}  # fmt: skip
"""Keywords that do not limit the value; `format` is a note too, unless one agrees on more (JSON Schema, 7.2.1)."""

_OF_TYPES = {
    "object": {"properties", "required", "additionalProperties"},
    "array": {"items", "prefixItems", "minItems", "maxItems"},
    "string": {"minLength", "maxLength"},
    "integer": {"minimum", "maximum"},
    "number": {"minimum", "maximum"},
    "boolean": set[str](),
    "null": set[str](),
}
"""Keywords that are enforced, by the type of the value."""

MOST_REPEATED = 2000
"""llama.cpp's limit of repetitions (llama-grammar.cpp, MAX_REPETITION_THRESHOLD)."""

MOST_INTEGERS = 1000
"""Most integers between `minimum` and `maximum`: each is an alternative of the grammar."""

_BUILT_IN = {
    "space": '" "?',
    "string": r'"\"" char* "\""',
    "char": r'[ !#-\x5B\x5D-~\x80-\U0010FFFF] | "\\" (["\\/bfnrt] | "u" [0-9a-fA-F]{4})',
    "digits": "[0-9] | [1-9] [0-9]{1,15}",
    "integer": '"-"? digits',
    "number": '"-"? positive',
    "share": '"0" ("." [0-9]{1,16})? | "1" ("." "0"{1,16})?',
    "positive": 'digits ("." [0-9]{1,16})? ([eE] [-+]? [0-9]{1,3})?',
    "boolean": '"true" | "false"',
    "null": '"null"',
    "pair": 'string ":" space value',
    "object": '"{" space (pair ("," space pair)*)? space "}"',
    "array": '"[" space (value ("," space value)*)? space "]"',
    "value": "object | array | string | number | boolean | null",
}


@lru_cache(maxsize=16)
def gbnf_of(schema: str) -> str:
    """Return the grammar of a schema, given as JSON text.

    Raises:
        InputError: It is not a schema, or asks for something that a grammar cannot enforce; names it and its place.
    """
    try:
        return _Converter(json.loads(schema)).grammar()
    except RecursionError:
        raise InputError("json_schema must not be nested so deep. Name parts in $defs, or make it flatter.") from None


class _Converter:
    def __init__(self, root: Any) -> None:
        self._root = root
        self._rules: list[str] = []
        self._names: dict[str, str] = {}  # of rules, by the reference they stand for

    def grammar(self) -> str:
        root = self._value(self._root, "#")
        rules = [f"root ::= {root}", *self._rules, *(f"{name} ::= {body}" for name, body in _BUILT_IN.items())]
        return "\n".join(rules)

    def _add(self, body: str) -> str:
        self._rules.append("")
        return self._put(len(self._rules) - 1, body)

    def _put(self, number: int, body: str) -> str:
        self._rules[number] = f"r{number} ::= {body}"
        return f"r{number}"

    def _value(self, schema: Any, place: str) -> str:
        """Return the rule of a value that fits `schema`, which stands at `place`."""
        if schema is True:
            return "value"
        if not isinstance(schema, Mapping):
            raise _refused(place, "an object", schema)
        keys = schema.keys() - _IGNORED
        if "$ref" in schema:
            _check_keys(keys, {"$ref"}, place)
            return self._reference(schema["$ref"], place)
        if "const" in schema or "enum" in schema:
            _check_keys(keys, {"const", "enum", "type"}, place)
            values = [schema["const"]] if "const" in schema else schema["enum"]
            if not isinstance(values, list) or not values:
                raise _refused(f"{place}/enum", "a list of values", values)
            return self._add(" | ".join(map(_literal, values)))
        for name in ("anyOf", "oneOf", "allOf"):
            if name in schema:
                _check_keys(keys, {name}, place)
                parts = schema[name]
                if not isinstance(parts, list) or not parts or (name == "allOf" and len(parts) > 1):
                    raise _refused(f"{place}/{name}", "a list of schemas, of one with allOf", parts)
                return self._add(" | ".join(self._value(p, f"{place}/{name}/{i}") for i, p in enumerate(parts)))
        types = schema.get("type", [name for name, known in _OF_TYPES.items() if keys & known][:1])
        types = [types] if isinstance(types, str) else types
        if not isinstance(types, list) or not all(isinstance(name, str) and name in _OF_TYPES for name in types):
            raise _refused(f"{place}/type", f"one or several of {', '.join(_OF_TYPES)}", types)
        _check_keys(keys, {"type"}.union(*(_OF_TYPES[name] for name in types)), place)
        return self._add(" | ".join(self._typed(name, schema, place) for name in types)) if types else "value"

    def _reference(self, reference: Any, place: str) -> str:
        if not isinstance(reference, str) or not reference.startswith("#"):
            raise _refused(f"{place}/$ref", 'a place in this schema, such as "#/$defs/part"', reference)
        if reference not in self._names:
            target = self._root
            for step in reference.split("/")[1:]:
                name = step.replace("~1", "/").replace("~0", "~")
                if not isinstance(target, Mapping) or name not in target:
                    raise _refused(f"{place}/$ref", "a place in this schema", reference)
                target = target[name]
            self._rules.append("")
            number = len(self._rules) - 1
            self._names[reference] = f"r{number}"  # before its parts, which may refer to it
            self._put(number, self._value(target, reference))
        return self._names[reference]

    def _typed(self, name: str, schema: Mapping[str, Any], place: str) -> str:
        match name:
            case "object" if _OF_TYPES["object"] & schema.keys():
                return self._object(schema, place)
            case "array" if _OF_TYPES["array"] & schema.keys():
                return self._array(schema, place)
            case "string":
                return rf'"\"" char{_times(*_counts(schema, "Length", place))} "\""'
            case "integer" | "number" if _OF_TYPES[name] & schema.keys():
                return _bounded(name, schema, place)
        return name

    def _object(self, schema: Mapping[str, Any], place: str) -> str:
        """Return the rule of an object. Beside named properties it has no others, which could repeat their names."""
        properties, required = schema.get("properties", {}), schema.get("required", [])
        if not isinstance(properties, Mapping):
            raise _refused(f"{place}/properties", "an object", properties)
        if not isinstance(required, list) or not all(name in properties for name in required):
            raise _refused(f"{place}/required", "names of properties", required)
        more = schema.get("additionalProperties", True)
        if not properties and more is not False:
            pair = self._add(f'string ":" space {self._value(more, f"{place}/additionalProperties")}')
            return f'"{{" space ({pair} ("," space {pair})*)? space "}}"'
        follows = {True: '""', False: '""'}  # what may follow, by whether a property stands before it
        for name, part in reversed(list(properties.items())):
            pair = f'{_literal(name)} ":" space {self._value(part, f"{place}/properties/{name}")}'
            after, skipped = self._add(follows[True]), follows
            follows = {written: f"{comma}{pair} {after}" for written, comma in ((True, '"," space '), (False, ""))}
            if name not in required:
                follows = {
                    written: f"{with_it} | {self._add(skipped[written])}" for written, with_it in follows.items()
                }
        return f'"{{" space {self._add(follows[False])} space "}}"'

    def _array(self, schema: Mapping[str, Any], place: str) -> str:
        least, most = _counts(schema, "Items", place)
        if "prefixItems" in schema:
            parts = schema["prefixItems"]
            if not isinstance(parts, list) or not parts or schema.get("items", False) is not False:
                raise _refused(f"{place}/prefixItems", "a list of schemas, with no further items", parts)
            if least > len(parts) or (most is not None and most < len(parts)):
                raise _refused(f"{place}/minItems", f"{len(parts)} items, as prefixItems has", (least, most))
            items = ' "," space '.join(self._value(p, f"{place}/prefixItems/{i}") for i, p in enumerate(parts))
            return f'"[" space {items} space "]"'
        item = self._value(schema.get("items", True), f"{place}/items")
        if most == 0:
            return '"[" space "]"'
        further = f'("," space {item}){_times(max(0, least - 1), None if most is None else most - 1)}'
        return f'"[" space {item} {further} space "]"' if least else f'"[" space ({item} {further})? space "]"'


def _counts(schema: Mapping[str, Any], what: str, place: str) -> tuple[int, int | None]:
    least, most = schema.get(f"min{what}", 0), schema.get(f"max{what}")
    for name, value in ((f"min{what}", least), (f"max{what}", most)):
        if value is not None and not 0 <= (-1 if (n := as_int(value)) is None else n) <= MOST_REPEATED:
            raise _refused(f"{place}/{name}", f"a whole number from 0 to {MOST_REPEATED}", value)
    if most is not None and most < least:
        raise _refused(f"{place}/max{what}", f"min{what} or more", most)
    return least, most


def _times(least: int, most: int | None) -> str:
    return f"{{{least},{'' if most is None else most}}}"


def _bounded(name: str, schema: Mapping[str, Any], place: str) -> str:
    least, most = (_whole(schema.get(key)) for key in ("minimum", "maximum"))
    if name == "integer" and least is not None and most is not None and 0 <= most - least < MOST_INTEGERS:
        return " | ".join(f'"{n}"' for n in range(least, most + 1))
    if name == "number" and (least, most) == (0, 1):
        return "share"
    if least == 0 and "maximum" not in schema:
        return "digits" if name == "integer" else "positive"
    bounds = {key: schema[key] for key in ("minimum", "maximum") if key in schema}
    expected = (
        f"a minimum of 0, of numbers 0 and 1, or of integers both bounds with at most {MOST_INTEGERS} numbers "
        "between them"
    )
    raise _refused(place, expected, bounds)


def _whole(bound: Any) -> int | None:
    """Return a bound that is a whole number, however it is written, else None."""
    number = as_float(bound)
    return int(number) if number is not None and number.is_integer() else None


def _literal(value: Any) -> str:
    """Return the rule of a constant: its JSON."""
    text = json.dumps(value, ensure_ascii=False)
    if not text.isprintable():  # half a character, or one that GBNF does not take as it is
        text = json.dumps(value)
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _check_keys(keys: set[str], known: set[str], place: str) -> None:
    for key in sorted(keys - known):
        raise InputError(
            f"json_schema must consist of what a grammar can enforce there ({', '.join(sorted(known))}); got {key} at "
            f"{place}. Leave it out and check the answer yourself."
        )


def _refused(place: str, expected: str, got: object) -> InputError:
    return InputError(f"json_schema must have {expected} at {place}; got {short_repr(got)}.")
