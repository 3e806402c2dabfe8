"""Answers that are correct and repetitive: the forms of every task, and what images of text hold. All are seeded."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from random import Random

NAMES = ("bottle", "wine glass", "person", "car", "traffic light", "book", "potted plant", "箱子", "screw", "tomato")
ROOT = Path(__file__).resolve().parents[2]
LONGEST = 40_000
"""Characters; about as much as the longest answer, 12,280 tokens, holds."""


def box(x1: float, y1: float, x2: float, y2: float) -> str:
    a, b, c, d = (min(2047, max(0, int(v))) for v in (x1, y1, x2, y2))
    return f"<box><x_{a}><y_{b}><x_{c}><y_{d}></box>"


def grid(draw: Random, jitter: int, labels: bool, by_column: bool = False) -> str:
    """Things of one kind in rows: a shelf, a car park, the keys of a keyboard."""
    cols, rows = draw.randint(2, 40), draw.randint(2, 16)
    width, height = draw.randint(12, 2000 // cols), draw.randint(12, 2000 // rows)
    name = draw.choice(NAMES)
    places = [(c, r) for r in range(rows) for c in range(cols)]
    found = [name if not labels else ""]
    for c, r in sorted(places) if by_column else places:
        corners = (c * width, r * height, c * width + 0.9 * width, r * height + 0.9 * height)
        moved = box(*(v + draw.randint(0, jitter) for v in corners))
        found.append(f"<ref>{name}</ref>{moved}" if labels else moved)
    found[0] = f"<ref>{name}</ref>" if not labels else ""
    return "".join(found)


def scattered(draw: Random) -> str:
    found = []
    for _ in range(draw.randint(1, 300)):
        x, y, side = draw.randrange(2000), draw.randrange(1200), draw.randint(6, 300)
        found.append(f"<ref>{draw.choice(NAMES)}</ref>{box(x, y, x + side, y + side)}")
    return "".join(found)


def stack(draw: Random) -> str:
    """Heaps of things of one size, each a little above the one before."""
    found = ["<ref>book</ref>"]
    for _ in range(draw.randint(1, 12)):
        x, y, step = draw.randrange(1800), draw.randint(800, 1400), draw.randint(4, 40)
        found += [box(x, y - n * step, x + 180, y - n * step + step) for n in range(draw.randint(2, 30))]
    return "".join(found)


def poses(draw: Random) -> str:
    found = []
    for _ in range(draw.randint(1, 60)):
        x, y, height = draw.randrange(1900), draw.randrange(1200), draw.choice((12, 40, 200, 900))
        hidden = draw.random()
        joints = []
        for _ in range(16):
            if draw.random() < hidden:
                joints.append("<kpt><x_0><y_0><v_0.0></kpt>")
            else:
                at = x + draw.randrange(height // 2), y + draw.randrange(height)
                joints.append(f"<kpt><x_{at[0]}><y_{at[1]}><v_1.0></kpt>")
        found.append(f"<person>{box(x, y, x + height // 2, y + height)}{''.join(joints)}</person>")
    return "".join(found)


def outlines(draw: Random) -> str:
    """Outlines of a flock of small things, or of a few large ones."""
    found = ["Sure, it is <ins>"]
    size = draw.choice((4, 10, 30, 400))
    for _ in range(draw.randint(1, 80 if size < 400 else 6)):
        x, y, n = draw.randrange(1600), draw.randrange(1200), draw.randint(3, draw.choice((20, 20, 60)))
        points = "".join(f"<x_{x + draw.randint(0, size)}><y_{y + draw.randint(0, size)}>" for _ in range(n))
        found.append(f"<poly>{points}</poly>")
    return "".join([*found, "</ins>"])


def named_classes(draw: Random) -> str:
    names = [f"{draw.choice(NAMES)} {n}" if n % 3 else words(draw, 2) for n in range(draw.randint(2, 150))]
    listed = "".join(f"<ref>{name}</ref>" for name in names)
    return f"The target categories include {listed}, numbered sequentially starting from 0."


def run_lengths(draw: Random) -> str:
    return "<mask>" + ",".join(f"({draw.randrange(4)}, {draw.randint(1, 900)})" for _ in range(1500)) + "</mask>"


def markdown(draw: Random) -> str:
    """A table with headings, numbers, and cells that may be empty."""
    cols, rows, empty = draw.randint(2, 26), draw.randint(3, 60), draw.random()
    cells = [[words(draw, 1).title(), *(number(draw, empty) for _ in range(cols))] for _ in range(rows)]
    head = "| " + " | ".join(words(draw, 1) for _ in range(cols + 1)) + " |\n" + "|---" * (cols + 1) + "|\n"
    return head + "".join("| " + " | ".join(row) + " |\n" for row in cells)


def sheet(draw: Random) -> str:
    """A spreadsheet: numbered rows, 26 columns, hardly anything in them."""
    rows = []
    for n in range(1, draw.randint(20, 100)):
        cells = [words(draw, 1) if draw.random() < 0.01 else "" for _ in range(26)]
        rows.append(f"| {n} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


def csv(draw: Random) -> str:
    cols, rows, digits = draw.randint(3, 30), draw.randint(5, 100), draw.choice((1, 2, 4))
    return "\n".join(",".join(str(draw.randrange(10**digits)) for _ in range(cols)) for _ in range(rows))


def html(draw: Random) -> str:
    cols, empty = draw.randint(2, 10), draw.random() * 0.8
    rows = []
    for n in range(draw.randint(3, 60)):
        cells = "".join(f"<td>{number(draw, empty)}</td>" for _ in range(cols))
        rows.append(f"<tr><td>{n + 1}</td><td>{words(draw, 2)}</td>{cells}</tr>")
    return "<table><tbody>" + "\n".join(rows) + "</tbody></table>"


def ticks(draw: Random) -> str:
    """Who has what: a row with a name, and one of two or three marks per column."""
    marks = draw.choice((("yes", "no"), ("✓", "✗", "-"), ("x", " "), ("Yes", "No", "N/A")))
    cols = draw.randint(2, 20)
    rows = [
        f"| {words(draw, 2)} | " + " | ".join(draw.choice(marks) for _ in range(cols)) + " |"
        for _ in range(draw.randint(3, 80))
    ]
    return "\n".join(rows)


def matrix(draw: Random) -> str:
    """A matrix of zeros and ones, of "True" and "False" or of single digits, without headings."""
    side, gap = draw.randint(3, 30), draw.choice((" ", ", ", " | ", ""))
    marks = draw.choice(("01", "01", ("True", "False"), "0123456789", "WB.", "#."))
    gap = gap or " " if len(marks[0]) > 1 else gap
    return "\n".join(gap.join(draw.choice(marks) for _ in range(side)) for _ in range(side))


def zeros(draw: Random) -> str:
    width = draw.randint(8, 32)
    return "\n".join(f"{16 * n:08x}: " + "00 " * width for n in range(draw.randint(4, 200)))


def receipt(draw: Random) -> str:
    lines = [
        f"{draw.randint(1, 3)} x {words(draw, 2).upper():<24}{draw.randrange(2000) / 100:>8.2f} EUR {draw.choice('AB')}"
        for _ in range(draw.randint(3, 120))
    ]
    return "\n".join([*lines, "-" * 40, "TOTAL EUR 123.45", "*" * 40, "THANK YOU"])


def form(draw: Random) -> str:
    gap = draw.choice(("____" * 8, ".....", " " * 30, "□ Yes □ No"))
    return "\n".join(f"{n}. {words(draw, draw.randint(1, 6)).capitalize()}: {gap}" for n in range(draw.randint(5, 100)))


def contents(draw: Random) -> str:
    """Dot leaders."""
    page, lines = 1, []
    for n in range(draw.randint(5, 150)):
        page += draw.randrange(9)
        title = f"{n}.{draw.randrange(9)} {words(draw, draw.randint(1, 5)).capitalize()} "
        lines.append(title + draw.choice((".", " .", "·")) * draw.randint(5, 60) + f" {page}")
    return "\n".join(lines)


def timetable(draw: Random) -> str:
    lines = []
    for hour in range(5, 24):
        lines.append(f"{hour:02} | " + " ".join(f"{m:02}" for m in range(draw.randrange(5), 60, draw.choice((5, 10)))))
    return "\n".join(lines * draw.randint(1, 3))


def calendar(draw: Random) -> str:
    months = []
    for month in range(12):
        first = draw.randrange(7)
        days = ["  "] * first + [f"{d:2}" for d in range(1, 31)]
        weeks = [" | ".join(days[n : n + 7]) for n in range(0, len(days), 7)]
        months.append(f"Month {month + 1}\nMo | Tu | We | Th | Fr | Sa | Su\n" + "\n".join(weeks))
    return "\n".join(months)


def log_lines(draw: Random) -> str:
    level = ("INFO", "INFO", "WARN", "ERROR")
    lines, second = [], draw.randrange(40_000)
    for _ in range(draw.randint(20, 250)):
        second += draw.randrange(9)
        at = f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
        lines.append(f"{at} [{draw.choice(level)}] worker-{draw.randrange(4)}: heartbeat ok")
    return "\n".join(lines)


def counting(draw: Random) -> str:
    kind, n = draw.randrange(5), draw.randint(20, 1500)
    if kind == 0:
        return ", ".join(map(str, range(1, n)))
    if kind == 1:
        return "\n".join(f"{i}. {draw.choice(NAMES)}" for i in range(1, n))
    if kind == 2:
        return "".join(f"Row {i}: empty\n" for i in range(1, n))
    if kind == 3:
        return " ".join(f"{draw.randrange(10**13):013}" for _ in range(n // 4))
    return "\n".join(" ".join(f"{a}x{b}={a * b}" for b in range(1, 21)) for a in range(1, 21))


def letters(draw: Random) -> str:
    """Sequences, a very long word, a scale."""
    kind, n = draw.randrange(4), draw.randint(100, 6000)
    if kind == 0:
        return "".join(draw.choice("ACGT") for _ in range(n))
    if kind == 1:
        return " ".join("".join(draw.choice("ACGT") for _ in range(10)) for _ in range(n // 10))
    if kind == 2:
        return "Donaudampfschifffahrts" * draw.randint(1, 10) + "a" * draw.randint(1, 200)
    return " ".join(draw.choice(".-") * draw.randint(1, 3) for _ in range(n // 6))


def survey(draw: Random) -> str:
    """Rows that all have the same choices."""
    choices = draw.choice((" ".join(("Never", "Rarely", "Sometimes", "Often", "Always")), "1 2 3 4 5", "Yes No Unsure"))
    return "\n".join(f"{n}. {words(draw, draw.randint(3, 8))} {choices}" for n in range(1, draw.randint(10, 120)))


def protein(draw: Random) -> str:
    """A sequence of twenty words, as frequent as amino acids are."""
    names = "Leu Ala Gly Ser Val Glu Lys Thr Asp Ile Arg Pro Asn Gln Phe Tyr Met His Cys Trp"
    percents = (10, 8, 7, 7, 7, 6, 6, 5, 5, 6, 5, 5, 4, 4, 4, 3, 2, 2, 1, 1)
    return draw.choice((" ", "-")).join(draw.choices(names.split(), percents, k=draw.randint(50, 2500)))


def song(draw: Random) -> str:
    """Verses with a refrain, or a song that counts down."""
    if draw.random() < 0.3:
        line = "{0} bottles of beer on the wall, {0} bottles of beer.\nTake one down and pass it around, {1} to go.\n\n"
        return "".join(line.format(n, n - 1) for n in range(draw.randint(5, 99), 0, -1))
    refrain = "\n".join(words(draw, 7) for _ in range(draw.randint(1, 8)))
    la = " ".join(["la"] * draw.randint(2, 40))
    return "\n\n".join(f"{words(draw, 40)}\n{refrain}\n{la}" for _ in range(draw.randint(2, 12)))


def step_by_step(draw: Random) -> str:
    lines = []
    for n in range(1, draw.randint(4, 80)):
        a, b = draw.randrange(100), draw.randrange(100)
        lines.append(f"Step {n}: I look at the {draw.choice(NAMES)}. There are {a} of them, and {b} more: {a + b}.")
    return "\n".join([*lines, "So the answer is 7."])


def chinese(draw: Random) -> str:
    signs = (
        "的一是不了人我在有他这中大来上国个到说们为子和你地出道也时年得就那要下以生会自着去之过"
        "家学对可她里后小么心多天而能好都然没日"
    )
    return "".join(draw.choices(signs, k=draw.randint(100, 6000), weights=[1 / (n + 1) for n in range(len(signs))]))


def data(draw: Random) -> str:
    """JSON of boxes, with or without line breaks."""
    items = []
    for _ in range(draw.randint(2, 150)):
        x, y = draw.randrange(1900), draw.randrange(1000)
        items.append({"bbox_2d": [x, y, x + 40, y + 30], "label": draw.choice(NAMES), "occluded": False, "note": None})
    return json.dumps(items, indent=draw.choice((None, 2)), ensure_ascii=False)


def code(draw: Random) -> str:
    return excerpt(draw, ".py")


def prose(draw: Random) -> str:
    return excerpt(draw, ".md")


@cache
def library(ending: str) -> tuple[str, ...]:
    places = [ROOT] if ending == ".md" else [Path(os.__file__).parent]
    files = [path for place in places for path in sorted(place.glob("*" + ending))]
    files += sorted((ROOT / "docs").glob("*" + ending))
    return tuple(path.read_text(encoding="utf-8", errors="replace") for path in files if path.stat().st_size > 3000)


def excerpt(draw: Random, ending: str) -> str:
    text = draw.choice(library(ending))
    start = draw.randrange(max(1, len(text) - 2000))
    return text[start : start + draw.randint(500, LONGEST)]


@cache
def lexicon() -> tuple[str, ...]:
    return tuple(sorted({word.lower() for text in library(".md") for word in text.split() if word.isalpha()}))


def words(draw: Random, n: int) -> str:
    return " ".join(draw.choices(lexicon(), k=n))


def number(draw: Random, empty: float) -> str:
    return "" if draw.random() < empty else draw.choice((f"{draw.random() * 1000:.2f}", str(draw.randrange(100)), "0"))


def _kinds(*makers: Callable[[Random], str]) -> Iterable[tuple[str, Callable[[Random], str]]]:
    return ((maker.__name__, maker) for maker in makers)


CORRECT: dict[str, Callable[[Random], str]] = {
    "a grid of labelled boxes": lambda draw: grid(draw, 3, labels=True),
    "an exact grid of boxes": lambda draw: grid(draw, 0, labels=False),
    "an exact grid by columns": lambda draw: grid(draw, 0, labels=True, by_column=True),
    **dict(
        _kinds(
            scattered, stack, poses, outlines, named_classes, run_lengths, markdown, sheet, csv, html, ticks, matrix,
            zeros, receipt, form, contents, timetable, calendar, log_lines, counting, letters, survey, protein, song,
            step_by_step, chinese, data, code, prose,
        )
    ),
}  # fmt: skip
"""Makers of answers, by kind."""
