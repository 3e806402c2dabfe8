"""Questions about a drawn screen and their one right answer."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from scripts.nano.answers import Frame, point
from scripts.nano.lessons import Lesson
from scripts.nano.screen_words import KINDS, click_answer, element_phrase, instruction, shows
from scripts.nano.screens import Element, Screen
from youtu_gguf.prompts import WORDINGS

GROUNDED, CLICKED = 5, 8
"""Questions for a place on a screen."""
CLICK_PX = 10
"""Distance of the points that are clicked, which is less than the size of any element: few numbers are easier to write
than many."""


def screen_frame(screen: Screen, width: int, height: int) -> Frame:
    """Return the frame of a screen prepared to this size."""
    rows, cols = screen.rgb.shape[:2]
    return Frame(width / cols, height / rows, width, height)


def texts(screen: Screen) -> list[str]:
    """Return all texts in reading order: the title, then from top to bottom and from left to right; icons have none."""
    written = [element for element in screen.elements if element.kind != "icon"]
    return [element.text for element in sorted(written, key=_place)]


def _place(element: Element) -> tuple[float, float]:
    return element.box[1], element.box[0]


def middle(element: Element, frame: Frame) -> tuple[int, int]:
    """Return where to click in px of the prepared image: the point of a grid that is nearest to the middle."""
    x1, y1, x2, y2 = element.box
    across, down = ((x1 + x2) / 2 * frame.across, (y1 + y2) / 2 * frame.down)
    return CLICK_PX * round(across / CLICK_PX), CLICK_PX * round(down / CLICK_PX)


def box(frame: Frame, element: Element) -> str:
    """Write an element's box."""
    x1, y1, x2, y2 = element.box
    return f"<box>{point(frame, x1, y1)}{point(frame, x2, y2)}</box>"


def screen_lessons(screen: Screen, frame: Frame, rng: np.random.Generator) -> Iterator[Lesson]:
    """Yield questions for places and texts, in the language of the screen."""
    lang, elements = screen.lang, screen.elements
    asked = WORDINGS[lang]
    for index in rng.permutation(len(elements))[:GROUNDED]:
        element = elements[index]
        phrase = element_phrase(element.kind, element.text, lang)
        yield Lesson("ground", asked.ground.format(phrase), box(frame, element), lang)
    yield Lesson("ocr", asked.ocr, " ".join(texts(screen)), lang)
    buttons = [element for element in elements if element.kind == "button"]
    name = KINDS["button"][lang]
    listed = "".join(box(frame, element) for element in sorted(buttons, key=_place))
    if listed:
        yield Lesson("detect", asked.detect([name]), f"<ref>{name}</ref>{listed}", lang)
    yield Lesson("count", asked.count.format(name), str(len(buttons)), lang)
    title = next(element.text for element in elements if element.kind == "window")
    yield Lesson("describe", asked.describe, shows(title, lang), lang)


def click_lessons(screen: Screen, frame: Frame, rng: np.random.Generator) -> Iterator[Lesson]:
    """Yield instructions with the click that carries them out."""
    able = [element for element in screen.elements if element.kind != "window"]
    for index in rng.permutation(len(able))[:CLICKED]:
        element = able[index]
        asked = instruction(element.kind, element.text, screen.lang, int(rng.integers(2)))
        yield Lesson("click", asked, click_answer(*middle(element, frame), screen.lang), screen.lang)
