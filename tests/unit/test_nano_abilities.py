"""The figures of what nano is to learn: perfect answers get all, nonsense gets nothing."""

from __future__ import annotations

from collections import Counter
from contextlib import closing

import numpy as np
import pytest

import youtu_gguf as yg
from scripts.nano.abilities import Ability, Chinese, Listed, Means, Turns, differences
from scripts.nano.answers import WORDS, box, boxes, classes_answer, count, describe, frame_of, name, plural
from scripts.nano.chinese import CHINESE_NAMES
from scripts.nano.lessons import REFUSAL
from scripts.nano.measures import named_in_chinese
from scripts.nano.other_images import PHOTOGRAPHS, ask_screen, ask_stranger, flat, held_out
from scripts.nano.questions import category_samples, some_kinds, two_kinds, two_there
from scripts.nano.scenes import CLASSES, THINGS, Scene, draw, referring
from scripts.nano.screen_lessons import box as element_box
from scripts.nano.screen_lessons import middle, screen_frame, texts
from scripts.nano.screen_words import click_answer, element_phrase, instruction
from scripts.nano.screens import Screen, draw_screen
from youtu_gguf.facts import BIN_TOKENS
from youtu_gguf.prompts import CHINESE, ENGLISH, WORDINGS
from youtu_gguf.testing import FakeEngine

SIZE = (224, 256)
FLAT = np.full((10, 10), 5.0)
WORDS_OF_CLASSES = [word for label in CLASSES for word in (*label.split(), CHINESE_NAMES[label])]
TOKENS = {token: number for number, token in enumerate(dict.fromkeys((*WORDS_OF_CLASSES, "<OTHERS>", *BIN_TOKENS)))}


def fake(answers: dict[str, str]) -> FakeEngine:
    return FakeEngine(answers, vocabulary=TOKENS)


def in_chinese(truth: Scene) -> dict[str, str]:
    """Return the right answers about a scene, by question."""
    frame = frame_of(truth, *SIZE)
    counted = ["object", *THINGS, *(f"{thing.colour} {thing.kind}" for thing in truth.things)]
    return {
        CHINESE.detect_all: boxes(frame, truth.things, "zh", names="zh"),
        CHINESE.ocr: " ".join(t.digits for t in truth.things if t.digits) or WORDS["zh"].no_text,
        CHINESE.describe: describe(truth, "zh"),
        CHINESE.classify: "".join(name(sample.truth.name, "zh") for sample in category_samples(truth)),
        **{CHINESE.ground.format(name(phrase, "zh")): box(frame, truth.things[i]) for phrase, i in referring(truth)},
        **{CHINESE.count.format(name(what, "zh")): str(count(truth, what)) for what in counted},
    }


def in_turns(truth: Scene) -> dict[str, str]:
    """Return the right answers to a question and to one that leans on it."""
    first = {ENGLISH.count.format(kind): str(count(truth, kind)) for kind in THINGS}
    return first | {f"And how many {plural(kind)}?": str(count(truth, kind)) for kind in THINGS}


def on(screen: Screen) -> dict[str, str]:
    """Return the right answers about a screen, by question."""
    lang, frame = screen.lang, screen_frame(screen, *SIZE)
    found = {WORDINGS[lang].ocr: " ".join(texts(screen))}
    for element in screen.elements:
        phrase = element_phrase(element.kind, element.text, lang)
        found[WORDINGS[lang].ground.format(phrase)] = element_box(frame, element)
        answer = click_answer(*middle(element, frame), lang)
        found |= {instruction(element.kind, element.text, lang, which): answer for which in range(2)}
    return found


def asked(ability: Ability, truths: list[Scene], answers: list[dict[str, str]]) -> dict[str, float]:
    for truth, known in zip(truths, answers, strict=True):
        with yg.load(engine=fake(known)) as model, closing(model.open(truth.rgb)) as scene:
            ability.add(truth, scene)
    return ability.figures()


@pytest.fixture(scope="module")
def truths() -> list[Scene]:
    return [draw(seed, SIZE) for seed in range(3)]


def test_right_answers_in_chinese_get_all(truths: list[Scene]) -> None:
    figures = asked(Chinese(), truths, [in_chinese(truth) for truth in truths])
    assert figures.pop("zh_segment_all_miou") < 0.5  # the fake sees nothing
    assert figures == dict.fromkeys(
        (
            "zh_detect_ap50",
            "zh_ground_acc50",
            "zh_count_exact",
            "zh_classify_accuracy",
            "zh_ocr_exact",
            "zh_describe_f1",
        ),
        pytest.approx(1),
    )


def test_nonsense_in_chinese_gets_nothing(truths: list[Scene]) -> None:
    nonsense = dict.fromkeys(in_chinese(truths[0]), "红色红色红色 <box><x_3>") | {"多少": "红色"}
    figures = asked(Chinese(), truths, [nonsense] * len(truths))
    figures.pop("zh_segment_all_miou")
    assert set(figures.values()) == {0}


def test_a_question_after_a_turn_has_one_right_number(truths: list[Scene]) -> None:
    assert asked(Turns(), truths, [in_turns(truth) for truth in truths]) == {"chat_exact": 1}
    wrong = {"How many": "1", "And how many": "seven"}
    assert asked(Turns(), truths, [wrong] * len(truths)) == {"chat_exact": 0}


def to_lists(truth: Scene, *, keeps: bool) -> dict[str, str]:
    """Return answers to questions about some kinds: with those that were asked for, or with all that are there."""
    names, frame = some_kinds(truth), frame_of(truth, *SIZE)
    told = [thing for thing in truth.things if thing.kind in names or not keeps]
    listed = classes_answer(sorted({thing.kind for thing in told}), background=False)
    two = two_there(truth)
    return {
        ENGLISH.detect(names): boxes(frame, told),
        ENGLISH.segment(names, background=False): listed,
        ENGLISH.segment(two, background=False): classes_answer(two[: 2 if keeps else 1], background=False),
    }


def test_who_keeps_to_a_list_of_names_gets_all() -> None:
    truths = [draw(seed, SIZE) for seed in range(8)]
    assert any({thing.kind for thing in truth.things} - {*some_kinds(truth)} for truth in truths)
    assert all({thing.kind for thing in truth.things} & {*some_kinds(truth)} for truth in truths)
    assert {len(some_kinds(truth)) for truth in truths} == {1, 2, 3}
    perfect = asked(Listed(), truths, [to_lists(truth, keeps=True) for truth in truths])
    assert perfect == {"detect_some_exact": 1, "segment_some_exact": 1, "segment_two_exact": 1}


def test_who_lists_what_was_not_asked_for_is_wrong_there() -> None:
    truths = [draw(seed, SIZE) for seed in range(8)]
    right = np.mean([{thing.kind for thing in truth.things} <= {*some_kinds(truth)} for truth in truths])
    found = asked(Listed(), truths, [to_lists(truth, keeps=False) for truth in truths])
    assert found["detect_some_exact"] == pytest.approx(right)
    assert found["segment_two_exact"] == 0
    assert 0 < right < 1


def test_no_number_suffices_for_all_questions_after_a_turn(truths: list[Scene]) -> None:
    asked_for = [(truth, two_kinds(truth)[1]) for truth in (draw(seed, SIZE) for seed in range(40))]
    numbers = Counter(count(truth, kind) for truth, kind in asked_for)
    assert max(numbers.values()) < 0.6 * len(asked_for)


@pytest.mark.parametrize("seed", (1, 2))
def test_right_answers_about_a_screen_get_all(seed: int) -> None:
    screen, means = draw_screen(seed, SIZE), Means()
    with yg.load(engine=fake(on(screen))) as model, closing(model.open(screen.rgb)) as scene:
        ask_screen(screen, scene, means)
    assert means.figures() == {"click_accuracy": 1, "screen_ground_acc50": 1, "screen_ocr_exact": 1}


@pytest.mark.parametrize("answer", ["", "Action: click.", "<x_3>", "<tool_call>{}</tool_call>"])
def test_an_answer_that_cannot_be_read_is_a_miss(answer: str) -> None:
    screen, means = draw_screen(1, SIZE), Means()
    with yg.load(engine=fake(dict.fromkeys(on(screen), answer))) as model, closing(model.open(screen.rgb)) as scene:
        ask_screen(screen, scene, means)
    assert means.figures() == {"click_accuracy": 0, "screen_ground_acc50": 0, "screen_ocr_exact": 0}


@pytest.mark.parametrize(
    ("answers", "refused"),
    [
        (dict.fromkeys((ENGLISH.describe, ENGLISH.detect_all), REFUSAL["en"]), 1),
        ({ENGLISH.describe: REFUSAL["en"], ENGLISH.detect_all: "<ref>star</ref><box><x_1><y_1><x_9><y_9></box>"}, 0),
        ({ENGLISH.describe: "The picture shows a red star; sky."}, 0),
    ],
)
def test_a_photograph_is_refused_in_words_and_without_boxes(answers: dict[str, str], refused: float) -> None:
    means = Means()
    with yg.load(engine=fake(answers)) as model, closing(model.open(np.zeros((64, 96, 3), np.uint8))) as scene:
        ask_stranger(scene, means)
    assert means.figures()["refused"] == refused
    assert means.figures()["zh_refused"] == 0


def test_maps_are_flat_where_nearly_all_is_background_and_of_one_depth() -> None:
    labels = np.full((10, 10), -1, np.int32)
    assert flat(labels, FLAT)
    labels[0, :5] = 3
    assert flat(labels, FLAT + np.linspace(-0.1, 0.1, 10))
    assert not flat(labels, FLAT + np.linspace(-1, 1, 10))
    labels[0, 5] = 3
    assert not flat(labels, FLAT)


def test_photographs_are_shown_whole_and_then_in_parts() -> None:
    n = len(PHOTOGRAPHS)
    shown = list(held_out(n + 2))
    for whole, part in zip(shown, shown[n:], strict=False):
        assert whole.shape[2] == part.shape[2] == 3
        assert 224 <= min(part.shape[:2]) <= 448
    assert all(np.array_equal(*pair) for pair in zip(shown[n:], list(held_out(n + 2))[n:], strict=True))


def test_chinese_descriptions_are_read(truths: list[Scene]) -> None:
    for truth in truths:
        expected = Counter((thing.colour, thing.kind) for thing in truth.things)
        assert named_in_chinese(describe(truth, "zh")) == expected
    assert named_in_chinese("两个红色圆形和一个蓝色的人") == {("red", "circle"): 2, ("blue", "person"): 1}


def test_differences_are_those_to_the_plain_form() -> None:
    figures = {"zh_ocr_exact": 0.7, "ocr_exact": 0.9, "zh_refused": 1.0, "zoom2_miou": 0.8, "one_look_miou": 0.75}
    assert differences(figures) == pytest.approx({"zh_ocr_exact": -0.2, "zoom2_miou": 0.05})
