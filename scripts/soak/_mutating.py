"""Answers made from known values in the model's grammar, and ways to damage them.

`KINDS` maps the kinds of answers to functions that return a text and the value that a parser must return for it.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import NamedTuple

from youtu_gguf.facts import N_JOINTS
from youtu_gguf.types import Size

SIZE = Size(2048, 2048)
"""Size of the prepared image; every coordinate of the vocabulary lies in it."""

XYXY = tuple[int, int, int, int]
Ring = tuple[tuple[int, int], ...]
Joint = tuple[int, int, float | None]

PIECES = (
    "<ref>", "</ref>", "<box>", "</box>", "<ins>", "</ins>", "<poly>", "</poly>", "<person>", "</person>", "<kpt>",
    "</kpt>", "<mask>", "</mask>", "<BG>", "<FG>", "<OTHERS>", "<depth>", "<x_1500>", "<y_7>", "<x_", "<y_1", "<v_0.5>",
    "<v_", "<", ">", "</", "猫", "\n", "\r\n", "\x00", "\ud800", "<x_99999999>", "<x_007>", "<x_-3>", "<y_12.5>",
    "<BOX>", "< box >", "</ Box >", "<REF>", "</REF>", "＜poly＞", "</Person>", "<Kpt>", "<X_5>", "< y_6 >", "<x_１２>",
    "＜x_3＞", "<others>", "(0, 4)", "(", ",", "7", "½", "万", "<" * 50,
    "<tool_call>", "</tool_call>", "<TOOL_CALL>", "{", "}", "[", "]", '"', "\\", '\\"', ":", '"action":',
    '"action":"drag"', '"coordinate":[3,4],', '"name":"phone",', "NaN", "1e999", "-5", "{}", "\\ud83d",
)  # fmt: skip
NAMES = ("cup", "红色的杯子", "a<b", "x > y", "left hand", "Straße 7", "5 < 6", "猫🐈", "the <Box> button", 'a "b"')
LETTERS = "abz <>/猫é🐈0_"


class Written(NamedTuple):
    """An answer, the value that it states, and the number of issues that a parser must report for it."""

    text: str
    value: object
    n_issues: int = 0


def name(rng: random.Random) -> str:
    """Return a name without a tag."""
    if rng.random() < 0.7:
        return rng.choice(NAMES)
    return f"n{''.join(rng.choice(LETTERS) for _ in range(rng.randint(0, 12)))}m"


def names(rng: random.Random, most: int) -> list[str]:
    """Return one to `most` different names."""
    return list(dict.fromkeys(name(rng) for _ in range(rng.randint(1, most))))


def corners(rng: random.Random) -> XYXY:
    """Return a box with an area."""
    (x0, x1), (y0, y1) = sorted(rng.sample(range(2048), 2)), sorted(rng.sample(range(2048), 2))
    return x0, y0, x1, y1


def box(xyxy: XYXY) -> str:
    return "<box><x_{}><y_{}><x_{}><y_{}></box>".format(*xyxy)


def ref(words: str) -> str:
    return f"<ref>{words}</ref>"


def boxes(rng: random.Random) -> Written:
    """Value: pairs of name and corners."""
    value = [
        (label, xyxy)
        for label in names(rng, 4)
        for xyxy in dict.fromkeys(corners(rng) for _ in range(rng.randint(1, 3)))
    ]
    text, last = rng.choice(("", "Here they are: ")), None
    for label, xyxy in value:
        text += ("" if label == last else ref(label)) + box(xyxy)
        last = label
    return Written(text, value)


def polygons(rng: random.Random) -> Written:
    """Value: pairs of name and rings."""
    value = [
        (label, tuple(ring(rng) for _ in range(rng.randint(1, 3))))
        for label in names(rng, 3)
        for _ in range(rng.randint(1, 2))
    ]
    text, last = rng.choice(("", "Sure: ")), None
    for label, rings in value:
        outlines = "".join(f"<poly>{''.join(f'<x_{x}><y_{y}>' for x, y in points)}</poly>" for points in rings)
        text += ("" if label == last else ref(label)) + f"<ins>{outlines}</ins>"
        last = label
    return Written(text, value)


def ring(rng: random.Random) -> Ring:
    """Return an outline with an area."""
    n = rng.randint(3, 20)
    xs = [*rng.sample(range(2048), 2), *(rng.randrange(2048) for _ in range(n - 2))]
    ys = [*rng.sample(range(2048), 2), *(rng.randrange(2048) for _ in range(n - 2))]
    return tuple(zip(xs, ys, strict=True))


def poses(rng: random.Random) -> Written:
    """Value: pairs of corners and joints. A person whose number of joints is not 16 has an issue."""
    value, text, n_issues = [], "", 0
    for _ in range(rng.randint(1, 3)):
        n = rng.choice((N_JOINTS, N_JOINTS, N_JOINTS, rng.randint(2, 20)))
        xyxy, joints = corners(rng), [joint(rng) for _ in range(n)]
        between = rng.choice(("</kpt><kpt>", ""))  # one block per joint, or one for all
        text += f"<person>{box(xyxy)}<kpt>{between.join(map(joint_text, joints))}</kpt></person>"
        value.append((xyxy, tuple(joints)))
        n_issues += n != N_JOINTS
    return Written(text, value, n_issues)


def joint(rng: random.Random) -> Joint:
    return rng.randrange(2048), rng.randrange(2048), rng.choice((None, 0.0, 1.0, rng.randrange(100) / 100))


def joint_text(one: Joint) -> str:
    x, y, v = one
    return f"<x_{x}><y_{y}>" + ("" if v is None else f"<v_{v}>")


def classes(rng: random.Random) -> Written:
    """Value: names, and whether there is background."""
    found, background = names(rng, 6), rng.random() < 0.5
    listed = "".join(map(ref, found)) + ("<ref><OTHERS></ref>" if background else "")
    tail = rng.choice(("", ", then <mask>(0, 9),(1, 4)<ref>none</ref></mask>"))
    return Written(f"The target categories include {listed}, numbered sequentially{tail}", (tuple(found), background))


def counts(rng: random.Random) -> Written:
    """Value: the number."""
    value = rng.choice((rng.randrange(20), rng.randrange(10**9)))
    number = rng.choice((str(value), f"{value:,}" if value < 10**6 else str(value)))
    wording = rng.choice(
        ("{}", "{}.", "There are {} dogs.", "**{}**", "图中有{}只狗。", "{} dogs: I count {}.", "\r\n{}\r\n")
    )
    return Written(wording.format(number, number), value)


def runs(rng: random.Random) -> Written:
    """Value: the size of a map and its pairs."""
    pairs = [(rng.randint(-1, 30), rng.randint(1, 40)) for _ in range(rng.randint(1, 12))]
    size = Size(1, sum(run for _, run in pairs))
    return Written(rng.choice((",", ", ", "\n")).join(f"({value}, {run})" for value, run in pairs), (size, pairs))


def actions(rng: random.Random) -> Written:
    """Value: the action's name, its point or None, and its other arguments."""
    name = rng.choice(("left_click", "double_click", "type", "key", "scroll", "点击", 'say "so"', "a \\ b"))
    xy = None if "click" not in name and rng.random() < 0.4 else (pixel(rng), pixel(rng))
    others = {key: argument(rng) for key in rng.sample(ARGUMENTS, rng.randint(0, 3))}
    items = [("action", name), *([("coordinate", list(xy))] if xy else []), *others.items()]
    rng.shuffle(items)
    call = json.dumps(
        {"name": "computer_use", "arguments": dict(items)},
        ensure_ascii=rng.random() < 0.3,
        indent=rng.choice((None, None, 2)),
        separators=rng.choice(((",", ":"), (", ", ": "))),
    )
    before = rng.choice(
        ("", "Action: Click the button.\n", "Action: 点击“{设置}”按钮。\n", 'Action: Type "{" there.\n')
    )
    around = rng.choice(("", "\n", " "))
    return Written(f"{before}<tool_call>{around}{call}{around}</tool_call>", (name, xy, others))


ARGUMENTS = ("text", "coordinate2", "key", "文字", "amount")
TEXTS = (
    "a } b", "{", "]}}", 'say "so"', "\\", '\\"', "你好，世界", "🐈", "line\nbreak", "</tool_call>", "<tool_call>",
    'a <tool_call>{"name":"computer_use"}</tool_call> b', '"coordinate":[1,2]', "<x_1><y_2>", "",
)  # fmt: skip


def pixel(rng: random.Random) -> int | float:
    """Return a coordinate in the image, whole or with a fraction."""
    return rng.choice((rng.randrange(2048), rng.randrange(2048), rng.randrange(8188) / 4))


def argument(rng: random.Random) -> object:
    return rng.choice((rng.choice(TEXTS), name(rng), pixel(rng), [pixel(rng), pixel(rng)], True, None, -5, {"n": "}"}))


KINDS: dict[str, Callable[[random.Random], Written]] = {
    "boxes": boxes,
    "polygons": polygons,
    "poses": poses,
    "classes": classes,
    "counts": counts,
    "runs": runs,
    "actions": actions,
}


def cut(rng: random.Random, text: str) -> str:
    return text[: rng.randint(0, len(text))]


def erase(rng: random.Random, text: str) -> str:
    start = rng.randint(0, len(text))
    return text[:start] + text[start + rng.randint(1, 12) :]


def insert(rng: random.Random, text: str) -> str:
    start = rng.randint(0, len(text))
    return text[:start] + rng.choice(PIECES) + text[start:]


def repeat(rng: random.Random, text: str) -> str:
    start, stop = sorted((rng.randint(0, len(text)), rng.randint(0, len(text))))
    return text[:stop] + text[start:stop] * rng.randint(1, 3) + text[stop:]


def move(rng: random.Random, text: str) -> str:
    start, stop = sorted((rng.randint(0, len(text)), rng.randint(0, len(text))))
    return text[stop:] + text[start:stop] + text[:start]


def respell(rng: random.Random, text: str) -> str:
    """Change a part of the text: upper case, spaces after "<", full-width characters, or reversed."""
    start = rng.randint(0, len(text))
    stop = start + rng.randint(1, 30)
    part = text[start:stop]
    changed = rng.choice((part.upper(), part.replace("<", "< "), part.translate(_FULL_WIDTH), part[::-1]))
    return text[:start] + changed + text[stop:]


_FULL_WIDTH = str.maketrans("<>/_0123456789,.", "＜＞／＿０１２３４５６７８９，．")

MUTATORS: tuple[Callable[[random.Random, str], str], ...] = (cut, erase, insert, repeat, move, respell)


def mutated(rng: random.Random, text: str) -> str:
    """Return `text` after one to five kinds of damage."""
    for _ in range(rng.randint(1, 5)):
        text = rng.choice(MUTATORS)(rng, text)
    return text
