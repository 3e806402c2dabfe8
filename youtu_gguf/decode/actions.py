"""The action of an answer that operates a screen, as written: pixels of the prepared image.

The answer holds a call of the tool that the question declared, as JSON between tags (facts: answers by task, click).
JSON comes from the model, so its length, depth and numbers are checked against bounds before use.
"""

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, NamedTuple

from youtu_gguf.decode.grammar import by_place
from youtu_gguf.decode.points import outside
from youtu_gguf.types import Issue, Size, Spans

TOOL = "computer_use"
CLICK = "left_click"

MAX_CALL = 20_000
"""Characters of a call that is read; the longest answers type a page of text."""

MAX_NESTING = 16
"""Deepest nesting of a call's JSON. Published calls are two deep; Python's reader fails at about a thousand."""

MAX_OBJECTS = 1000
"""Most objects read in one stretch; a normal answer holds one."""

MAX_PX = 999_999
"""Largest coordinate that is accepted: six digits are exact in float32, as for `tags`."""

_MOST_SPANNING = 8
"""Most cut-off calls that are read beyond the next tag: the tag may be part of a string, such as typed text."""

_CUT_OFF, _NO_CALL = "the tool call is cut off", "the JSON is no tool call"
_MAX_DIGITS = 18
_MAX_NAME = 64

_TAG = "<tool_call>"
_OPEN = re.compile(_TAG)
_CLOSED = re.compile(r"\s*(?:</tool_call>|\{)")  # another call is reported as one too many
_OF_A_CALL = re.compile(r"""["'](?:name|arguments|action|coordinate)["']""")
_NUMBER = r"-?[0-9]{1,9}(?:\.[0-9]{1,9})?"
_WRITTEN_NUMBER = re.compile(_NUMBER)
_ACTION = re.compile(r"""["']action["']\s{0,9}:\s{0,9}(?:"([^"\\\n]{1,64})"|'([^'\\\n]{1,64})')""")
_COORDINATE = re.compile(
    rf"""["']coordinate["']\s{{0,9}}:\s{{0,9}}\[\s{{0,9}}["']?({_NUMBER})["']?\s{{0,9}},\s{{0,9}}["']?({_NUMBER})["']?"""
    r"\s{0,9},?\s{0,9}\]"
)
_SINGLE_POINT = re.compile(r"(?<![0-9]>)<x_([0-9]{1,6})><y_([0-9]{1,6})>(?!<[xyv]_)")  # a box has two, an outline more

XY = tuple[float, float]


@dataclass(frozen=True)
class FoundAction:
    """The action's `name`, "" where none can be read; its point `xy` in the prepared image, or None.

    `arguments` are the others, as written; flaws are `issues`. `spans` tell where the two numbers of the point are
    written; numbers in another form of JSON than digits, such as 1e2, have no place. Actions are
    equal wherever they are written.
    """

    name: str
    xy: XY | None = None
    arguments: dict[str, Any] = field(default_factory=dict)
    issues: tuple[Issue, ...] = ()
    spans: Spans = field(default=(), compare=False)


class _Call(NamedTuple):
    """What stands from one brace to its counterpart: the object it is, or the flaw that keeps it from being read."""

    start: int
    end: int
    value: dict[str, Any] | None = None
    flaw: str = ""


def parse_action(text: str, *, size: Size | None = None) -> FoundAction:
    """Find the first whole tool call of an answer.

    Every coordinate returned is written in the text. Kept, with an issue: a call without its tags, of another tool,
    without a point where it clicks, a point outside `size`. A call that is invalid JSON or is cut off
    gives the action and the point that stand in it whole, with an issue; its other arguments are dropped.
    Of several calls the first whole one is taken, with an issue. Where there is no JSON at all, the first single point
    written in tags is a left click, with an issue. Linear in the length of `text`; never raises.

    Args:
        text: The answer.
        size: The prepared image; None leaves the range unchecked.
    """
    issues: list[Issue] = []
    calls = list(_calls(text, issues))
    issues += [Issue(call.flaw, call.start, call.end) for call in calls if call.flaw]
    if len(calls) > 1:
        message = f"expected one tool call; the answer holds {len(calls)}, the first whole one is taken"
        issues.append(Issue(message, calls[1].start, calls[-1].end))
    chosen = next((call for call in calls if call.value is not None), None)
    if chosen is not None:
        _check_tags(text, chosen, issues)
    else:
        chosen = _salvaged(text, calls)
    found = FoundAction("")
    if chosen is not None:
        found = _read(text, chosen, issues)
    elif not calls:
        found = _pointed(text, issues)
    if found.xy is not None and size is not None and (min(found.xy) < 0 or outside(*found.xy, size)):
        issues.append(Issue(f"the point lies outside the {size.width}x{size.height} image", 0, len(text)))
    if not found.name:
        issues.append(Issue("the answer holds no action that can be read", 0, len(text)))
    return replace(found, issues=by_place(issues))


def _calls(text: str, issues: list[Issue]) -> Iterator[_Call]:
    """Yield the calls of an answer: objects after a tag, or where there is no tag, objects that look like calls."""
    starts = [match.start() for match in _OPEN.finditer(text)]
    if not starts:
        yield from (call for call in _objects(text, 0, len(text)) if _is_like_a_call(text, call))
    done, tries = 0, _MOST_SPANNING
    for start, end in pairwise([*starts, len(text)]):
        found = list(_objects(text, max(start, done), end))
        if found and found[-1].flaw == _CUT_OFF and end < len(text) and tries:
            tries -= 1
            found[-1] = _spanning(text, found[-1])
            done = found[-1].end
        yield from found
        if not found and start >= done:
            issues.append(Issue("the tool call holds no JSON", start, end))


def _spanning(text: str, cut: _Call) -> _Call:
    """Return the whole call that begins where `cut` does and spells tags in its strings; else `cut`."""
    stop, flaw = _object_end(text, cut.start, len(text))
    whole = cut if flaw else _object(text, cut.start, stop)
    return cut if whole.value is None else whole


def _objects(text: str, start: int, end: int) -> Iterator[_Call]:
    """Yield the objects of a stretch, one after the other; the rest of one that does not end is skipped."""
    for _ in range(MAX_OBJECTS):
        start = text.find("{", start, end)
        if start < 0:
            return
        stop, flaw = _object_end(text, start, end)
        if flaw:
            yield _Call(start, stop, flaw=flaw)
            return
        yield _object(text, start, stop)
        start = stop
    if text.find("{", start, end) >= 0:
        yield _Call(start, end, flaw=f"more than {MAX_OBJECTS:,} objects; the rest is ignored")


def _object(text: str, start: int, stop: int) -> _Call:
    if not _OF_A_CALL.search(text, start, stop):
        return _Call(start, stop, flaw=_NO_CALL)
    try:
        value = _decoded(text[start:stop])
    except (ValueError, RecursionError) as exc:
        reason = "malformed" if isinstance(exc, json.JSONDecodeError) else str(exc)
        return _Call(start, stop, flaw=f"the JSON of the tool call is unusable: {reason}")
    if value.keys().isdisjoint(("name", "arguments", "action", "coordinate")):
        return _Call(start, stop, flaw=_NO_CALL)
    return _Call(start, stop, value)


def _object_end(text: str, start: int, end: int) -> tuple[int, str]:
    """Return where the object that begins at `start` ends, and "", or a flaw where it must not be read."""
    depth, quoted, escaped = 0, False, False
    for i in range(start, min(end, start + MAX_CALL)):
        char = text[i]
        if quoted:
            quoted = escaped or char != '"'
            escaped = char == "\\" and not escaped
        elif char == '"':
            quoted = True
        elif char in "{[":
            depth += 1
            if depth > MAX_NESTING:
                return end, f"the JSON of the tool call is nested more than {MAX_NESTING} deep"
        elif char in "}]":
            depth -= 1
            if not depth:
                return i + 1, ""
    if end - start > MAX_CALL:
        return end, f"the tool call is longer than {MAX_CALL:,} characters"
    return end, _CUT_OFF


def _decoded(written: str) -> dict[str, Any]:
    """Read an object.

    Raises:
        ValueError: It is invalid JSON, or holds NaN or a number that is too long, a key twice, or half a character.
        RecursionError: It is nested too deep.
    """
    value: dict[str, Any] = _READER.decode(written)
    if "\\u" in written or not written.isascii():
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError as exc:
            raise ValueError("it holds half a character") from exc
    return value


def _refused(written: str) -> None:
    raise ValueError(f"{written} is no number")


def _whole(written: str) -> int:
    if len(written) > _MAX_DIGITS:
        raise ValueError(f"a number of more than {_MAX_DIGITS} digits")
    return int(written)


def _finite(written: str) -> float:
    value = float(written)
    if not math.isfinite(value):
        raise ValueError("a number too large")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise ValueError("a key stands there twice")
    return value


_READER = json.JSONDecoder(parse_constant=_refused, parse_int=_whole, parse_float=_finite, object_pairs_hook=_unique)


def _is_like_a_call(text: str, call: _Call) -> bool:
    return call.value is not None or _OF_A_CALL.search(text, call.start, call.end) is not None


def _salvaged(text: str, calls: list[_Call]) -> _Call | None:
    """Return the first of the broken `calls` in which an action or a point stands whole, with nothing but these."""
    for call in calls:
        action, point = (pattern.search(text, call.start, call.end) for pattern in (_ACTION, _COORDINATE))
        if action or point:
            arguments = ({"action": action[1] or action[2]} if action else {}) | (
                {"coordinate": [point[1], point[2]]} if point else {}
            )
            return _Call(call.start, call.end, {"name": TOOL, "arguments": arguments})
    return None


def _check_tags(text: str, call: _Call, issues: list[Issue]) -> None:
    tag = text.rfind(_TAG, 0, call.start)
    if tag < 0:
        issues.append(Issue("the tool call stands without its tags", call.start, call.end))
        return
    if text[tag + len(_TAG) : call.start].strip():
        issues.append(Issue("other text stands between <tool_call> and the call", tag + len(_TAG), call.start))
    if not _CLOSED.match(text, call.end):
        issues.append(Issue("<tool_call> is not closed", call.start, call.end))


def _read(text: str, call: _Call, issues: list[Issue]) -> FoundAction:
    """Read the action of a call that is an object of `text`."""

    def report(message: str) -> None:
        issues.append(Issue(message, call.start, call.end))

    value = call.value or {}
    tool, arguments = value.get("name"), value.get("arguments")
    if not isinstance(arguments, dict):
        report("the tool call has no arguments; those beside its name are taken")
        arguments = {key: item for key, item in value.items() if key not in ("name", "arguments")}
    if tool != TOOL:
        report(f"expected a call of {TOOL}; got {repr(tool)[:_MAX_NAME]}")
    name = _name(arguments.get("action", tool if tool != TOOL else None))
    xy = None
    if "coordinate" in arguments:
        xy = _point(arguments["coordinate"])
        if xy is None:
            report(f"the coordinate must be two numbers from {-MAX_PX:,} to {MAX_PX:,}; it is left out")
    elif "click" in name:
        report("the click has no coordinate")
    others = {key: item for key, item in arguments.items() if key not in ("action", "coordinate")}
    return FoundAction(name, xy, others, spans=() if xy is None else _written(text, call, xy))


def _written(text: str, call: _Call, xy: XY) -> Spans:
    """Return where the numbers of a call's point are written: the first coordinate that reads as they do."""
    for match in _COORDINATE.finditer(text, call.start, call.end):
        if (float(match[1]), float(match[2])) == xy:
            return match.span(1), match.span(2)
    return ()


def _name(value: object) -> str:
    """Return the name of an action, or "" where `value` is not one."""
    usable = isinstance(value, str) and value.isprintable() and len(value) <= _MAX_NAME
    return str(value).strip() if usable else ""


def _point(value: object) -> XY | None:
    if not isinstance(value, list) or len(value) != len(("x", "y")):
        return None
    x, y = map(_coordinate, value)
    return None if x is None or y is None else (x, y)


def _coordinate(value: object) -> float | None:
    if isinstance(value, str) and _WRITTEN_NUMBER.fullmatch(value.strip()):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > MAX_PX:
        return None
    return float(value)


def _pointed(text: str, issues: list[Issue]) -> FoundAction:
    """Return a left click at the first point that is written in tags, or nothing where no point is."""
    match = _SINGLE_POINT.search(text)
    if match is None:
        return FoundAction("")
    issues.append(Issue("the answer holds no tool call; its first point is taken for a click", *match.span()))
    x, y = ((match.start(axis) - len("<x_"), match.end(axis) + 1) for axis in (1, 2))
    return FoundAction(CLICK, (float(match[1]), float(match[2])), spans=(x, y))
