"""Nano's questions and answers: one right answer each, in both languages, as the package asks and reads them."""

from __future__ import annotations

from collections import Counter
from functools import cache

import numpy as np
import pytest

import youtu_gguf as yg
from scripts.nano.answers import WORDS, boxes, classes_answer, describe, frame_of, name, plural, present
from scripts.nano.chinese import CHINESE_NAMES, chinese_phrase
from scripts.nano.lessons import REFUSAL, Lesson, after_image, corpus, lessons, pose_lesson, stranger_lessons
from scripts.nano.scenes import CLASSES, COLOURS, THINGS, Scene, draw, referring
from scripts.nano.tokenizer import N_MERGES, Tokenizer
from youtu_gguf.decode.boxes import parse_boxes
from youtu_gguf.decode.classes import parse_classes
from youtu_gguf.decode.counts import parse_count
from youtu_gguf.facts import VISION_END
from youtu_gguf.prompts import CHINESE, ENGLISH, WORDINGS, closing, opening
from youtu_gguf.testing import FakeEngine
from youtu_gguf.types import Lang, PreparedImage

SIZE = (256, 256)
LANGS: tuple[Lang, ...] = ("en", "zh")
REVERSED = {chinese: english for english, chinese in CHINESE_NAMES.items()}


@cache
def scenes() -> tuple[Scene, ...]:
    return tuple(draw(seed, SIZE) for seed in range(40))


@cache
def every_lesson() -> tuple[tuple[Scene, Lesson], ...]:
    rng = np.random.default_rng(0)
    return tuple((scene, lesson) for scene in scenes() for lesson in lessons(scene, frame_of(scene, *SIZE), rng))


@cache
def tokenizer() -> Tokenizer:
    return Tokenizer.train(corpus(), N_MERGES)


def of(task: str) -> list[tuple[Scene, Lesson]]:
    return [(scene, lesson) for scene, lesson in every_lesson() if lesson.task == task]


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        ("circle", "圆形"),
        ("the circle", "圆形"),
        ("red circle", "红色圆形"),
        ("the red person", "红色的人"),
        ("the left red circle", "左边的红色圆形"),
        ("the largest object", "最大的物体"),
        ("the farthest stone floor", "最远的石地板"),
    ],
)
def test_phrases_in_chinese(english: str, chinese: str) -> None:
    assert chinese_phrase(english) == chinese


def test_every_phrase_of_a_scene_has_its_own_chinese() -> None:
    for scene in scenes():
        english = [phrase for phrase, _ in referring(scene)]
        assert len({chinese_phrase(phrase) for phrase in english}) == len(set(english))


@pytest.mark.parametrize("phrase", ["the pink circle", "the heap", "The circle"])
def test_unknown_words_have_no_chinese(phrase: str) -> None:
    with pytest.raises(KeyError):
        chinese_phrase(phrase)


@pytest.mark.parametrize(("kind", "many"), [("circle", "circles"), ("cross", "crosses"), ("person", "persons")])
def test_plurals(kind: str, many: str) -> None:
    assert plural(kind) == many


def test_a_third_of_the_lessons_is_chinese_in_every_task() -> None:
    for task in ("detect", "ground", "polygon", "count", "ask", "names", "chat", "describe"):
        share = np.mean([lesson.lang == "zh" for _, lesson in of(task)])
        assert 0.2 < share < 0.5, task


def test_english_lessons_hold_no_chinese() -> None:
    for _, lesson in every_lesson():
        if lesson.lang == "en":
            assert f"{lesson.question}{lesson.answer}{lesson.history}".isascii()


def test_equal_seeds_give_equal_lessons() -> None:
    first, again = (list(lessons(scenes()[3], frame_of(scenes()[3], *SIZE), np.random.default_rng(7))) for _ in "ab")
    assert first == again


def test_a_question_has_one_answer() -> None:
    answers: dict[tuple[int, str, tuple[tuple[str, str], ...]], str] = {}
    for scene, lesson in every_lesson():
        key = scene.seed, lesson.question, lesson.history
        assert answers.setdefault(key, lesson.answer) == lesson.answer


@pytest.mark.parametrize("lang", LANGS)
def test_boxes_come_in_one_order_and_in_the_names_asked_for(lang: Lang) -> None:
    for scene in scenes():
        found = parse_boxes(boxes(frame_of(scene, *SIZE), scene.things, lang, names=lang))
        assert not found.issues
        kinds = [label if lang == "en" else REVERSED[label] for label in found.labels]
        assert Counter(kinds) == Counter(thing.kind for thing in scene.things)
        assert [THINGS.index(kind) for kind in kinds] == sorted(THINGS.index(kind) for kind in kinds)


def asked_names(lesson: Lesson) -> list[str]:
    asked = WORDINGS[lesson.lang]
    wordings = asked.detect_some, asked.segment_some, asked.segment_with_background
    for before, after in (wording.split("{}") for wording in wordings):
        if lesson.question.startswith(before) and lesson.question.endswith(after):
            listed = lesson.question.removeprefix(before).removesuffix(after)
            return listed.split(asked.between_names)
    return []


@pytest.mark.parametrize("task", ["detect", "names"])
def test_answers_name_what_is_there_of_what_was_asked_for(task: str) -> None:
    languages = set()
    for scene, lesson in of(task):
        asked = asked_names(lesson)
        if not asked:
            continue
        english = [REVERSED.get(label, label) for label in asked]
        here = {t.kind for t in scene.things} if task == "detect" else set(present(scene))
        found = parse_classes(lesson.answer)
        wanted = [label for label, plain in zip(asked, english, strict=True) if plain in here]
        assert not found.issues
        assert sorted(found.names) == sorted(wanted)
        if task == "names":
            assert list(found.names) == wanted
            assert found.background == (lesson.question[-1] not in ".。")
        if not wanted and not found.background:
            assert lesson.answer == WORDS[lesson.lang].nothing
        languages.add((lesson.lang, asked[0].isascii()))
    assert languages == {("en", True), ("zh", True), ("zh", False)}


def test_lists_hold_one_class_to_all_of_them() -> None:
    detect = Counter(len(asked_names(lesson)) for _, lesson in of("detect"))
    names = Counter(len(asked_names(lesson)) for _, lesson in of("names"))
    assert {1, 2, 3, len(THINGS)} <= set(detect)
    assert {1, 2, 3, 4, len(CLASSES)} <= set(names)
    nothing = [lesson.answer == WORDS[lesson.lang].nothing for _, lesson in of("detect") if asked_names(lesson)]
    assert 0.02 < np.mean(nothing) < 0.25


@pytest.mark.parametrize("task", ["detect", "names"])
def test_of_a_short_list_all_or_some_or_none_are_there(task: str) -> None:
    n_there: dict[int, list[int]] = {1: [], 2: [], 3: []}
    for scene, lesson in of(task):
        asked = [REVERSED.get(label, label) for label in asked_names(lesson)]
        here = {t.kind for t in scene.things} if task == "detect" else set(present(scene))
        if len(asked) in n_there:
            n_there[len(asked)].append(sum(label in here for label in asked))
    assert all({*range(length + 1)} == {*counts} for length, counts in n_there.items())
    for length in (2, 3):
        assert 0.1 < np.mean(np.array(n_there[length]) == length) < 0.6
        assert np.mean(np.array(n_there[length]) == 0) < 0.3


def test_yes_is_as_frequent_as_no() -> None:
    answers = [lesson.answer for _, lesson in of("ask")]
    yes, no = (
        sum(answer == getattr(WORDS[lang], word) for answer in answers for lang in LANGS) for word in ("yes", "no")
    )
    assert 0.25 < yes / (yes + no) < 0.75


def test_counts_are_numbers_of_things() -> None:
    for scene, lesson in of("count"):
        before, after = WORDINGS[lesson.lang].count.split("{}")
        what = lesson.question.removeprefix(before).removesuffix(after)
        fits = [
            t for t in scene.things
            if what in [name(w, lesson.lang) for w in ("object", t.kind, f"{t.colour} {t.kind}")]
        ]  # fmt: skip
        assert parse_count(lesson.answer).value == len(fits)


def test_descriptions() -> None:
    scene = next(s for s in scenes() if len(s.things) >= 3)
    english, chinese = describe(scene), describe(scene, "zh")
    for thing in scene.things:
        assert f"{thing.colour} {thing.kind}" in english
        assert chinese_phrase(f"{thing.colour} {thing.kind}") in chinese


@pytest.mark.parametrize(
    ("names", "lang", "background", "answer"),
    [
        (["sky"], "en", False, "The target categories include <ref>sky</ref>, numbered sequentially starting from 0."),
        (["天空"], "zh", True, "目标类别包括<ref>天空</ref><ref><OTHERS></ref>，从0开始依次编号。"),
        ([], "en", False, "There are none."),
        ([], "zh", False, "没有。"),
    ],
)
def test_answers_of_segmentation(names: list[str], lang: Lang, background: bool, answer: str) -> None:
    assert classes_answer(names, lang, background=background) == answer


def test_poses_are_also_asked_for_where_no_person_is() -> None:
    without = [s for s in scenes() if all(t.kind != "person" for t in s.things)]
    asked = [lesson for s in without if (lesson := pose_lesson(s, frame_of(s, *SIZE), "zh"))]
    assert 0 < len(asked) < len(without)
    assert {lesson.answer for lesson in asked} == {"没有。"}
    assert {lesson.question for lesson in asked} == {CHINESE.pose}


def picture() -> PreparedImage:
    return yg.load(engine=FakeEngine()).open(np.zeros((64, 64, 3), np.uint8)).prepared


@pytest.mark.parametrize("turns", [0, 1, 2])
def test_a_lesson_reads_as_the_prompt_of_a_conversation(turns: int) -> None:
    scene, lesson = next((s, x) for s, x in of("chat") + of("count") if len(x.history) == turns)
    engine = FakeEngine({"": "nothing"})
    chat = yg.load(engine=engine).open(scene.rgb).chat()
    for question, answer in lesson.history:
        chat.add(question, answer)
    chat.ask(lesson.question)
    prefix = engine.prefixes[-1]
    parts = opening(prefix.system, prefix.parts, prefix.turns)
    after = parts[next(i for i, part in enumerate(parts) if isinstance(part, PreparedImage)) + 1 :]
    # Words at the end of `opening` and those of the question are one text.
    last = after[-1] if after[-1] != VISION_END else ""
    whole = [*after[: len(after) - bool(last)], f"{last}{lesson.question}", *closing("")[1:]]
    assert list(after_image(lesson)) == whole


def test_conversations_lean_on_earlier_questions() -> None:
    assert {len(lesson.history) for _, lesson in of("chat")} == {1, 2}
    assert 0.05 < len(of("chat")) / len(every_lesson()) < 0.12


def test_strangers_are_always_refused() -> None:
    rng = np.random.default_rng(0)
    found = [lesson for _ in range(20) for lesson in stranger_lessons(rng)]
    assert {lesson.lang for lesson in found} == set(LANGS)
    assert all(lesson.task == "refuse" and lesson.answer == REFUSAL[lesson.lang] for lesson in found)
    assert len({lesson.question for lesson in found}) > 60


@pytest.mark.parametrize("lang", LANGS)
def test_the_package_reads_a_refusal_as_nothing(lang: Lang) -> None:
    scene = yg.load(engine=FakeEngine({"": REFUSAL[lang]})).open(np.zeros((64, 96, 3), np.uint8))
    assert scene.describe(lang=lang) == REFUSAL[lang]
    assert scene.count("cat", lang=lang).value is None
    found = (
        scene.detect(lang=lang), scene.detect(["cat"], lang=lang), scene.ground("the cat", lang=lang),
        scene.polygon("the cat", lang=lang), scene.pose(lang=lang), scene.segment(["cat"], lang=lang).classes,
        scene.segment(lang=lang).classes,
    )  # fmt: skip
    assert [len(values) for values in found] == [0] * len(found)


@pytest.mark.parametrize("label", [*CLASSES, *COLOURS])
def test_names_are_tokens_of_their_own(label: str) -> None:
    chinese = chinese_phrase(label)
    assert len(tokenizer().encode(label)) == len(label.split())
    (token,) = tokenizer().encode(chinese)
    for text in (
        f"左边的{chinese}",
        f"图片中有多少个{chinese}？",
        f"红色{chinese}是什么颜色？",
        f"图片中有{chinese}吗？",
    ):
        assert token in tokenizer().encode(text)


def test_questions_are_short_and_the_vocabulary_is_small() -> None:
    assert len(tokenizer().texts) <= 7500
    for asked, most in ((ENGLISH, 26), (CHINESE, 10)):
        for wording in (asked.describe, asked.count, asked.ground, asked.polygon, asked.segment_some, asked.detect_all):
            assert len(tokenizer().encode(wording)) <= most
        assert len(tokenizer().encode(asked.clicking(640, 480))) < 280
