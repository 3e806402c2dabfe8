"""Drawn screens: a window with a menu bar, buttons, fields and icons, in English or Chinese.

A seed always gives the same bytes. The image has the thin dark frame that drawn scenes have (`scenes.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scripts.nano._widgets import Painter, pick_theme
from scripts.nano.screen_words import BUTTONS, FIELDS, ICONS, MENUS, WINDOWS
from youtu_gguf.types import Lang

Rng = np.random.Generator
Box = tuple[float, float, float, float]
_Px = tuple[int, int, int, int]

SIZES = (288, 448)
"""Sides of screens in px."""
LEAST_PX = 224
_EDGE = 6
_MOST = 10
"""Elements at most."""


@dataclass(frozen=True)
class Element:
    """Something on a screen that can be named.

    Args:
        kind: One of `screen_words.KINDS`.
        box: x1, y1, x2, y2 in px; x2 and y2 are exclusive.
        text: What is written on it, or beside it; of an icon, what it shows.
        telling: The part of the screen that tells which one it is: the title bar of a window, a field with its label,
            of others the box.
    """

    kind: str
    box: Box
    text: str
    telling: Box


@dataclass(frozen=True)
class Screen:
    """A screen and what is on it.

    Args:
        seed: The seed from which it was drawn.
        rgb: (H, W, 3).
        elements: From the back to the front; texts are unique among them.
        letters: Everything written, letter by letter, each with its box in px.
        lang: The language of everything on it.
    """

    seed: int
    rgb: NDArray[np.uint8]
    elements: tuple[Element, ...]
    letters: tuple[tuple[str, Box], ...]
    lang: Lang


def draw_screen(seed: int, size: tuple[int, int] | None = None, lang: Lang | None = None) -> Screen:
    """Draw the screen of a seed.

    Args:
        seed: Not negative; from `scenes.TEST_SEEDS` on, never trained on.
        size: Width and height in px, at least `LEAST_PX` each; None draws them too.
        lang: None draws the language too.

    Raises:
        ValueError: The size is too small for a window with its elements.
    """
    rng = np.random.default_rng([seed, 8])
    width, height = size or (int(v) for v in rng.integers(SIZES[0], SIZES[1] + 1, 2))
    if min(width, height) < LEAST_PX:
        raise ValueError(f"expected a screen of at least {LEAST_PX} px a side; got {width}x{height}.")
    drawn: Lang = "zh" if rng.random() < 0.4 else "en"
    lang = lang or drawn
    painter = Painter(rng, width, height, pick_theme(rng))
    elements = _Layout(rng, painter, lang).elements()
    return Screen(seed, painter.finished(), tuple(elements), tuple(painter.letters), lang)


class _Layout:
    """Places elements on a screen and paints them."""

    def __init__(self, rng: Rng, painter: Painter, lang: Lang) -> None:
        self._rng, self._painter, self._lang = rng, painter, lang
        self._buttons = [BUTTONS[lang][i] for i in rng.permutation(len(BUTTONS[lang]))]
        self._found: list[Element] = []

    def elements(self) -> list[Element]:
        """Paint everything; return what can be named."""
        rng, painter, lang = self._rng, self._painter, self._lang
        width, height = painter.width, painter.height
        icons_on_left = rng.random() < 0.6
        left = _EDGE + (int(rng.integers(52, 68)) if icons_on_left else int(rng.integers(0, 12)))
        top, right = _EDGE + int(rng.integers(0, 14)), width - _EDGE - int(rng.integers(0, 14))
        bottom = height - _EDGE - int(rng.integers(0, 20))
        if icons_on_left:
            self._icons(_EDGE, left - 4, top)
        title = str(rng.choice(WINDOWS[lang]))
        bar = self._tall(2, 10)
        painter.window((left, top, right, bottom), bar, title)
        self._add("window", (left, top, right, bottom), title, telling=(left, top, right, top + bar))
        at = top + bar
        if rng.random() < 0.55:
            at = self._menus(left, at, right)
        at = self._fields(left + 8, at + 8, right - 8, bottom)
        self._rows_of_buttons(left + 8, at + 8, right - 8, bottom - 6)
        return self._found

    def _add(self, kind: str, box: _Px, text: str, telling: _Px | None = None) -> None:
        self._found.append(Element(kind, _floats(box), text, _floats(telling or box)))

    def _tall(self, least: int, most: int) -> int:
        """Draw the height of a line with so much space around it."""
        return self._painter.theme.text_px + int(self._rng.integers(least, most))

    def _room(self) -> int:
        return _MOST - len(self._found)

    def _icons(self, left: int, right: int, top: int) -> None:
        side = min(right - left - 4, int(self._rng.integers(42, 58)))
        names = ICONS[self._lang]
        at = top + int(self._rng.integers(0, 10))
        for which in self._rng.permutation(len(names))[: int(self._rng.integers(1, 4))]:
            if at + side > self._painter.height - _EDGE:
                break
            x = left + (right - left - side) // 2
            self._painter.icon(int(which), (x, at, x + side, at + side))
            self._add("icon", (x, at, x + side, at + side), names[int(which)])
            at += side + int(self._rng.integers(10, 24))

    def _menus(self, left: int, top: int, right: int) -> int:
        tall = self._tall(0, 6)
        self._painter.strip((left + 1, top, right - 1, top + tall))
        at = left + 4
        for name in MENUS[self._lang]:
            wide = self._painter.measure(name) + 14
            if at + wide > right - 4 or self._room() < 4:
                break
            self._painter.label(name, (at, top, at + wide, top + tall))
            self._add("menu", (at, top, at + wide, top + tall), name)
            at += wide
        return top + tall

    def _fields(self, left: int, top: int, right: int, bottom: int) -> int:
        names = [FIELDS[self._lang][i] for i in self._rng.permutation(len(FIELDS[self._lang]))]
        labels = max(self._painter.measure(name) for name in names) + 8
        at = top
        for name in names[: int(self._rng.integers(0, 4))]:
            tall = self._tall(2, 10)
            if at + tall > bottom - self._painter.theme.text_px - 28 or right - left - labels < 50:
                break
            self._painter.label(name, (left, at, left + labels, at + tall), centred=False)
            box = (left + labels, at, right, at + tall)
            self._painter.field(box)
            self._add("field", box, name, telling=(left, at, right, at + tall))
            at += tall + int(self._rng.integers(6, 14))
        return at

    def _rows_of_buttons(self, left: int, top: int, right: int, bottom: int) -> None:
        at_y = top
        wanted = int(self._rng.integers(2, 6))
        while wanted > 0 and self._room() > 0:
            tall = self._tall(4, 14)
            if at_y + tall > bottom:
                return
            at_x = left + int(self._rng.integers(0, 16))
            while wanted > 0 and self._room() > 0:
                name = self._buttons[0]
                wide = self._painter.measure(name) + int(self._rng.integers(16, 40))
                if at_x + wide > right:
                    break
                box = (at_x, at_y, at_x + wide, at_y + tall)
                self._painter.button(box, name)
                self._add("button", box, self._buttons.pop(0))
                at_x += wide + int(self._rng.integers(8, 24))
                wanted -= 1
            at_y += tall + int(self._rng.integers(8, 22))


def _floats(box: _Px) -> Box:
    x1, y1, x2, y2 = box
    return float(x1), float(y1), float(x2), float(y2)
