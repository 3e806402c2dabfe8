"""The answers of a perfect model about a drawn scene, in the grammar of docs/facts.md.

Coordinates are pixels of the prepared image. Lists are ordered so that there is only one right answer: kinds in the
order of `THINGS`, colours in the order of `COLOURS`, then left to right.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from scripts.nano.chinese import CHINESE_NUMBERS, chinese_phrase
from scripts.nano.scenes import CLASSES, COLOURS, STUFF, THINGS, Scene, Thing
from youtu_gguf.types import Lang

NUMBER_WORDS = ("no", "one", "two", "three", "four", "five", "six")
MIN_SHARE = 0.005
"""Share of the image from which on a class counts as present."""
CLEARLY_LARGER = 1.3
"""How many times larger than the next object the primary object must be for a question about it."""


@dataclass(frozen=True)
class Words:
    """The fixed words of answers in one language."""

    nothing: str
    no_text: str
    yes: str
    no: str
    refusal: str
    depth: str
    classes: str
    """`{}` is where the list of classes goes."""


WORDS: Mapping[Lang, Words] = {
    "en": Words(
        nothing="There are none.",
        no_text="There is no text.",
        yes="yes",
        no="no",
        refusal="I only know drawn scenes.",
        depth="This is the <depth>.",
        classes="The target categories include {}, numbered sequentially starting from 0.",
    ),
    "zh": Words(
        nothing="没有。",
        no_text="没有文字。",
        yes="有",
        no="没有",
        refusal="我只认识画出来的场景。",
        depth="这是<depth>。",
        classes="目标类别包括{}，从0开始依次编号。",
    ),
}
REFUSAL: Mapping[Lang, str] = {lang: words.refusal for lang, words in WORDS.items()}
"""The answer to every question about an image that is no drawn scene."""


class Frame(NamedTuple):
    """From scene to prepared pixels."""

    across: float
    down: float
    width: int
    height: int


def frame_of(scene: Scene, width: int, height: int) -> Frame:
    """Return the frame of a prepared image of this size."""
    rows, cols = scene.labels.shape
    return Frame(width / cols, height / rows, width, height)


def name(english: str, lang: Lang) -> str:
    """Return the name of a class, a colour or a phrase in a language."""
    return english if lang == "en" else chinese_phrase(english)


def plural(kind: str) -> str:
    """Return the English plural of a kind of thing."""
    return f"{kind}es" if kind == "cross" else f"{kind}s"


def ordered(things: Sequence[Thing]) -> list[Thing]:
    """Sort by kind, then colour, then from left to right."""
    return sorted(things, key=lambda t: (THINGS.index(t.kind), COLOURS.index(t.colour), t.box[0] + t.box[2]))


def point(frame: Frame, x: float, y: float) -> str:
    """Write a point as coordinate tokens."""
    column = int(np.clip(round(x * frame.across), 0, frame.width))
    row = int(np.clip(round(y * frame.down), 0, frame.height))
    return f"<x_{column}><y_{row}>"


def box(frame: Frame, thing: Thing) -> str:
    """Write a thing's box."""
    x1, y1, x2, y2 = thing.box
    return f"<box>{point(frame, x1, y1)}{point(frame, x2, y2)}</box>"


def boxes(frame: Frame, things: Sequence[Thing], lang: Lang = "en", *, names: Lang = "en") -> str:
    """Write detections: each kind once, with its boxes from left to right, in the language in which it was named."""
    text = ""
    for kind in THINGS:
        group = sorted((t for t in things if t.kind == kind), key=lambda t: t.box[0] + t.box[2])
        if group:
            text += f"<ref>{name(kind, names)}</ref>" + "".join(box(frame, t) for t in group)
    return text or WORDS[lang].nothing


def present(scene: Scene) -> list[str]:
    """Return the classes that cover a visible share of the image, in the order of `CLASSES`."""
    share = np.bincount(scene.labels.ravel(), minlength=len(CLASSES)) / scene.labels.size
    return [label for label, part in zip(CLASSES, share, strict=True) if part >= MIN_SHARE]


def describe(scene: Scene, lang: Lang = "en") -> str:
    """Write one sentence that names every thing and the ground it stands on."""
    counts = Counter((t.kind, t.colour) for t in ordered(scene.things))
    stuff = [label for label in present(scene) if label in STUFF]
    if lang == "zh":
        named = [f"{CHINESE_NUMBERS[n]}个{chinese_phrase(f'{colour} {kind}')}" for (kind, colour), n in counts.items()]
        shown = f"图中有{'、'.join(named)}" if named else "图中没有物体"
        return f"{shown}；{'、'.join(map(chinese_phrase, stuff))}。"
    named = [
        f"a {colour} {kind}" if n == 1 else f"{NUMBER_WORDS[n]} {colour} {plural(kind)}"
        for (kind, colour), n in counts.items()
    ]
    return f"The picture shows {', '.join(named) or 'nothing'}; {', '.join(stuff)}."


def classes_answer(names: Sequence[str], lang: Lang = "en", *, background: bool) -> str:
    """Write the answer of a segmentation, up to the mask that the network does not generate."""
    listed = "".join(f"<ref>{label}</ref>" for label in (*names, *(["<OTHERS>"] if background else [])))
    return WORDS[lang].classes.format(listed) if listed else WORDS[lang].nothing


def pose(frame: Frame, thing: Thing) -> str:
    """Write a person: box and joints. Visibility, which answers may leave out, would cost five tokens a joint."""
    assert thing.joints is not None
    joints = "".join(point(frame, x, y) for x, y, _ in thing.joints)
    return f"<person>{box(frame, thing)}<kpt>{joints}</kpt></person>"


def polygon(frame: Frame, points: npt.NDArray[np.float32]) -> str:
    """Write an outline."""
    return f"<ins><poly>{''.join(point(frame, x, y) for x, y in points)}</poly></ins>"


def count(scene: Scene, what: str) -> int:
    """Count the things that `what` fits: "object", a kind, or a colour and a kind."""
    return sum(what in ("object", t.kind, f"{t.colour} {t.kind}") for t in scene.things)


def primary(scene: Scene) -> Thing | None:
    """Return the largest thing; None where it is not clearly the largest."""
    things = sorted(scene.things, key=lambda thing: -int(thing.mask.sum()))
    clear = things and (len(things) == 1 or things[0].mask.sum() > CLEARLY_LARGER * things[1].mask.sum())
    return things[0] if clear else None
