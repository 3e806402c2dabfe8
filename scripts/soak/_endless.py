"""Answers that never end: what models get stuck in, with and without exact repetition. All are seeded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count, islice
from random import Random

WORDS = ("red", " red", " blue", " cup", " the", ",", " left", " of", " a", " table", " and", " on")
PIECES = 12_280
"""Tokens of the longest answer."""

Stream = Iterator[str]


def cycle(draw: Random, n_words: tuple[int, int], noise: float, vocabulary: int = 20) -> Stream:
    """Repeat a block of words, each of them replaced with the probability `noise`."""
    block = [
        f" word{chr(97 + draw.randrange(26))}{chr(97 + draw.randrange(26))}" for _ in range(draw.randint(*n_words))
    ]
    other = [" w" + "".join(draw.choices("abcdefghij", k=4)) for _ in range(vocabulary)]
    for n in count():
        yield draw.choice(other) if draw.random() < noise else block[n % len(block)]


def alternation(draw: Random, parts: tuple[str, ...]) -> Stream:
    """Yield `parts` in random order."""
    chance = [draw.uniform(0.2, 1) for _ in parts]
    while True:
        yield draw.choices(parts, chance)[0]


def sentences(draw: Random) -> Stream:
    """Two sentences in random order."""
    pair = [draw.choices(WORDS, k=draw.randint(6, 14)) for _ in range(2)]
    while True:
        yield from draw.choice(pair)
        yield "."


def stuck(draw: Random) -> Stream:
    """What the small model of this package says of photographs: a word, spelt two ways, and noise."""
    while True:
        if draw.random() < 0.8:
            yield draw.choices(("red", " red"), (3, 1))[0]
        else:
            yield draw.choice((" white", " a", "<ref>", "</ref>", f"<y_{draw.randint(100, 150)}>", " two", "<FG>", ","))


def drift(draw: Random, step: int) -> Stream:
    """Coordinates without end that creep."""
    x, y = draw.randrange(200), draw.randrange(200)
    for _ in count():
        x, y = (min(2047, v + draw.randint(1, step)) if v < 2047 else draw.randrange(99) for v in (x, y))
        yield f"<x_{x}>"
        yield f"<y_{y}>"


def wander(draw: Random) -> Stream:
    """Coordinates without end that jump about, in an outline that does not close, with a stray word now and then."""
    yield from ("<ins>", "<poly>")
    while True:
        if draw.random() < 0.03:
            yield draw.choice((" red", "</box>", "</poly>"))
        yield f"<x_{draw.randint(230, 330)}>"
        yield f"<y_{draw.randint(60, 160)}>"


def boxes(draw: Random, label: str, step: int) -> Stream:
    """Boxes that creep, each with a label; `#` in it is counted."""
    corners = [draw.randrange(300), draw.randrange(300), draw.randint(400, 900), draw.randint(400, 900)]
    moves = [draw.randint(-1, step) for _ in corners]
    for n in count():
        if label:
            yield from ("<ref>", label.replace("#", str(n)), "</ref>")
        yield "<box>"
        for axis, at in zip("xyxy", corners, strict=True):
            yield f"<{axis}_{at % 2048}>"
        yield "</box>"
        corners = [max(0, at + move) for at, move in zip(corners, moves, strict=True)]


def persons(draw: Random) -> Stream:
    """Persons, each a pixel or two beside the one before."""
    joints = [(draw.randrange(300), draw.randrange(600)) for _ in range(18)]
    for n in count():
        moved = [(f"<x_{(x + n) % 2048}>", f"<y_{y}>") for x, y in joints]
        yield from ("<person>", "<box>", *moved[0], *moved[1], "</box>")
        for point in moved[2:]:
            yield from ("<kpt>", *point, "<v_1.0>", "</kpt>")
        yield "</person>"


def outline(draw: Random) -> Stream:
    """Outlines of one object, each a pixel beside the one before."""
    points = [(draw.randrange(900), draw.randrange(900)) for _ in range(20)]
    for n in count():
        yield "<poly>"
        for x, y in points:
            yield from (f"<x_{x + n % 900}>", f"<y_{y}>")
        yield "</poly>"


def mutating(draw: Random, block: tuple[int, int]) -> Stream:
    """A paragraph that comes back with a word of it changed, for good, every hundred words or more."""
    words = [" w" + "".join(draw.choices("abcdefghij", k=3)) for _ in range(draw.randint(*block))]
    left = 0
    for n in count():
        left -= 1
        if left < 0:
            words[draw.randrange(len(words))] = " v" + "".join(draw.choices("abcdefghij", k=4))
            left = draw.randint(100, 250)
        yield words[n % len(words)]


ENDLESS: dict[str, Callable[[Random], Stream]] = {
    "a word": lambda draw: cycle(draw, (1, 1), 0),
    "a cycle of 2 to 8 words": lambda draw: cycle(draw, (2, 8), 0),
    "a cycle of 300 to 900 words": lambda draw: cycle(draw, (300, 900), 0),
    "a cycle of 1 to 8 words, 10 % noise": lambda draw: cycle(draw, (1, 8), 0.1, 1000),
    "a cycle of 1 to 8 words, 25 % noise": lambda draw: cycle(draw, (1, 8), 0.25, 1000),
    "a cycle of 9 to 60 words, 1 % noise": lambda draw: cycle(draw, (9, 60), 0.01, 1000),
    "a cycle of 9 to 20 words, 5 % noise": lambda draw: cycle(draw, (9, 20), 0.05),
    "two words in random order": lambda draw: alternation(draw, (" red", " blue")),
    "four words in random order": lambda draw: alternation(draw, (" red", " blue", "red", " cup")),
    "eight words in random order": lambda draw: alternation(draw, tuple(f" word{c}" for c in "abcdefgh")),
    "two digits in random order": lambda draw: alternation(draw, (" 0", " 1")),
    "two signs in random order": lambda draw: alternation(draw, ("红", "蓝")),
    "two sentences in random order": sentences,
    "stuck as nano is": stuck,
    "coordinates that creep": lambda draw: drift(draw, draw.randint(1, 3)),
    "coordinates that stride": lambda draw: drift(draw, draw.randint(9, 60)),
    "coordinates that wander": wander,
    "boxes that creep": lambda draw: boxes(draw, "", draw.randint(1, 6)),
    "labelled boxes that creep": lambda draw: boxes(draw, "cup", draw.randint(1, 6)),
    "numbered boxes that creep": lambda draw: boxes(draw, "cup #", 1),
    "persons that creep": persons,
    "outlines that creep": outline,
    "a sentence that mutates": lambda draw: mutating(draw, (5, 20)),
    "a paragraph that mutates": lambda draw: mutating(draw, (20, 90)),
}
"""Makers of endless answers, token by token, by kind."""


def tokens(name: str, draw: Random) -> Iterator[str]:
    """Return the tokens of an endless answer up to the longest that is generated."""
    return islice(ENDLESS[name](draw), PIECES)
