"""Checks that a parser returns what an answer says; the checks do not use the parser's own code.

`JUDGES` has two checks per kind of answer: `misread` for a whole answer whose value is known, and `invented` for any
text. Each returns what is wrong, or "".
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from scripts.soak._mutating import SIZE, Written
from tests.reference.rle import decode_runs
from youtu_gguf.decode.actions import CLICK, MAX_NESTING, TOOL, parse_action
from youtu_gguf.decode.boxes import parse_boxes
from youtu_gguf.decode.classes import parse_classes
from youtu_gguf.decode.counts import parse_count
from youtu_gguf.decode.grammar import MAX_NAME
from youtu_gguf.decode.polygons import parse_polygons
from youtu_gguf.decode.poses import parse_poses
from youtu_gguf.errors import DecodeError
from youtu_gguf.facts import N_JOINTS
from youtu_gguf.types import Issue, Spans

LABEL = "what was asked for"

_X, _Y = r"<x_[0-9]{1,6}>", r"<y_[0-9]{1,6}>"
_V = r"<v_[0-9]{1,3}(?:\.[0-9]{1,6})?>"
_BOX = re.compile(rf"<box>{_X}{_Y}{_X}{_Y}</box>")
_POLY = re.compile(rf"<poly>(?:{_X}{_Y}){{3,}}</poly>")
_PERSON = re.compile(rf"<person>{_BOX.pattern}(?:<kpt>{_X}{_Y}(?:{_V})?</kpt>){{{N_JOINTS}}}</person>")
_NAME = re.compile(r"<ref>([^<>＜＞]*)</ref>")
_MASK = re.compile(r"(?i)[<＜]\s*mask\s*[>＞]")
_NUMBER = re.compile(rf"{_X}|{_Y}|{_V}")
_POINT = re.compile(rf"({_X})({_Y})")
_JSON_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_JSON_STRING = re.compile(r'(?="((?:[^"\\]|\\.)*)")', re.DOTALL)
_CALL = re.compile(r"<tool_call>\s*(?=\{)")


class Judge(NamedTuple):
    misread: Callable[[Written], str]
    invented: Callable[[str], str]


def numbers(text: str) -> list[float]:
    """Return the numbers of the tags in `text`, rounded to float32 like the arrays."""
    return [float(np.float32(tag[3:-1])) for tag in _NUMBER.findall(text)]


def at(text: str, spans: Spans) -> list[float]:
    """Return the numbers whose tags are exactly at `spans`; skip spans without a number."""
    return [n for start, stop in spans if _NUMBER.fullmatch(text[start:stop]) for n in numbers(text[start:stop])]


def places(text: str, issues: Iterable[Issue]) -> str:
    """Check that the issues point into the text and are in order."""
    starts = [issue.start for issue in issues]
    inside = all(0 <= issue.start <= issue.end <= len(text) for issue in issues)
    return "" if inside and starts == sorted(starts) else "issues point elsewhere or are out of order"


def unlike(text: str, label: str, names: Spans) -> str:
    """Check that a label is the text at its place, or the default."""
    written = [text[start:stop] for start, stop in names]
    return "" if written == [label] or (not names and label == LABEL) else f"label {label!r} is not at its place"


def silent(text: str, used: int, issues: tuple[Issue, ...]) -> str:
    """Check that no number was dropped without an issue."""
    lost = len(_NUMBER.findall(text)) - used
    return f"{lost} number(s) are gone and no issue says so" if lost > 0 and not issues else ""


def first(*flaws: str) -> str:
    return next(filter(None, flaws), "")


def missing(wanted: Iterable[Any], found: Iterable[Any]) -> str:
    rest = set(wanted) - set(found)
    return f"{next(iter(rest))} is whole and was not found" if rest else ""


def ordered(xyxy: list[float]) -> tuple[float, ...]:
    x0, y0, x1, y1 = xyxy
    return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)


def misread_boxes(written: Written) -> str:
    found = parse_boxes(written.text, size=SIZE)
    got = [(label, tuple(map(int, row))) for label, row in zip(found.labels, found.xyxy.tolist(), strict=True)]
    return "" if (got, found.issues) == (written.value, ()) else f"read {got}, {found.issues}"


def invented_boxes(text: str) -> str:
    found = parse_boxes(text, size=SIZE, default_label=LABEL)
    rows = [tuple(row) for row in found.xyxy.tolist()]
    flaws = [places(text, found.issues), silent(text, 4 * len(rows), found.issues)]
    flaws.append(missing((ordered(numbers(whole)) for whole in _BOX.findall(text)), rows))
    for row, label, spans in zip(rows, found.labels, found.spans, strict=True):
        flaws.append(unlike(text, label, spans[:-4]))
        flaws.append("" if ordered(at(text, spans[-4:])) == row else f"box {row} is not at its place")
    return first(*flaws)


def misread_polygons(written: Written) -> str:
    found = parse_polygons(written.text, size=SIZE)
    got = [
        (label, tuple(tuple((int(x), int(y)) for x, y in ring.tolist()) for ring in part))
        for label, part in zip(found.labels, found.parts, strict=True)
    ]
    return "" if (got, found.issues) == (written.value, ()) else f"read {got}, {found.issues}"


def invented_polygons(text: str) -> str:
    found = parse_polygons(text, size=SIZE, default_label=LABEL)
    rings = [tuple(ring.ravel().tolist()) for part in found.parts for ring in part]
    flaws = [places(text, found.issues), silent(text, sum(map(len, rings)), found.issues)]
    flaws.append(missing((tuple(numbers(whole)) for whole in _POLY.findall(text)), rings))
    flaws.append("an outline has fewer than three points" if any(len(ring) < 6 for ring in rings) else "")
    for part, label, spans in zip(found.parts, found.labels, found.spans, strict=True):
        values = np.concatenate(part).ravel().tolist()
        flaws.append(unlike(text, label, spans[: -len(values)]))
        flaws.append("" if at(text, spans[-len(values) :]) == values else f"outline {values} is not at its place")
    return first(*flaws)


def misread_poses(written: Written) -> str:
    found = parse_poses(written.text, size=SIZE)
    value: Any = written.value
    joints = [[(x, y, np.nan if v is None else v) for x, y, v in person[:N_JOINTS]] for _, person in value]
    padded = [rows + [(0, 0, 0)] * (N_JOINTS - len(rows)) for rows in joints]
    same = np.array_equal(found.xyv, np.array(padded, np.float32), equal_nan=True)
    same = same and found.boxes.tolist() == [list(box) for box, _ in value]
    return "" if same and len(found.issues) == written.n_issues else f"read {found}"


def invented_poses(text: str) -> str:
    found = parse_poses(text, size=SIZE)
    people = [
        [n for n in (*box, *joints[~(joints == 0).all(axis=1)].ravel().tolist()) if not np.isnan(n)]
        for box, joints in zip(found.boxes.tolist(), found.xyv, strict=True)
    ]
    flaws = [places(text, found.issues), silent(text, sum(len(at(text, spans)) for spans in found.spans), found.issues)]
    for values, spans in zip(people, found.spans, strict=True):
        at_place = at(text, spans)
        flaws.append("" if set(values) <= {*at_place} and set(at_place) - {0} <= {*values} else f"{values} not there")
    wanted = (frozenset(numbers(whole)) - {0} for whole in _PERSON.findall(text))
    flaws.append(missing(wanted, (frozenset(values) - {0} for values in people)))
    return first(*flaws)


def misread_classes(written: Written) -> str:
    found = parse_classes(written.text)
    got = (found.names, found.background)
    return "" if (got, found.issues) == (written.value, ()) else f"read {got}, {found.issues}"


def invented_classes(text: str) -> str:
    found = parse_classes(text)
    written = [text[start:stop] for ((start, stop),) in found.spans]
    before_mask = _MASK.split(text)[0]
    whole = {name.strip() for name in _NAME.findall(before_mask)} - {""}
    return first(
        places(text, found.issues),
        "" if written == list(found.names) else "a name is not at its place",
        "" if len(set(found.names)) == len(found.names) else "a name came twice",
        missing((name for name in whole if len(name) <= MAX_NAME), found.names),
    )


def misread_count(written: Written) -> str:
    found = parse_count(written.text)
    return "" if (found.value, found.issues) == (written.value, ()) else f"read {found.value}, {found.issues}"


def invented_count(text: str) -> str:
    found = parse_count(text)
    if found.value is None:
        return "" if found.issues else "no number, and no issue says so"
    ((start, stop),) = found.spans
    around = text[max(0, start - 1) : start] + text[stop : stop + 1]
    return first(
        places(text, found.issues),
        "" if int(text[start:stop].replace(",", "")) == found.value else "the number is not at its place",
        f"a part of a number in {around!r}" if re.search(r"\d", around) else "",
    )


def misread_runs(written: Written) -> str:
    value: Any = written.value
    size, pairs = value
    got = decode_runs(written.text, size).ravel().tolist()
    return "" if got == [value for value, run in pairs for _ in range(run)] else f"read {got}"


def invented_runs(text: str) -> str:
    pairs = [(int(value), int(run)) for value, run in re.findall(r"\(\s*(-?[0-9]{1,9})\s*,\s*([0-9]{1,9})\s*\)", text)]
    n_pixels = min(sum(run for _, run in pairs), 1_000_000)
    try:
        got = decode_runs(text, type(SIZE)(1, n_pixels)).ravel()
    except DecodeError:
        return ""
    wanted = np.repeat([value for value, _ in pairs], [run for _, run in pairs])
    return "" if np.array_equal(got, wanted) else "the map is not what its pairs say"


def misread_action(written: Written) -> str:
    found = parse_action(written.text, size=SIZE)
    got = (found.name, found.xy, found.arguments)
    return "" if (got, found.issues) == (written.value, ()) else f"read {got}, {found.issues}"


def invented_action(text: str) -> str:
    found = parse_action(text, size=SIZE)
    whole = whole_calls(text)
    first_is_whole = bool(whole) and text.find("<tool_call>") == whole[0][0]
    got = (found.name, found.xy, found.arguments)
    pointed = [(numbers(x)[0], numbers(y)[0]) for x, y in _POINT.findall(text)]
    by_default = found.name == CLICK and found.xy in pointed
    return first(
        places(text, found.issues),
        "" if not found.name or by_default or found.name in strings(text) else f"name {found.name!r} is not there",
        *(not_written(text, value) for value in (found.xy or ())),
        *(not_written(text, value) for value in found.arguments.items()),
        "" if found.issues or [call[1:] for call in whole] == [got] else "the call is flawed and no issue says so",
        "" if not whole or found.name else "a call is whole and was not found",
        "" if not first_is_whole or got == whole[0][1:] else f"{whole[0][1:]} is whole and comes first; read {got}",
    )


def whole_calls(text: str) -> list[tuple[int, str, tuple[float, float] | None, dict[str, Any]]]:
    """Return place, name, point and other arguments of the valid calls that are not inside another one."""
    found: list[tuple[int, str, tuple[float, float] | None, dict[str, Any]]] = []
    stop = 0
    for match in _CALL.finditer(text):
        try:
            value, end = json.JSONDecoder(object_pairs_hook=unique).raw_decode(text, match.end())
            json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
        except ValueError:
            continue
        arguments = value.get("arguments")
        usable = value.get("name") == TOOL and isinstance(arguments, dict) and match.start() >= stop
        if not usable or not text[end:].lstrip().startswith("</tool_call>") or depth(value) > MAX_NESTING:
            continue
        name, point = arguments.pop("action", None), arguments.pop("coordinate", None)
        if not isinstance(name, str) or not name.isprintable() or not name.strip() or len(name) > 64:
            continue
        name = name.strip()
        if point is None and "click" not in name:
            found.append((match.start(), name, None, arguments))
        elif is_point(point):
            found.append((match.start(), name, (float(point[0]), float(point[1])), arguments))
        stop = end
    return found


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError
    return dict(pairs)


def is_point(value: Any) -> bool:
    """Return whether `value` is two numbers inside the image."""
    numeric = isinstance(value, list) and len(value) == 2 and all(type(n) in (int, float) for n in value)
    return numeric and all(0 <= n <= 2048 for n in value)


def depth(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth, inner), default=0)


def strings(text: str) -> set[str]:
    """Return the text between any two quotes of either kind: unmodified, as JSON reads it, and stripped of spaces."""
    found = set(_JSON_STRING.findall(text)) | set(re.findall(r"(?='([^'\\\n]*)')", text))
    for written in tuple(found):
        try:
            found.add(json.loads(f'"{written}"', strict=False))
        except ValueError:
            continue
    return found | {written.strip() for written in found}


def not_written(text: str, value: Any) -> str:
    """Return which number or word of `value`, at any depth, is not in the text, or ""."""
    if isinstance(value, dict | list | tuple):
        inner = [part for item in value.items() for part in item] if isinstance(value, dict) else value
        return first(*(not_written(text, part) for part in inner))
    if isinstance(value, str):
        return "" if value in strings(text) else f"{value!r} is not in the text"
    if isinstance(value, bool) or value is None:
        return "" if {True: "true", False: "false", None: "null"}[value] in text else f"{value} is not in the text"
    return "" if value in map(float, _JSON_NUMBER.findall(text)) else f"{value} is not in the text"


JUDGES = {
    "boxes": Judge(misread_boxes, invented_boxes),
    "polygons": Judge(misread_polygons, invented_polygons),
    "poses": Judge(misread_poses, invented_poses),
    "classes": Judge(misread_classes, invented_classes),
    "counts": Judge(misread_count, invented_count),
    "runs": Judge(misread_runs, invented_runs),
    "actions": Judge(misread_action, invented_action),
}
