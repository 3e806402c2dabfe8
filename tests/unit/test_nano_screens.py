"""Drawn screens: the same for a seed, everything in its place, and questions with answers that the package reads."""

from __future__ import annotations

import json
from itertools import chain

import numpy as np
import pytest
from PIL import Image

from scripts.nano._widgets import F32, pick_theme
from scripts.nano.glyphs import ATLAS, BOLD, HEIGHT_PX, REGULAR, TABLE, ink, tight_ink, width_of
from scripts.nano.screen_lessons import click_lessons, screen_frame, screen_lessons, texts
from scripts.nano.screen_words import ICONS, KINDS, WORDS
from scripts.nano.screens import draw_screen
from scripts.nano.targets import TOKEN_PX, box_targets
from youtu_gguf.decode.actions import parse_action
from youtu_gguf.decode.boxes import parse_boxes
from youtu_gguf.types import Lang, Size

SEEDS = range(40)
LANGUAGES: tuple[Lang, ...] = ("en", "zh")


def test_a_seed_always_gives_the_same_screen() -> None:
    first, again = draw_screen(7), draw_screen(7)
    assert np.array_equal(first.rgb, again.rgb)
    assert first.elements == again.elements
    assert not np.array_equal(first.rgb, draw_screen(7, lang="zh" if first.lang == "en" else "en").rgb)


def test_a_screen_too_small_for_a_window_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a screen of at least 224 px a side; got 300x200"):
        draw_screen(1, (300, 200))


def test_elements_lie_on_the_screen_and_can_be_told_apart() -> None:
    for seed in SEEDS:
        screen = draw_screen(seed)
        height, width = screen.rgb.shape[:2]
        for element in screen.elements:
            x1, y1, x2, y2 = element.box
            assert 0 < x1 < x2 < width
            assert 0 < y1 < y2 < height
            assert element.kind in KINDS
        names = [(element.kind, element.text) for element in screen.elements]
        assert len(set(names)) == len(names)
        assert sum(element.kind == "window" for element in screen.elements) == 1


def test_letters_spell_what_is_written_where_it_is_written() -> None:
    for seed in SEEDS:
        screen = draw_screen(seed)
        written = {element.text: element for element in screen.elements if element.kind != "icon"}
        texts_of: dict[str, list[str]] = {text: [] for text in written}
        for letter, (x1, y1, x2, y2) in screen.letters:
            (owner,) = {
                text
                for text, element in written.items()
                if element.telling[0] <= (x1 + x2) / 2 < element.telling[2]
                and element.telling[1] <= (y1 + y2) / 2 < element.telling[3]
            }
            texts_of[owner].append(letter)
        assert {text: "".join(letters) for text, letters in texts_of.items()} == {text: text for text in written}


def test_buttons_differ_from_what_is_around_them() -> None:
    for seed in SEEDS:
        screen = draw_screen(seed)
        for element in screen.elements:
            if element.kind == "button":
                x1, y1, x2, y2 = map(int, element.box)
                area = screen.rgb[y1:y2, x1:x2].astype(int)
                assert area.std() > 3, "a button without letters that can be seen"


def test_clicks_are_read_by_the_package_and_hit() -> None:
    for seed in SEEDS:
        screen = draw_screen(seed)
        size = Size(screen.rgb.shape[1] * 2, screen.rgb.shape[0] * 2)
        frame = screen_frame(screen, *size)
        for lesson in click_lessons(screen, frame, np.random.default_rng(seed)):
            found = parse_action(lesson.answer, size=size)
            assert (found.name, found.issues) == ("left_click", ())
            assert found.xy is not None
            hit = [
                element
                for element in screen.elements
                if element.kind != "window"
                and element.box[0] <= found.xy[0] / 2 < element.box[2]
                and element.box[1] <= found.xy[1] / 2 < element.box[3]
            ]
            assert any(element.text in lesson.question for element in hit)


def test_boxes_are_those_of_the_elements() -> None:
    for seed in SEEDS:
        screen = draw_screen(seed)
        frame = screen_frame(screen, screen.rgb.shape[1], screen.rgb.shape[0])
        boxes = {tuple(map(float, element.box)) for element in screen.elements}
        asked = [*screen_lessons(screen, frame, np.random.default_rng(seed))]
        for lesson in asked:
            assert lesson.lang == screen.lang
            if lesson.task in ("ground", "detect"):
                found = parse_boxes(lesson.answer)
                assert found.xyxy.shape[0]
                assert {tuple(map(float, box)) for box in found.xyxy} <= boxes
        (read,) = [lesson.answer for lesson in asked if lesson.task == "ocr"]
        assert read == " ".join(texts(screen))


def test_every_element_owns_tokens_and_a_window_only_those_of_its_title() -> None:
    rows, cols = 10, 12
    for seed in SEEDS:
        screen = draw_screen(seed, (cols * TOKEN_PX, rows * TOKEN_PX))
        boxes, telling = zip(*((element.box, element.telling) for element in screen.elements), strict=True)
        frame = screen_frame(screen, cols * TOKEN_PX, rows * TOKEN_PX)
        owner = box_targets(boxes, telling, frame, rows, cols).owner
        for number, element in enumerate(screen.elements):
            ys, xs = np.nonzero(owner == number)
            x1, y1, x2, y2 = np.array(element.telling) / TOKEN_PX
            assert len(ys)
            assert (x1 < xs + 1).all() and (xs < x2).all() and (y1 < ys + 1).all() and (ys < y2).all()


@pytest.mark.parametrize("lang", LANGUAGES)
def test_all_words_can_be_written(lang: Lang) -> None:
    for word in WORDS[lang]:
        assert ink(word, 18).max() > 0.8
        assert tight_ink(word, 20).shape[0] == 20
        assert width_of(word, 18, 1) >= width_of(word, 18, 0)


@pytest.mark.parametrize("weight", [REGULAR, BOLD])
def test_letters_are_those_of_the_picture(weight: int) -> None:
    picture = np.asarray(Image.open(ATLAS))[weight * HEIGHT_PX : (weight + 1) * HEIGHT_PX]
    table = json.loads(TABLE.read_text("utf-8"))[weight]
    for letter in "Qg7件":
        left, width = table[letter]
        assert np.array_equal(np.rint(ink(letter, HEIGHT_PX, weight) * 255), picture[:, left : left + width])


def test_texts_stand_out_from_what_they_are_written_on() -> None:
    for seed in range(200):
        theme = pick_theme(np.random.default_rng(seed))
        assert contrast(theme.text, theme.panel) > 7
        assert contrast(theme.on_button, theme.button) > 3


def contrast(one: F32, other: F32) -> float:
    """Return the contrast ratio of the Web Content Accessibility Guidelines 2; large text needs 3."""
    linear = [
        np.where((c := colour / 255) <= 0.03928, c / 12.92, ((c + 0.055) / 1.055) ** 2.4) for colour in (one, other)
    ]
    dark, light = sorted(float(colour @ np.array([0.2126, 0.7152, 0.0722])) for colour in linear)
    return (light + 0.05) / (dark + 0.05)


def test_letters_that_nobody_rendered_are_refused() -> None:
    with pytest.raises(ValueError, match="make_glyphs"):
        ink("ß", 20)


def test_both_languages_have_as_many_words_of_each_kind() -> None:
    assert len(WORDS["en"]) == len(set(WORDS["en"])) == len(WORDS["zh"]) == len(set(WORDS["zh"]))
    assert len(ICONS["en"]) == len(ICONS["zh"])
    assert {*chain(WORDS["en"])}.isdisjoint(WORDS["zh"])
