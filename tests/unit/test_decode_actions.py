"""The action of an answer: tool calls that are whole, broken, repeated and hostile."""

from __future__ import annotations

import json
import random
import re
from typing import Any

import pytest

from tests.unit.test_decode_mutations import MUTATORS, assert_places
from youtu_gguf.decode.actions import MAX_CALL, MAX_NESTING, MAX_OBJECTS, FoundAction, parse_action
from youtu_gguf.types import Size

SIZE = Size(640, 480)
SECOND = '{"name":"computer_use","arguments":{"action":"right_click","coordinate":[7,8]}}'


def call(coordinate: str = "[412, 88]", action: str = '"left_click"', more: str = "") -> str:
    return f'{{"name":"computer_use","arguments":{{"action":{action},"coordinate":{coordinate}{more}}}}}'


def tagged(text: str) -> str:
    return f"Action: Click the button.\n<tool_call>{text}</tool_call>"


def messages(found: FoundAction) -> list[str]:
    return [issue.message for issue in found.issues]


@pytest.mark.parametrize(
    ("text", "name", "xy", "arguments"),
    [
        (tagged(call()), "left_click", (412, 88), {}),
        (tagged(f"\n{call()}\n"), "left_click", (412, 88), {}),
        (tagged(json.dumps(json.loads(call()), indent=2)), "left_click", (412, 88), {}),
        (tagged(call("[412.5, 8e1]")), "left_click", (412.5, 80), {}),
        (tagged(call('["412", " 88.25 "]')), "left_click", (412, 88.25), {}),
        (tagged(call("[0, 0]")), "left_click", (0, 0), {}),
        (tagged(call("[640, 480]")), "left_click", (640, 480), {}),
        (tagged(call(action='"right_click"')), "right_click", (412, 88), {}),
        (
            tagged(call(action='"drag"', more=',"coordinate2":[5,6],"n":1.5')),
            "drag", (412, 88), {"coordinate2": [5, 6], "n": 1.5},
        ),
        (tagged(call(more=',"text":"a } b <tool_call"')), "left_click", (412, 88), {"text": "a } b <tool_call"}),
        (tagged(call(more=',"text":"<tool_call>"')), "left_click", (412, 88), {"text": "<tool_call>"}),
        (
            tagged(f'{{"arguments":{{"text":{json.dumps(tagged(SECOND))},"action":"type"}},"name":"computer_use"}}'),
            "type", None, {"text": tagged(SECOND)},
        ),
        (
            tagged('{"name":"computer_use","arguments":{"action":"type","text":"你好"}}'),
            "type", None, {"text": "你好"},
        ),
        (f"Action: 点击“设置”按钮。\n<tool_call>{call()}</tool_call>", "left_click", (412, 88), {}),
        (tagged(call(action='"点击"')), "点击", (412, 88), {}),
        (tagged(call(more=',"text":"\\ud83d\\ude00"')), "left_click", (412, 88), {"text": "😀"}),
    ],
)  # fmt: skip
def test_a_whole_call_is_read_without_issues(text: str, name: str, xy: Any, arguments: dict[str, Any]) -> None:
    assert parse_action(text, size=SIZE) == FoundAction(name, xy, arguments)


@pytest.mark.parametrize(
    ("text", "name", "xy", "flaw"),
    [
        (f"<tool_call>{call()}", "left_click", (412, 88), "<tool_call> is not closed"),
        (f"<tool_call>{call()} or so</tool_call>", "left_click", (412, 88), "<tool_call> is not closed"),
        (f"<tool_call>json: {call()}</tool_call>", "left_click", (412, 88), "other text stands between <tool_call>"),
        (call(), "left_click", (412, 88), "without its tags"),
        (f"Press {{}} or {{x}}: {call()}", "left_click", (412, 88), "without its tags"),
        (tagged(call()) + tagged(SECOND), "left_click", (412, 88), "the answer holds 2, the first whole"),
        (tagged(call() + SECOND), "left_click", (412, 88), "the answer holds 2, the first whole"),
        (
            tagged(call().replace("computer_use", "phone")),
            "left_click",
            (412, 88),
            "a call of computer_use; got 'phone'",
        ),
        (tagged('{"name":"left_click","arguments":{"coordinate":[4,5]}}'), "left_click", (4, 5), "got 'left_click'"),
        (tagged(call("[641, 88]")), "left_click", (641, 88), "outside the 640x480 image"),
        (tagged(call("[412, -1]")), "left_click", (412, -1), "outside the 640x480 image"),
        (tagged('{"name":"computer_use","arguments":{"action":"left_click"}}'), "left_click", None, "no coordinate"),
        ("Here: <x_12><y_34>.", "left_click", (12, 34), "its first point is taken for a click"),
        (
            "<box><x_1><y_2><x_3><y_4></box> <x_12><y_34>",
            "left_click",
            (12, 34),
            "its first point is taken for a click",
        ),
        ("点击<x_12><y_34> or <x_5><y_6>", "left_click", (12, 34), "its first point is taken for a click"),
    ],
)
def test_one_flaw_is_reported_and_what_is_there_kept(text: str, name: str, xy: Any, flaw: str) -> None:
    found = parse_action(text, size=SIZE)
    assert (found.name, found.xy) == (name, xy)
    (message,) = messages(found)
    assert flaw in message


@pytest.mark.parametrize(
    "coordinate",
    [
        "[412]", "[1, 2, 3]", "[1, 2, 3, 4]", "[]", "{}", "5", "null", '"412, 88"', '["x", "y"]', "[true, false]",
        "[[1], [2]]", "[1000000, 5]", "[-1e6, 5]", "[1e300, 5]", '["1e3", 5]', '["nan", "inf"]', '["٤", "5"]',
        "[null, 5]",
    ],
)  # fmt: skip
def test_a_coordinate_that_is_not_two_numbers_is_left_out(coordinate: str) -> None:
    found = parse_action(tagged(call(coordinate)), size=SIZE)
    assert (found.name, found.xy, found.arguments) == ("left_click", None, {})
    assert ["two numbers" in message for message in messages(found)] == [True]


@pytest.mark.parametrize(
    ("written", "flaw"),
    [
        (call()[:-1], "cut off"),
        (call()[:-2], "cut off"),
        (call(more=',"text":"half')[:-2], "cut off"),
        (call().replace('"', "'"), "malformed"),
        (call(more=","), "malformed"),
        (f'{{"call":{call()}}}', "the JSON is no tool call"),
        (call().replace("name", "NAME").replace("arguments", "ARGUMENTS"), "the JSON is no tool call"),
        (call("[412, 88,]"), "malformed"),
        (call(more=',"text":hello'), "malformed"),
        (call(more=',"n":NaN'), "NaN is no number"),
        (call(more=',"n":-Infinity'), "-Infinity is no number"),
        (call(more=',"n":1e999'), "a number too large"),
        (call(more=f',"n":{"9" * 5000}'), "more than 18 digits"),
        (call(more=',"coordinate":[1,2]'), "a key stands there twice"),
        (call(more=',"text":"\\ud83d"'), "half a character"),
        (call(more=f',"n":{"[" * MAX_NESTING}{"]" * MAX_NESTING}'), f"more than {MAX_NESTING} deep"),
        (call(more=f',"n":{"[" * 9000}'), f"more than {MAX_NESTING} deep"),
        (call(more=f',"text":"{"x" * MAX_CALL}"'), "longer than 20,000 characters"),
    ],
)
def test_of_a_broken_call_the_action_and_the_point_that_stand_there_whole_are_kept(written: str, flaw: str) -> None:
    for text in (tagged(written), written, f"<tool_call>{written}"):
        found = parse_action(text, size=SIZE)
        assert (found.name, found.xy, found.arguments) == ("left_click", (412, 88), {})
        assert flaw in " ".join(messages(found))


@pytest.mark.parametrize("length", range(len(call())))
def test_no_beginning_of_a_call_gives_half_a_number(length: int) -> None:
    found = parse_action(f"<tool_call>{call()[:length]}", size=SIZE)
    assert found.xy in (None, (412, 88))
    assert found.name in ("", "left_click")
    assert found.issues


@pytest.mark.parametrize(
    "text",
    [
        "", "I cannot do that.", "<tool_call>", "<tool_call></tool_call>", tagged("{}"), tagged("[1, 2]"), "{}", "{",
        tagged('{"name":"computer_use"}'), tagged('{"name":"computer_use","arguments":"left_click"}'),
        tagged('{"name":"computer_use","arguments":{"action":5}}'), tagged("click at 412, 88"),
        "<x_12>", "<y_3><x_4>", "<box><x_1><y_2><x_3><y_4></box>", "<x_1><y_2", "<x_1> <y_2>",
        "<x_1><y_-2>", tagged(call(action=f'"{"a" * 65}"', coordinate="0")),
        tagged('{"name":"computer_use","arguments":{"action":"a\\nb"}}'),
    ],
)  # fmt: skip
def test_an_answer_that_cannot_be_used_has_no_name_no_point_and_issues(text: str) -> None:
    found = parse_action(text, size=SIZE)
    assert (found.name, found.xy, found.arguments) == ("", None, {})
    assert "no action that can be read" in " ".join(messages(found))
    assert_places(found.issues, text)


def test_the_first_whole_call_is_taken_before_one_that_is_broken() -> None:
    found = parse_action(f"<tool_call>{call()[:-9]}\n{tagged(SECOND)}", size=SIZE)
    assert (found.name, found.xy) == ("right_click", (7, 8))
    assert ["cut off" in message or "holds 2" in message for message in messages(found)] == [True, True]
    assert parse_action(tagged("{}") + tagged(SECOND)).name == "right_click"


def test_a_call_that_spells_tags_in_a_string_is_read_behind_broken_ones() -> None:
    text = f"<tool_call>{call()[:-9]}\n" + tagged(call("[1, 2]", more=',"text":"a <tool_call> b"')) + tagged(SECOND)
    found = parse_action(text, size=SIZE)
    assert (found.xy, found.arguments) == ((1, 2), {"text": "a <tool_call> b"})
    assert any("holds 3" in message for message in messages(found))


def test_of_more_objects_than_are_looked_at_the_rest_is_one_issue() -> None:
    found = parse_action("<tool_call>" + "{}" * (MAX_OBJECTS + 50) + call())
    assert (found.name, len(found.issues)) == ("left_click", MAX_OBJECTS + 2)
    assert any("more than 1,000 objects" in message for message in messages(found))


def test_arguments_beside_the_name_are_taken_with_an_issue() -> None:
    found = parse_action(tagged('{"action":"left_click","coordinate":[1,2],"n":3}'), size=SIZE)
    assert (found.name, found.xy, found.arguments) == ("left_click", (1, 2), {"n": 3})
    assert any("has no arguments" in message for message in messages(found))


def test_without_a_size_the_range_is_not_checked() -> None:
    assert parse_action(tagged(call("[5000, 6000]"))) == FoundAction("left_click", (5000, 6000))


def test_damaged_answers_never_raise_and_never_invent() -> None:
    rng = random.Random(7)
    whole = tagged(call(more=',"text":"it is \\"so\\" {here}"'))
    for _ in range(3000):
        text = whole
        for _ in range(rng.randint(1, 5)):
            text = rng.choice(MUTATORS)(rng, text)
        found = parse_action(text, size=SIZE)
        written = {float(number) for number in re.findall(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][0-9]+)?", text)}
        assert set(found.xy or ()) <= written
        assert json.dumps(found.name, ensure_ascii=False)[1:-1] in text or found.name in text
        json.dumps(found.arguments, allow_nan=False)
        assert_places(found.issues, text)


@pytest.mark.parametrize(
    "piece",
    [
        "<tool_call>", "<tool_call>{", "{", "{}", "[", '{"name":', '"', "\\", '{"', '{"name":{}}', "<x_1>", "'action':",
        '"coordinate":[1,', "<tool_call>{}", "}", " ", '"action":"',
    ],
)  # fmt: skip
def test_a_hostile_megabyte_is_survived(piece: str) -> None:
    parse_action(piece * (1_000_000 // len(piece)))
    parse_action("<tool_call>{" + piece * (1_000_000 // len(piece)))
