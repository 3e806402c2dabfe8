"""How answers are drawn, by the names that protocols have for it, as `Options` of this package."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from youtu_gguf.serve.chat.schemas import enforceable
from youtu_gguf.serve.errors import ApiError
from youtu_gguf.serve.fields import unsupported, wrong

if TYPE_CHECKING:
    from youtu_gguf.serve.fields import Fields

_SEEDS = 1 << 32
"""Seeds here; those of other programs are signed or have 64 bits, and are taken modulo this."""

_LIKELIEST = 1e-6
"""Stands for a `top_p` of 0: only the likeliest token is left to draw."""

MOST_STOPS, LONGEST_STOP = 32, 256
"""How many strings may end an answer, and their characters: each is looked for at every token."""

LONGEST_SCHEMA = 64 << 10
"""Characters of a schema: the grammar that is made of it is checked at every token."""

ANY_OBJECT: dict[str, Any] = {"type": "object"}
"""Schema of the answers of "JSON mode"."""


def openai_sampling(fields: Fields) -> dict[str, Any]:
    """Take the options of an OpenAI request, and of llama-server and vLLM beside them.

    Raises:
        ApiError: One that is not supported, or is of another type.
    """
    options = _common(fields)
    for name in ("repeat_penalty", "repetition_penalty"):
        _add(options, "repeat_penalty", fields.take(name))
    for name in ("max_tokens", "max_completion_tokens"):
        _add(options, "max_tokens", fields.take(name))
    schema = _openai_format(fields.take("response_format"), "response_format")
    _add_schema(options, schema, "response_format", fields)
    if schema is None:
        _add_schema(options, fields.take("json_schema"), "json_schema", fields)
    return options


def responses_sampling(fields: Fields) -> dict[str, Any]:
    """Take the options of a request to `/v1/responses`.

    Raises:
        ApiError: One that is not supported, or is of another type.
    """
    options = _common(fields)
    _add(options, "max_tokens", fields.take("max_output_tokens"))
    text = fields.nested("text")
    _add_schema(options, _openai_format(text.take("format"), "text.format"), "text.format", fields)
    text.ignore_rest()
    return options


def ollama_sampling(fields: Fields) -> dict[str, Any]:
    """Take `options` and `format` of an Ollama request; options that have no effect are noted, as Ollama does.

    Raises:
        ApiError: One is of another type.
    """
    given = fields.nested("options")
    options = _common(given)
    _add(options, "repeat_penalty", given.take("repeat_penalty"))
    limit = given.take("num_predict")
    if limit not in (-1, -2):  # until the answer ends, or the context
        _add(options, "max_tokens", limit)
    given.ignore_rest()
    form = fields.take("format")
    if form in (None, ""):
        return options
    if form != "json" and not isinstance(form, dict):
        raise wrong("format", '"json" or a JSON schema', form)
    _add_schema(options, ANY_OBJECT if form == "json" else form, "format", fields)
    return options


def _common(fields: Fields) -> dict[str, Any]:
    options: dict[str, Any] = {}
    _add(options, "temperature", fields.take("temperature"))
    top_p = fields.take("top_p")
    _add(options, "top_p", _LIKELIEST if top_p == 0 and not isinstance(top_p, bool) else top_p)
    seed = fields.take("seed")
    _add(options, "seed", seed % _SEEDS if isinstance(seed, int) and not isinstance(seed, bool) else seed)
    stop = fields.take("stop")
    _add(options, "stop", _checked_stops([stop] if isinstance(stop, str) else stop))
    return options


def _checked_stops(stops: Any) -> Any:
    """Return strings that end an answer; of other types they are refused where the answer begins."""
    if isinstance(stops, list):
        longest = max((len(stop) for stop in stops if isinstance(stop, str)), default=0)
        if len(stops) > MOST_STOPS or longest > LONGEST_STOP:
            raise ApiError(
                400,
                "invalid_argument",
                f"stop may be {MOST_STOPS} texts of {LONGEST_STOP} characters; got {len(stops)}, the longest of "
                f"{longest}.",
                param="stop",
            )
    return stops


def _add(options: dict[str, Any], name: str, value: Any) -> None:
    if value is not None:
        options[name] = value


def _add_schema(options: dict[str, Any], schema: Any, param: str, fields: Fields) -> None:
    """Add a schema; name the limits in it that are not enforced."""
    if schema is not None:
        if len(json.dumps(schema)) > LONGEST_SCHEMA:
            raise wrong(param, f"a JSON schema of at most {LONGEST_SCHEMA} characters", "a longer one")
        options["json_schema"], left_out = enforceable(schema)
        fields.ignored.add(*(f"{param}.{keyword}" for keyword in sorted(left_out)))


def _openai_format(form: Any, param: str) -> dict[str, Any] | None:
    """Return the schema that OpenAI's form of an answer's format asks for; None where it asks for text."""
    if form is None:
        return None
    kind = form.get("type") if isinstance(form, dict) else None
    if kind == "text":
        return None
    if kind == "json_object":
        schema = form.get("schema")  # of llama-server
        return schema if isinstance(schema, dict) else ANY_OBJECT
    if kind == "json_schema":
        holder = form.get("json_schema", form)
        schema = holder.get("schema") if isinstance(holder, dict) else None
        if not isinstance(schema, dict):
            raise wrong(f"{param}.json_schema.schema", "a JSON schema, an object", schema)
        return schema
    if isinstance(kind, str):
        raise unsupported(f"{param}.type", "must be text, json_object or json_schema")
    raise wrong(param, "an object with a type", form)
