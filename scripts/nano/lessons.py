"""Questions about a drawn scene and the answers of a perfect model, in the grammar of docs/facts.md.

Coordinates are pixels of the prepared image. Lists are ordered so that there is only one right answer: kinds in the
order of `THINGS`, colours in the order of `COLOURS`, then left to right.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from scripts.nano.scenes import CLASSES, COLOURS, STUFF, THINGS, Scene, Thing, outline, referring
from youtu_gguf import prompts
from youtu_gguf.facts import DEFAULT_SYSTEM, VISION_START

NOTHING = "There are none."
NO_TEXT = "There is no text."
CLEARLY_LARGER = 1.3
"""How many times larger than the next object the primary object must be for a question about it."""
NUMBER_WORDS = ("no", "one", "two", "three", "four", "five", "six")
MIN_SHARE = 0.005
"""Share of the image from which on a class counts as present."""


class Lesson(NamedTuple):
    """One question with its answer; `task` names the kind of question."""

    task: str
    question: str
    answer: str


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


def boxes(frame: Frame, things: Sequence[Thing]) -> str:
    """Write detections: each kind once, with its boxes from left to right."""
    text = ""
    for kind in THINGS:
        group = sorted((t for t in things if t.kind == kind), key=lambda t: t.box[0] + t.box[2])
        if group:
            text += f"<ref>{kind}</ref>" + "".join(box(frame, t) for t in group)
    return text or NOTHING


def present(scene: Scene) -> list[str]:
    """Return the classes that cover a visible share of the image, in the order of `CLASSES`."""
    share = np.bincount(scene.labels.ravel(), minlength=len(CLASSES)) / scene.labels.size
    return [name for name, part in zip(CLASSES, share, strict=True) if part >= MIN_SHARE]


def describe(scene: Scene) -> str:
    """Write one sentence that names every thing and the ground it stands on."""
    counts = Counter((t.kind, t.colour) for t in ordered(scene.things))
    names = [
        f"{'a' if n == 1 else NUMBER_WORDS[n]} {colour} {kind}{'s' if n > 1 else ''}"
        for (kind, colour), n in counts.items()
    ]
    stuff = [name for name in present(scene) if name in STUFF]
    return f"The picture shows {', '.join(names) or 'nothing'}; {', '.join(stuff)}."


def classes_answer(names: Sequence[str], *, background: bool) -> str:
    """Write the answer of a segmentation, up to the mask that the network does not generate."""
    listed = "".join(f"<ref>{name}</ref>" for name in (*names, *(["<OTHERS>"] if background else [])))
    return f"The target categories include {listed}, numbered sequentially starting from 0."


def pose(frame: Frame, thing: Thing) -> str:
    """Write a person: box and joints. Visibility, which answers may leave out, would cost five tokens a joint."""
    assert thing.joints is not None
    joints = "".join(point(frame, x, y) for x, y, _ in thing.joints)
    return f"<person>{box(frame, thing)}<kpt>{joints}</kpt></person>"


def polygon(frame: Frame, points: npt.NDArray[np.float32]) -> str:
    """Write an outline."""
    return f"<ins><poly>{''.join(point(frame, x, y) for x, y in points)}</poly></ins>"


def pose_lesson(scene: Scene, frame: Frame) -> Lesson | None:
    """Return the pose question where there is a person."""
    persons = [t for t in scene.things if t.kind == "person"]
    if not persons:
        return None
    return Lesson("pose", prompts.ENGLISH.pose, "".join(pose(frame, t) for t in persons))


def lessons(scene: Scene, frame: Frame, rng: np.random.Generator) -> Iterator[Lesson]:
    """Yield questions about a scene except poses; the classes and phrases that they name are random."""
    yield Lesson("detect", prompts.ENGLISH.detect_all, boxes(frame, scene.things))
    chosen = _some(THINGS, rng, 1, 4)
    yield Lesson("detect", prompts.ENGLISH.detect(chosen), boxes(frame, [t for t in scene.things if t.kind in chosen]))
    phrases = referring(scene)
    for index in rng.permutation(len(phrases))[:4]:
        phrase, which = phrases[index]
        yield Lesson("ground", prompts.ENGLISH.ground.format(phrase), box(frame, scene.things[which]))
    for index in rng.permutation(len(phrases))[:2]:
        phrase, which = phrases[index]
        yield Lesson(
            "polygon", prompts.ENGLISH.polygon.format(phrase), polygon(frame, outline(scene.things[which].mask))
        )
    for what in _countable(scene, rng):
        yield Lesson("count", prompts.ENGLISH.count.format(what), str(count(scene, what)))
    yield Lesson("describe", prompts.ENGLISH.describe, describe(scene))
    digits = [t.digits for t in scene.things if t.digits]
    if digits or rng.random() < 0.2:
        yield Lesson("ocr", prompts.ENGLISH.ocr, " ".join(digits) or NO_TEXT)
    yield from _class_lessons(scene, rng)
    yield from _small_questions(scene, rng)


def count(scene: Scene, what: str) -> int:
    """Count the things that `what` fits: "object", a kind, or a colour and a kind."""
    return sum(what in ("object", t.kind, f"{t.colour} {t.kind}") for t in scene.things)


def primary(scene: Scene) -> Thing | None:
    """Return the largest thing; None where it is not clearly the largest."""
    things = sorted(scene.things, key=lambda thing: -int(thing.mask.sum()))
    clear = things and (len(things) == 1 or things[0].mask.sum() > CLEARLY_LARGER * things[1].mask.sum())
    return things[0] if clear else None


def _countable(scene: Scene, rng: np.random.Generator) -> list[str]:
    here = sorted({t.kind for t in scene.things})
    pairs = sorted({f"{t.colour} {t.kind}" for t in scene.things})
    absent = f"{rng.choice(COLOURS)} {rng.choice(THINGS)}"
    options = ["object", str(rng.choice(here)), str(rng.choice(here)), str(rng.choice(pairs))]
    if rng.random() < 0.5:
        options.append(absent if rng.random() < 0.5 else str(rng.choice(THINGS)))
    return sorted(set(options))


def _class_lessons(scene: Scene, rng: np.random.Generator) -> Iterator[Lesson]:
    here = present(scene)
    if rng.random() < 0.3:
        yield Lesson("names", prompts.ENGLISH.segment_all, classes_answer(here, background=False))
    background = rng.random() < 0.3
    asked = list(CLASSES) if rng.random() < 0.5 else _some(CLASSES, rng, 2, 9)
    if rng.random() < 0.5:
        asked = [asked[i] for i in rng.permutation(len(asked))]
    named = [name for name in asked if name in here]
    if named:
        question = prompts.ENGLISH.segment(asked, background=background)
        yield Lesson("names", question, classes_answer(named, background=background))


def _small_questions(scene: Scene, rng: np.random.Generator) -> Iterator[Lesson]:
    if largest := primary(scene):
        yield Lesson("classify", prompts.ENGLISH.classify, largest.kind)
        yield Lesson("ask", "What colour is the largest object?", largest.colour)
    kinds = Counter(t.kind for t in scene.things)
    for thing in scene.things:
        if kinds[thing.kind] == 1 and rng.random() < 0.4:
            yield Lesson("ask", f"What colour is the {thing.kind}?", thing.colour)
    asked = str(rng.choice(CLASSES))
    yield Lesson("ask", f"Is there a {asked} in the image?", "yes" if asked in present(scene) else "no")
    if rng.random() < 0.05:
        yield Lesson("dense", prompts.ENGLISH.depth, "This is the <depth>.")


def _some(names: Sequence[str], rng: np.random.Generator, low: int, high: int) -> list[str]:
    chosen = set(rng.permutation(len(names))[: rng.integers(low, high + 1)].tolist())
    return [name for i, name in enumerate(names) if i in chosen]


def corpus() -> Iterator[str]:
    """Yield the text on which a tokenizer is trained: every wording, name and phrase, and a little common English."""
    for name in (*CLASSES, *COLOURS, *NUMBER_WORDS, "object"):
        yield from (name, f"the {name}", f"a {name}, {name}s", f"({name})") * 2
    for colour in COLOURS:
        for kind in THINGS:
            yield f"the left {colour} {kind}, the right {colour} {kind}, the {colour} {kind}"
    for which in ("left", "right", "largest", "smallest", "nearest", "farthest", "leftmost", "rightmost"):
        yield from (f"the {which} object", f"the {which} circle") * 2
    asked = prompts.ENGLISH
    wordings = [
        "".join(map(str, (*prompts.opening(DEFAULT_SYSTEM), VISION_START))), "".join(prompts.closing("")),
        asked.detect_all,
        asked.detect(["circle"]), asked.ground.format("the"), asked.polygon.format("the"), asked.count.format("object"),
        asked.describe, asked.ocr, asked.segment(["circle"], background=False), asked.segment_all, asked.classify,
        asked.depth, asked.pose, asked.core, NOTHING, NO_TEXT,
        "The target categories include numbered sequentially starting",
        "This is the depth.", "The picture shows a; b.", "The results are 0 for and 1 for.", "What colour is the?",
        "Is there a person in the image?", "yes no",
    ]  # fmt: skip
    for wording in wordings:
        yield from [wording] * 4
