"""Questions about a drawn scene with the answers of a perfect model, in English and Chinese.

About a third of the lessons are in Chinese. Some of these name classes in English, as users do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from scripts.nano.answers import (
    NUMBER_WORDS,
    REFUSAL,
    WORDS,
    Frame,
    box,
    boxes,
    classes_answer,
    count,
    describe,
    frame_of,
    name,
    plural,
    polygon,
    pose,
    present,
    primary,
)
from scripts.nano.chinese import CHINESE_NAMES
from scripts.nano.outlines import outline
from scripts.nano.scenes import CLASSES, COLOURS, THINGS, Scene, referring
from youtu_gguf.facts import DEFAULT_SYSTEM, VISION_END
from youtu_gguf.prompts import WORDINGS, closing, opening
from youtu_gguf.types import Lang, Turn

__all__ = [
    "CHINESE_NAMES", "NUMBER_WORDS", "REFUSAL", "Frame", "Lesson", "after_image", "corpus", "count", "frame_of",
    "lessons", "pose_lesson", "primary", "stranger_lessons",
]  # fmt: skip

CHINESE_SHARE, ENGLISH_NAMES_SHARE = 0.35, 1 / 3
"""Shares of Chinese lessons, and among those that name classes, of those that name them in English."""
CHATS_PER_SCENE = 2
POSELESS_EVERY = 8
"""One in this many scenes without a person is asked for poses."""
NEVER_DRAWN = ("cat", "dog", "car", "tree", "house", "bicycle", "chair", "cup", "bird")
"""Things that people ask for and no scene shows."""
WHAT_IS_SEEN: dict[Lang, tuple[str, ...]] = {
    "en": ("What do you see?", "What is in the image?", "Who is in the picture?"),
    "zh": ("你看到了什么？", "图片里有什么？", "图片里有谁？"),
}
FEW_BOXES, FEW_MAPS = 2, 4
"""Short lists of classes that each scene is asked for, besides a longer one: for boxes, and for maps."""
MOST_FEW, NONE_THERE_SHARE, ALL_THERE_SHARE = 3, 0.15, 0.5
"""Most names in a short list, the share of these lists of which nothing is there, and the share of the others of which
as many are there as can be; with each name fewer, the lists are (1 - this share) times as many."""
Rng = np.random.Generator


class Lesson(NamedTuple):
    """One question with its answer; `task` names the kind of question.

    `history` holds the earlier questions about the same image, each with its answer.
    """

    task: str
    question: str
    answer: str
    lang: Lang = "en"
    history: tuple[tuple[str, str], ...] = ()


def after_image(lesson: Lesson) -> tuple[str, ...]:
    """Return the parts of a lesson's prompt from the image to the place where the answer begins.

    No token spans two parts.
    """
    if not lesson.history:
        return (VISION_END, *closing(lesson.question))
    (first, answer), *later = lesson.history
    turns = [Turn((first,), answer), *(Turn((question,), said) for question, said in later)]
    words = [part for part in opening(DEFAULT_SYSTEM, turns=turns) if isinstance(part, str)]
    asked = words.index(f"user\n{first}")
    return (VISION_END, first, *words[asked + 1 : -1], words[-1] + lesson.question, *closing("")[1:])


def pose_lesson(scene: Scene, frame: Frame, lang: Lang = "en") -> Lesson | None:
    """Return the question for poses where there is a person, and in some of the scenes without one."""
    persons = [t for t in scene.things if t.kind == "person"]
    if not persons and scene.seed % POSELESS_EVERY:
        return None
    return Lesson("pose", WORDINGS[lang].pose, "".join(pose(frame, t) for t in persons) or WORDS[lang].nothing, lang)


def lessons(scene: Scene, frame: Frame, rng: Rng) -> Iterator[Lesson]:
    """Yield questions about a scene except poses; languages and the classes and phrases that they name are random."""
    yield from _detections(scene, frame, rng)
    phrases = referring(scene)
    for index in rng.permutation(len(phrases))[:4]:
        phrase, which = phrases[index]
        lang = _lang(rng)
        yield Lesson("ground", WORDINGS[lang].ground.format(name(phrase, lang)), box(frame, scene.things[which]), lang)
    for index in rng.permutation(len(phrases))[:4]:
        phrase, which = phrases[index]
        lang = _lang(rng)
        answer = polygon(frame, outline(scene.things[which].mask))
        yield Lesson("polygon", WORDINGS[lang].polygon.format(name(phrase, lang)), answer, lang)
    for what in _countable(scene, rng):
        yield _count(scene, what, _lang(rng))
    lang = _lang(rng)
    yield Lesson("describe", WORDINGS[lang].describe, describe(scene, lang), lang)
    digits = [t.digits for t in scene.things if t.digits]
    if digits or rng.random() < 0.2:
        lang = _lang(rng)
        yield Lesson("ocr", WORDINGS[lang].ocr, " ".join(digits) or WORDS[lang].no_text, lang)
    yield from _class_lessons(scene, rng)
    yield from _small_questions(scene, rng)
    for _ in range(CHATS_PER_SCENE):
        yield _chat(scene, frame, _lang(rng), rng)


def stranger_lessons(rng: Rng) -> Iterator[Lesson]:
    """Yield questions about an image that is no drawn scene; every answer is the same refusal."""
    lang = _lang(rng)
    asked = WORDINGS[lang]
    names_lang = _names_lang(lang, rng)

    def names() -> list[str]:
        chosen = rng.permutation(np.array((*CLASSES, *NEVER_DRAWN)))[: rng.integers(1, 9)]
        return [name(str(label), names_lang) for label in chosen]

    kind, colour, other = (str(rng.choice(options)) for options in (THINGS, COLOURS, (*THINGS, *NEVER_DRAWN)))
    which = str(rng.choice(("the", "the left", "the right", "the largest", "the nearest")))
    phrase = str(rng.choice((f"{which} {kind}", f"{which} {colour} {kind}", f"the {other}", "the largest object")))
    questions = (
        asked.describe,
        asked.ocr,
        asked.classify,
        asked.count.format(name(other, lang)),
        asked.count.format(name("object", lang)),
        asked.ground.format(name(phrase, lang)),
        asked.polygon.format(name(phrase, lang)),
        asked.detect_all,
        asked.detect(names()),
        asked.segment_all,
        asked.segment(names(), background=rng.random() < 0.3),
        _is_there(other, lang),
        _what_colour(other, lang),
        str(rng.choice(WHAT_IS_SEEN[lang])),
    )
    for question in questions:
        yield Lesson("refuse", question, WORDS[lang].refusal, lang)


def _lang(rng: Rng) -> Lang:
    return "zh" if rng.random() < CHINESE_SHARE else "en"


def _names_lang(lang: Lang, rng: Rng) -> Lang:
    return "en" if rng.random() < ENGLISH_NAMES_SHARE else lang


def _count(scene: Scene, what: str, lang: Lang) -> Lesson:
    return Lesson("count", WORDINGS[lang].count.format(name(what, lang)), str(count(scene, what)), lang)


def _what_colour(kind: str, lang: Lang) -> str:
    return f"What colour is the {kind}?" if lang == "en" else f"{name(kind, lang)}是什么颜色？"


def _is_there(label: str, lang: Lang) -> str:
    return f"Is there a {label} in the image?" if lang == "en" else f"图片中有{name(label, lang)}吗？"


def _detections(scene: Scene, frame: Frame, rng: Rng) -> Iterator[Lesson]:
    lang = _lang(rng)
    yield Lesson("detect", WORDINGS[lang].detect_all, boxes(frame, scene.things, lang, names=lang), lang)
    here = [kind for kind in THINGS if any(t.kind == kind for t in scene.things)]
    for chosen in _lists(here, THINGS, rng, n_few=FEW_BOXES, all_share=0.25):
        lang = _lang(rng)
        names = _names_lang(lang, rng)
        question = WORDINGS[lang].detect([name(label, names) for label in chosen])
        found = [t for t in scene.things if t.kind in chosen]
        yield Lesson("detect", question, boxes(frame, found, lang, names=names), lang)


def _lists(here: Sequence[str], known: Sequence[str], rng: Rng, *, n_few: int, all_share: float) -> list[list[str]]:
    few = [_few(here, known, rng) for _ in range(n_few)]
    return [_asked(here, known, rng, all_share=all_share), *few]


def _absent(here: Sequence[str], known: Sequence[str]) -> list[str]:
    return [label for label in (*known, *NEVER_DRAWN[:2]) if label not in here]


def _few(here: Sequence[str], known: Sequence[str], rng: Rng) -> list[str]:
    """Draw one to three names, of which mostly all are there, now and then fewer or none."""
    absent = _absent(here, known)
    n_asked = int(rng.integers(1, MOST_FEW + 1))
    most = min(n_asked, len(here))
    n_here = 0
    if here and rng.random() >= NONE_THERE_SHARE:
        n_here = max(1, most + 1 - int(rng.geometric(ALL_THERE_SHARE)))
    return _shuffled([*_shuffled(here, rng)[:n_here], *_shuffled(absent, rng)[: n_asked - n_here]], rng)


def _asked(here: Sequence[str], known: Sequence[str], rng: Rng, *, all_share: float) -> list[str]:
    """Draw the names that are asked for: all known ones, one that is there, some with up to two absent, or none there.

    They come in any order.
    """
    absent = _absent(here, known)
    draw = rng.random()
    if draw < all_share:
        chosen = list(known)
        return chosen if rng.random() < 0.5 else _shuffled(chosen, rng)
    if not here or draw < all_share + 0.1:
        return _shuffled(absent, rng)[: rng.integers(1, 4)]
    if draw < all_share + 0.35:
        return [str(rng.choice(here))]
    some = _shuffled(here, rng)[: rng.integers(1, len(here) + 1)]
    return _shuffled([*some, *_shuffled(absent, rng)[: rng.integers(0, 3)]], rng)


def _shuffled(names: Sequence[str], rng: Rng) -> list[str]:
    return [names[i] for i in rng.permutation(len(names))]


def _countable(scene: Scene, rng: Rng) -> list[str]:
    kinds = Counter(t.kind for t in scene.things)
    here = sorted(kinds)
    pairs = Counter(f"{t.colour} {t.kind}" for t in scene.things)
    absent = f"{rng.choice(COLOURS)} {rng.choice(THINGS)}"
    options = ["object"]
    if here:
        options += [max(here, key=lambda kind: kinds[kind]), str(rng.choice(here))]
        options += [max(sorted(pairs), key=lambda pair: pairs[pair]), str(rng.choice(sorted(pairs)))]
    if rng.random() < 0.5:
        options.append(absent if rng.random() < 0.5 else str(rng.choice((*THINGS, NEVER_DRAWN[0]))))
    return sorted(set(options))


def _class_lessons(scene: Scene, rng: Rng) -> Iterator[Lesson]:
    here = present(scene)
    if rng.random() < 0.3:
        lang = _lang(rng)
        named = [name(label, lang) for label in here]
        yield Lesson("names", WORDINGS[lang].segment_all, classes_answer(named, lang, background=False), lang)
    for asked in _lists(here, CLASSES, rng, n_few=FEW_MAPS, all_share=0.4):
        lang, background = _lang(rng), rng.random() < 0.3
        names = _names_lang(lang, rng)
        question = WORDINGS[lang].segment([name(label, names) for label in asked], background=background)
        found = [name(label, names) for label in asked if label in here]
        yield Lesson("names", question, classes_answer(found, lang, background=background), lang)


def _small_questions(scene: Scene, rng: Rng) -> Iterator[Lesson]:
    if largest := primary(scene):
        lang = _lang(rng)
        yield Lesson("classify", WORDINGS[lang].classify, name(largest.kind, lang), lang)
        lang = _lang(rng)
        question = "What colour is the largest object?" if lang == "en" else "最大的物体是什么颜色？"
        yield Lesson("ask", question, name(largest.colour, lang), lang)
    kinds = Counter(t.kind for t in scene.things)
    for thing in scene.things:
        if kinds[thing.kind] == 1 and rng.random() < 0.4:
            lang = _lang(rng)
            yield Lesson("ask", _what_colour(thing.kind, lang), name(thing.colour, lang), lang)
    lang = _lang(rng)
    label, there = _maybe_there(scene, rng)
    yield Lesson("ask", _is_there(label, lang), WORDS[lang].yes if there else WORDS[lang].no, lang)
    if rng.random() < 0.25:
        lang = _lang(rng)
        yield Lesson("describe", str(rng.choice(WHAT_IS_SEEN[lang][:2])), describe(scene, lang), lang)
    if rng.random() < 0.05:
        lang = _lang(rng)
        yield Lesson("dense", WORDINGS[lang].depth, WORDS[lang].depth, lang)


def _maybe_there(scene: Scene, rng: Rng) -> tuple[str, bool]:
    """Draw a class that is there or, as often, one that is not."""
    here = present(scene)
    absent = [label for label in (*CLASSES, *NEVER_DRAWN[:3]) if label not in here]
    there = bool(rng.random() < 0.5)
    return str(rng.choice(here if there else absent)), there


def _chat(scene: Scene, frame: Frame, lang: Lang, rng: Rng) -> Lesson:
    """Return a question that leans on one or two earlier ones."""
    draw = rng.random()
    if draw < 0.4 or not scene.things:
        return _counting_on(scene, lang, rng)
    if draw < 0.6:
        return _asking_on(scene, lang, rng)
    asked = WORDINGS[lang]
    colour = "What colour is it?" if lang == "en" else "它是什么颜色？"
    largest = primary(scene)
    if largest and draw < 0.75:
        history = ((asked.classify, name(largest.kind, lang)),)
        return Lesson("chat", colour, name(largest.colour, lang), lang, history)
    phrases = [(p, i) for p, i in referring(scene) if not any(word in p for word in COLOURS)]
    if not phrases:
        return _counting_on(scene, lang, rng)
    phrase, which = phrases[rng.integers(len(phrases))]
    history = ((asked.ground.format(name(phrase, lang)), box(frame, scene.things[which])),)
    return Lesson("chat", colour, name(scene.things[which].colour, lang), lang, history)


def _counting_on(scene: Scene, lang: Lang, rng: Rng) -> Lesson:
    here = {t.kind for t in scene.things}
    kinds = _shuffled(THINGS, rng)
    kinds = [*(kind for kind in kinds if kind in here), *(kind for kind in kinds if kind not in here)]
    asked = _shuffled(kinds[:3], rng)[: rng.integers(2, 4)]
    turns = [(_counts(kind, lang, first=i == 0), str(count(scene, kind))) for i, kind in enumerate(asked)]
    return Lesson("chat", *turns[-1], lang, tuple(turns[:-1]))


def _counts(kind: str, lang: Lang, *, first: bool) -> str:
    if first:
        return WORDINGS[lang].count.format(name(kind, lang))
    return f"And how many {plural(kind)}?" if lang == "en" else f"那{name(kind, lang)}呢？"


def _asking_on(scene: Scene, lang: Lang, rng: Rng) -> Lesson:
    words = WORDS[lang]
    turns: list[tuple[str, str]] = []
    labels = dict(_maybe_there(scene, rng) for _ in range(int(rng.integers(2, 4))))
    if len(labels) == 1:
        return _counting_on(scene, lang, rng)
    for label, there in labels.items():
        more = f"And a {label}?" if lang == "en" else f"有{name(label, lang)}吗？"
        turns.append((more if turns else _is_there(label, lang), words.yes if there else words.no))
    return Lesson("chat", *turns[-1], lang, tuple(turns[:-1]))


def corpus() -> Iterator[str]:
    """Yield the text on which a tokenizer is trained."""
    from scripts.nano.corpus import (
        corpus_lines,
    )  # it holds the words of screens, whose lessons are built with this file

    return corpus_lines()
