"""Shards of screens, with the usual questions or with clicks, and of images that are nothing drawn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from scripts.nano.answers import Frame
from scripts.nano.examples import MAX_TOKENS, n_images, some_grid
from scripts.nano.lessons import stranger_lessons
from scripts.nano.screen_lessons import click_lessons, screen_frame, screen_lessons
from scripts.nano.screen_words import LETTERS
from scripts.nano.screens import Screen, draw_screen
from scripts.nano.shards import WORDS_PER_THING, Shard, Taught, bare_targets, teach
from scripts.nano.strangers import draw_stranger
from scripts.nano.targets import DEPTH_PX, LABEL_PX, LETTER_PX, MAX_THINGS, TOKEN_PX, U8, box_targets
from scripts.nano.tokenizer import Tokenizer
from youtu_gguf.facts import VISION_START
from youtu_gguf.images.load import prepare
from youtu_gguf.prompts import WORDINGS, opening
from youtu_gguf.types import Lang

SCREEN_ROWS, SCREEN_COLS = (8, 13), (8, 14)
"""Least and most rows and columns of image tokens of screens."""
SMALL_SHARE, LARGE_SHARE = 0.5, 0.3
"""Shares, of the shards of images that are nothing drawn, of those as small as scenes and as large as photographs."""
SOME_ROWS, LARGE_TOKENS = (8, 20), (300, MAX_TOKENS)
"""Least and most rows and columns of the others, and image tokens of the large ones."""
WHOLE_CLICKS = 2
"""Clicks on a screen that are learned to their end; of the others, the point."""
ASPECTS = (1.0, 4 / 3, 3 / 2, 16 / 9)
STRANGE_BIN = 500
"""Depth bin of every cell of an image that is nothing drawn."""
NO_CLASS = 255
"""Label of its pixels."""


def make_screens(seed: int, tokenizer: Tokenizer) -> Shard:
    """Draw screens of one grid with the questions that scenes are asked too."""
    return _shard_of_screens(seed, tokenizer, clicks=False)


def make_clicks(seed: int, tokenizer: Tokenizer) -> Shard:
    """Draw screens of one grid and language with instructions; the system text names their size."""
    return _shard_of_screens(seed, tokenizer, clicks=True)


def _shard_of_screens(seed: int, tokenizer: Tokenizer, *, clicks: bool) -> Shard:
    rng = np.random.default_rng([seed, 9, clicks])
    rows, cols = (int(rng.integers(low, high + 1)) for low, high in (SCREEN_ROWS, SCREEN_COLS))
    images, words, letters = [], [], []
    asked: Lang = "zh" if rng.random() < 0.4 else "en"
    for number in range(n_images(rows, cols)):
        own = np.random.default_rng([seed + number, 10])
        size = (TOKEN_PX * cols - int(own.integers(0, TOKEN_PX)), TOKEN_PX * rows - int(own.integers(0, TOKEN_PX)))
        screen = draw_screen(seed + number, size, asked if clicks else None)
        prepared, _ = prepare(screen.rgb, MAX_TOKENS)
        frame = screen_frame(screen, cols * TOKEN_PX, rows * TOKEN_PX)
        lessons = click_lessons(screen, frame, own) if clicks else screen_lessons(screen, frame, own)
        boxes, telling = zip(*((element.box, element.telling) for element in screen.elements), strict=True)
        targets = box_targets(boxes, telling, frame, rows, cols)
        taught = [teach(tokenizer, lesson) for lesson in lessons]
        if clicks:
            taught[WHOLE_CLICKS:] = (_up_to_point(one, tokenizer) for one in taught[WHOLE_CLICKS:])
        images.append((prepared.rgb, targets, taught))
        words.append(_words(screen, tokenizer))
        letters.append(_letters(screen, frame, rows, cols))
    if not clicks:
        return replace(Shard.of("screen", (rows, cols), images, np.stack(words)), letters=np.stack(letters))
    system = WORDINGS[asked].clicking(cols * TOKEN_PX, rows * TOKEN_PX)
    before = tokenizer.encode("".join(map(str, (*opening(system), VISION_START))))
    clicking = Shard.of("click", (rows, cols), images, np.stack(words), tuple(before))
    return replace(clicking, letters=np.stack(letters))


def _up_to_point(click: Taught, tokenizer: Tokenizer) -> Taught:
    """Cut an answer off behind its point: the call after it is the same in every answer but for the numbers."""
    coordinates = tokenizer.coordinates
    last = max(i for i, token in enumerate(click.answer) if token in coordinates)
    return click._replace(answer=click.answer[: last + 1])


def _words(screen: Screen, tokenizer: Tokenizer) -> npt.NDArray[np.int32]:
    """Return the tokens of what is written on each element: at the beginning of a text, and after a blank."""
    words = np.zeros((MAX_THINGS, WORDS_PER_THING), np.int32)
    for row, element in zip(words, screen.elements, strict=False):
        forms = [element.text] if screen.lang == "zh" else [element.text, f" {element.text}"]
        tokens = dict.fromkeys(tokenizer.encode(form)[0] for form in forms)
        row[: len(tokens)] = [*tokens]
    return words


def _letters(screen: Screen, frame: Frame, rows: int, cols: int) -> U8:
    """Return which letter lies in the middle of each cell: see `Shard.letters`."""
    cells = np.zeros((rows * TOKEN_PX // LETTER_PX, cols * TOKEN_PX // LETTER_PX), np.uint8)
    for letter, (x1, y1, x2, y2) in screen.letters:
        left, right = (max(0, round(x * frame.across / LETTER_PX)) for x in (x1, x2))
        top, bottom = (max(0, round(y * frame.down / LETTER_PX)) for y in (y1, y2))
        cells[top:bottom, left:right] = 1 + LETTERS.index(letter)
    return cells


def make_strangers(seed: int, tokenizer: Tokenizer) -> Shard:
    """Draw images that are nothing drawn, of one grid, and questions about them; no class and one depth are right."""
    rng = np.random.default_rng([seed, 11])
    rows, cols = strange_grid(rng)
    labels = np.full((rows * TOKEN_PX // LABEL_PX, cols * TOKEN_PX // LABEL_PX), NO_CLASS, np.uint8)
    bins = np.full((rows * TOKEN_PX // DEPTH_PX, cols * TOKEN_PX // DEPTH_PX), STRANGE_BIN, np.uint16)
    images = []
    for number in range(n_images(rows, cols)):
        rgb = draw_stranger(seed + number, (cols * TOKEN_PX, rows * TOKEN_PX))
        taught = [teach(tokenizer, lesson) for lesson in stranger_lessons(np.random.default_rng([seed + number, 12]))]
        images.append((rgb, bare_targets(rows, cols, labels, bins), taught))
    return Shard.of("stranger", (rows, cols), images)


def strange_grid(rng: np.random.Generator) -> tuple[int, int]:
    """Draw a grid: were all of these small, large images would have to be drawn scenes."""
    draw = rng.random()
    if draw < SMALL_SHARE:
        return some_grid(rng)
    if draw < 1 - LARGE_SHARE:
        low, high = SOME_ROWS
        return int(rng.integers(low, high + 1)), int(rng.integers(low, high + 1))
    n_tokens = np.exp(rng.uniform(*np.log(LARGE_TOKENS)))
    aspect = ASPECTS[int(rng.integers(len(ASPECTS)))]
    short, long = int(np.sqrt(n_tokens / aspect)), int(np.sqrt(n_tokens * aspect))
    return (long, short) if rng.random() < 0.3 else (short, long)
