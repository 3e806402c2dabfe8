"""Arguments as callers pass them: each is checked by one rule, and NumPy's numbers count as Python's."""

from __future__ import annotations

import errno
import json
import math
from collections.abc import Callable
from functools import cache
from pathlib import Path, PurePath
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import numpy as np

from youtu_gguf.errors import InputError
from youtu_gguf.types import Count, Lang

_SHOWN = 80

MAX_THREADS = 512
"""llama.cpp's own limit for a thread pool (ggml.h)."""

Rule = Callable[[str, object], Any]
"""Takes an argument's name and value, and returns the value as Python's own; raises `InputError` for another value."""


def as_int(value: object) -> int | None:
    """Return `value` as an int, or None where its type is not that of whole numbers; truth values are not numbers.

    Raises:
        DecodeError: It is a `Count` without a number.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer | Count):
        return None
    return int(value)


def as_float(value: object) -> float | None:
    """Return `value` as a float, or None where it is not of a type of numbers; too large a number is infinite."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def short_repr(value: object) -> str:
    """Return `value` as an error message shows it: its `repr`, of at most 80 characters."""
    try:
        written = repr(value)
    except ValueError:  # an int of more digits than Python writes out
        return f"a value of type {type(value).__name__}, too long to write out"
    return written if len(written) <= _SHOWN else f"{written[: _SHOWN - 1]}…"


def whole(low: int, high: int | None = None) -> Rule:
    """Return the rule for whole numbers from `low` to `high`, which may be open."""

    def check(name: str, value: object) -> int:
        number = as_int(value)
        if number is None or number < low or (high is not None and number > high):
            bounds = f"of {low} or more" if high is None else f"from {low} to {high}"
            raise _refused(name, f"a whole number {bounds}", value)
        return number

    return check


def number(*, above: float | None = None, least: float = -math.inf, most: float = math.inf) -> Rule:
    """Return the rule for numbers greater than `above`, at least `least` and at most `most`; NaN is never one."""

    def check(name: str, value: object) -> float:
        given = as_float(value)
        if given is None or not least <= given <= most or (above is not None and given <= above):
            low = f"above {above}" if above is not None else f"of {least} or more"
            high = "" if most == math.inf else ", finite" if most == LARGEST else f", up to {most:,}"
            raise _refused(name, f"a number {low}{high}", value)
        return given

    return check


LARGEST = math.nextafter(math.inf, 0)
"""The largest finite number."""


def switch(name: str, value: object) -> bool:
    """Return a truth value, Python's or NumPy's."""
    if not isinstance(value, bool | np.bool_):
        raise _refused(name, "True or False", value)
    return bool(value)


def one_of(literal: Any) -> Rule:
    """Return the rule for the words of a `Literal`."""
    words = get_args(literal)

    def check(name: str, value: object) -> str:
        if not isinstance(value, str) or value not in words:
            raise _refused(name, f"one of {', '.join(words)}", value)
        return value

    return check


def apply_rules(settings: object) -> None:
    """Check the fields of a frozen dataclass that are annotated with a rule, and make their values Python's own.

    Where None is a field's default, it is a value of that field.

    Raises:
        InputError: A value does not fit; names the first, and its rule.
    """
    for name, rule in _rules(type(settings)).items():  # type: ignore[arg-type]  # classes are hashable
        value = getattr(settings, name)
        if value is not None or getattr(type(settings), name) is not None:
            object.__setattr__(settings, name, rule(name, value))


@cache
def _rules(kind: type) -> dict[str, Rule]:
    hints = get_type_hints(kind, include_extras=True)
    return {name: get_args(hint)[1] for name, hint in hints.items() if get_origin(hint) is Annotated}


def checked_path(name: str, value: Any) -> Path:
    """Return `value` as a path, "~" resolved.

    Raises:
        InputError: It cannot be one, or the system takes no such name; names the argument `name`.
    """
    try:
        if value == "" or "\0" in str(value):
            raise ValueError("it is empty" if value == "" else "no name has a NUL in it")
        path = Path(value).expanduser()
        is_there(path)
    except (TypeError, ValueError, RuntimeError) as exc:
        why = "no user has the home folder that it begins with" if isinstance(exc, RuntimeError) else exc
        shown = short_repr(str(value) if isinstance(value, PurePath) else value)
        raise InputError(f"{name} must be a path; got {shown}: {why}.") from exc
    return path


def is_server(engine: str) -> bool:
    """Return whether the name of an engine is the address of a server."""
    return engine.startswith(("http://", "https://"))


def is_there(path: Path) -> bool:
    """Return whether a file or folder exists and may be looked at.

    Raises:
        ValueError: The system takes no such name.
    """
    try:
        path.stat()
    except OSError as exc:
        if exc.errno in (errno.ENAMETOOLONG, errno.EINVAL):
            raise ValueError(exc.strerror) from exc
        return False
    return True


def checked_key(name: str, key: object) -> str:
    """Return a key that can stand in an HTTP header; the message does not show another."""
    if not isinstance(key, str) or not key or not key.isascii() or not key.isprintable() or " " in key:
        raise InputError(f"{name} must be a key without blanks, in ASCII; it is not (and is not shown here).")
    return key


def checked_device(name: str, device: object) -> str:
    """Return the name of a device to compute on; whether it exists is found out when a model is loaded."""
    if not isinstance(device, str) or not device.strip() or not device.isprintable():
        raise _refused(name, 'the name of a device, such as "CUDA0" or "cpu"', device)
    return device.strip()


def checked_flags(name: str, flags: object) -> tuple[str, ...]:
    """Return the further arguments of a command line."""
    if not isinstance(flags, list | tuple) or not all(isinstance(flag, str) and "\0" not in flag for flag in flags):
        raise _refused(name, 'a list such as ["--numa", "isolate"]', flags)
    return tuple(flags)


def checked_stops(name: str, stops: object) -> tuple[str, ...]:
    """Return the strings that end an answer."""
    if not isinstance(stops, list | tuple) or not all(isinstance(stop, str) and stop for stop in stops):
        raise _refused(name, 'a list of strings, none of them empty, such as ["\\n"]', stops)
    return tuple(stops)


def checked_schema(name: str, schema: object) -> str:
    """Return a JSON schema as text; whether an engine can enforce it is found out when it is used."""
    try:
        found = json.loads(schema) if isinstance(schema, str) else schema
        if not isinstance(found, dict):
            raise TypeError("it is not an object")
        return json.dumps(found, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as exc:
        raise InputError(f"{name} must be a JSON schema, an object; got {short_repr(schema)}: {exc}.") from None


def checked_name(model: object) -> str:
    """Return the name of a model on a server.

    Raises:
        InputError: It cannot be one.
    """
    if not isinstance(model, str) or not model.strip() or not model.isprintable():
        raise InputError(f"the name of a model on a server must be words; got {short_repr(model)}.")
    return model


def checked_lang(lang: object) -> Lang:
    """Return a language that there are wordings in.

    Raises:
        InputError: There are no wordings in it.
    """
    checked: Lang = one_of(Lang)("lang", lang)
    return checked


def checked_threads(threads: object) -> int:
    """Return a number of threads that llama.cpp can start.

    Raises:
        InputError: It cannot start as many.
    """
    checked: int = THREADS("threads", threads)
    return checked


THREADS = whole(1, MAX_THREADS)
"""The rule for numbers of threads."""


def _refused(name: str, expected: str, value: object) -> InputError:
    return InputError(f"{name} must be {expected}; got {short_repr(value)}.")
