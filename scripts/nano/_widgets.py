"""How the elements of drawn screens are painted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from scripts.nano._paint import draw_frame, noise, sensor_noise
from scripts.nano.glyphs import BOLD, spans, width_of, write

F32 = NDArray[np.float32]
Rng = np.random.Generator
Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Theme:
    """Colours (3,) and the height of letters in px."""

    desk: F32
    panel: F32
    title: F32
    on_title: F32
    text: F32
    button: F32
    on_button: F32
    field: F32
    line: F32
    text_px: int
    weight: int


def _colour(*rgb: float) -> F32:
    return np.array(rgb, np.float32)


_ACCENTS = ((52, 104, 192), (40, 128, 96), (150, 60, 120), (190, 96, 40), (88, 88, 100), (70, 60, 160), (36, 130, 150))


def pick_theme(rng: Rng) -> Theme:
    """Draw a light or a dark theme with one accent."""
    accent = _colour(*_ACCENTS[int(rng.integers(len(_ACCENTS)))]) * np.float32(rng.uniform(0.85, 1.1))
    dark = rng.random() < 0.35
    panel = _colour(*([rng.uniform(34, 62)] * 3 if dark else [rng.uniform(222, 250)] * 3))
    text = _colour(*([rng.uniform(215, 245)] * 3 if dark else [rng.uniform(10, 50)] * 3))
    plain = panel + np.float32(26 if dark else -26)
    filled = rng.random() < 0.5
    desk = rng.uniform(30, 190, 3).astype(np.float32)
    return Theme(
        desk=desk,
        panel=panel,
        title=accent if rng.random() < 0.6 else panel * np.float32(1.25 if dark else 0.86),
        on_title=_colour(245, 245, 245) if dark or accent.mean() < 140 else text,
        text=text,
        button=accent if filled else plain,
        on_button=_colour(248, 248, 248) if filled else text,
        field=panel + np.float32(16 if dark else 5),
        line=panel + np.float32(70 if dark else -90),
        text_px=int(rng.integers(30, 41)),
        weight=int(rng.random() < 0.4),
    )


class Painter:
    """A screen in the making.

    Attributes:
        letters: All that were written, each with its box x1, y1, x2, y2 in px, as high as the line.
    """

    def __init__(self, rng: Rng, width: int, height: int, theme: Theme) -> None:
        self._rng, self.width, self.height, self.theme = rng, width, height, theme
        ramp = np.linspace(-1, 1, height, dtype=np.float32)[:, None, None] * np.float32(rng.uniform(-30, 30))
        self._image: F32 = np.repeat(theme.desk + ramp, width, axis=1).astype(np.float32)
        if rng.random() < 0.5:
            self._image += noise(rng, height, width, 20.0)[..., None] * np.float32(rng.uniform(3, 14))
        self._round = int(rng.integers(0, 7))
        self.letters: list[tuple[str, tuple[float, float, float, float]]] = []

    def measure(self, text: str) -> int:
        """Return the width of a text in px."""
        return width_of(text, self.theme.text_px, self.theme.weight)

    def window(self, box: Box, bar: int, title: str) -> None:
        """Paint a window with its title bar."""
        x1, y1, x2, y2 = box
        self._fill(box, self.theme.panel)
        self._fill((x1, y1, x2, y1 + bar), self.theme.title)
        cv2.rectangle(self._image, (x1, y1), (x2 - 1, y2 - 1), _values(self.theme.line), 1)
        self.label(title, (x1 + 8, y1, x2 - 40, y1 + bar), centred=False, colour=self._readable(), weight=BOLD)
        for number in range(2):
            middle = (x2 - 12 - 16 * number, y1 + bar // 2)
            cv2.circle(
                self._image, middle, 5, (224.0, 84.0, 72.0) if number == 0 else (236.0, 188.0, 60.0), -1, cv2.LINE_AA
            )

    def _readable(self) -> F32:
        dark = self.theme.title.mean() < 140
        return _colour(246, 246, 246) if dark else _colour(28, 28, 28)

    def strip(self, box: Box) -> None:
        """Paint the ground of a menu bar."""
        self._fill(box, self.theme.panel * np.float32(0.94))

    def label(
        self, text: str, box: Box, *, centred: bool = True, colour: F32 | None = None, weight: int | None = None
    ) -> None:
        """Write a text in a box."""
        weight = self.theme.weight if weight is None else weight
        x1, y1, x2, y2 = box
        wide, tall = width_of(text, self.theme.text_px, weight), self.theme.text_px
        left = x1 + max(0, (x2 - x1 - wide) // 2) if centred else x1
        top = y1 + max(0, (y2 - y1 - tall) // 2)
        write(self._image, text, left, top, tall, self.theme.text if colour is None else colour, weight)
        for letter, (begin, end) in zip(text, spans(text, tall, weight), strict=True):
            self.letters.append((letter, (left + begin, float(top), left + end, float(top + tall))))

    def button(self, box: Box, text: str) -> None:
        """Paint a button."""
        x1, y1, x2, y2 = box
        alpha = np.zeros((y2 - y1, x2 - x1), np.float32)
        radius = min(self._round, (y2 - y1) // 2)
        inner = (slice(radius, y2 - y1 - radius), slice(None)), (slice(None), slice(radius, x2 - x1 - radius))
        for part in inner:
            alpha[part] = 1
        for cx in (radius, x2 - x1 - 1 - radius):
            for cy in (radius, y2 - y1 - 1 - radius):
                cv2.circle(alpha, (cx, cy), radius, 1.0, -1, cv2.LINE_AA)
        area = self._image[y1:y2, x1:x2]
        area += alpha[..., None] * (self.theme.button - area)
        self.label(text, box, colour=self.theme.on_button)

    def field(self, box: Box) -> None:
        """Paint an empty field."""
        x1, y1, x2, y2 = box
        self._fill(box, self.theme.field)
        cv2.rectangle(self._image, (x1, y1), (x2 - 1, y2 - 1), _values(self.theme.line), 1)

    def icon(self, which: int, box: Box) -> None:
        """Paint a pictogram: see `screen_words.ICONS`."""
        x1, y1, x2, y2 = box
        tile = (
            _colour(*self._rng.uniform(190, 250, 3))
            if self._rng.random() < 0.7
            else _colour(*self._rng.uniform(20, 80, 3))
        )
        self._fill(box, tile)
        ink = _colour(30, 34, 44) if tile.mean() > 140 else _colour(240, 240, 240)
        alpha = np.zeros((64, 64), np.uint8)
        _PICTOGRAMS[which](alpha)
        small = cv2.resize(alpha, (x2 - x1 - 6, y2 - y1 - 6), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
        area = self._image[y1 + 3 : y2 - 3, x1 + 3 : x2 - 3]
        area += small[..., None] * (ink - area)

    def finished(self) -> NDArray[np.uint8]:
        """Return the image (H, W, 3), with a little noise and the dark frame."""
        image = self._image + sensor_noise(self._rng, self.height, self.width) * np.float32(3 * self._rng.random() ** 2)
        rgb = np.asarray(np.clip(image, 0, 255), np.uint8)
        draw_frame(self._rng, rgb)
        return rgb

    def _fill(self, box: Box, colour: F32) -> None:
        x1, y1, x2, y2 = box
        self._image[y1:y2, x1:x2] = colour


def _values(colour: F32) -> list[float]:
    return [float(v) for v in colour]


Alpha = NDArray[np.uint8]


def _poly(alpha: Alpha, points: Sequence[tuple[float, float]], value: int = 255) -> None:
    cv2.fillPoly(alpha, [np.array(points, np.int32)], value, cv2.LINE_AA)


def _disc(alpha: Alpha, x: int, y: int, radius: int, value: int = 255) -> None:
    cv2.circle(alpha, (x, y), radius, value, -1, cv2.LINE_AA)


def _gear(alpha: Alpha) -> None:
    for turn in np.arange(8) * np.pi / 4:
        end = (int(32 + 29 * np.cos(turn)), int(32 + 29 * np.sin(turn)))
        cv2.line(alpha, (32, 32), end, 255, 10, cv2.LINE_AA)
    _disc(alpha, 32, 32, 21)
    _disc(alpha, 32, 32, 9, 0)


def _folder(alpha: Alpha) -> None:
    _poly(alpha, [(4, 14), (24, 14), (30, 21), (60, 21), (60, 54), (4, 54)])
    cv2.line(alpha, (4, 28), (60, 28), 0, 3)


def _heart(alpha: Alpha) -> None:
    _disc(alpha, 20, 22, 15)
    _disc(alpha, 44, 22, 15)
    _poly(alpha, [(6, 28), (58, 28), (32, 59)])


def _house(alpha: Alpha) -> None:
    _poly(alpha, [(32, 5), (61, 33), (3, 33)])
    _poly(alpha, [(12, 31), (52, 31), (52, 59), (12, 59)])
    _poly(alpha, [(26, 40), (38, 40), (38, 59), (26, 59)], 0)


def _bin(alpha: Alpha) -> None:
    _poly(alpha, [(12, 20), (52, 20), (47, 60), (17, 60)])
    _poly(alpha, [(8, 11), (56, 11), (56, 17), (8, 17)])
    _poly(alpha, [(25, 4), (39, 4), (39, 11), (25, 11)])
    for x in (25, 32, 39):
        cv2.line(alpha, (x, 27), (x, 54), 0, 3)


def _bell(alpha: Alpha) -> None:
    _disc(alpha, 32, 26, 18)
    _poly(alpha, [(14, 26), (50, 26), (57, 48), (7, 48)])
    _disc(alpha, 32, 54, 7)


def _clock(alpha: Alpha) -> None:
    _disc(alpha, 32, 32, 28)
    _disc(alpha, 32, 32, 22, 0)
    cv2.line(alpha, (32, 32), (32, 16), 255, 5, cv2.LINE_AA)
    cv2.line(alpha, (32, 32), (44, 38), 255, 5, cv2.LINE_AA)


def _cloud(alpha: Alpha) -> None:
    for x, y, radius in ((20, 38, 13), (34, 28, 16), (47, 39, 12)):
        _disc(alpha, x, y, radius)
    _poly(alpha, [(20, 36), (47, 36), (47, 51), (20, 51)])


_PICTOGRAMS = (_gear, _folder, _heart, _house, _bin, _bell, _clock, _cloud)
