#!/usr/bin/env python3
"""What a megabyte of hostile answer costs each parser, and whether the cost grows linearly with the length.

    python scripts/bench/parsers.py    # every shape, every parser

For each shape and parser it prints the processor milliseconds for 1 MB (the best of two rounds) and their ratio to
those for 250 KB, which is about 4 if the cost is linear and 16 if it is quadratic. It fails above MOST_GROWTH.
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from _full import machine

from scripts._arguments import count
from tests.reference.rle import decode_runs
from youtu_gguf.decode.actions import parse_action
from youtu_gguf.decode.boxes import parse_boxes
from youtu_gguf.decode.classes import parse_classes
from youtu_gguf.decode.counts import parse_count
from youtu_gguf.decode.polygons import parse_polygons
from youtu_gguf.decode.poses import parse_poses
from youtu_gguf.errors import DecodeError
from youtu_gguf.types import Size

LENGTH = 1_000_000
ROUNDS = 2
MOST_GROWTH = 9.0
"""Allowed for four times the length; what exceeds it is measured again, since other processes disturb."""
MORE_ROUNDS = 6
MEASURABLE_S = 0.001
"""Below this, a parser is done too soon for a ratio to mean anything."""
SIZE = Size(1000, 800)

BOX = "<box><x_1><y_2><x_3><y_4></box>"
"""Boxes that differ are written by `numbered`."""

CALL = '<tool_call>{"name":"computer_use","arguments":{"action":"left_click","coordinate":[412,88]}}</tool_call>'
OPENED = '<tool_call>{"name":"computer_use","arguments":{'


T = TypeVar("T")


def read_runs(text: str) -> None:
    with suppress(DecodeError):
        decode_runs(text, SIZE)


PARSERS: dict[str, Callable[[str], object]] = {
    "boxes": lambda text: parse_boxes(text, size=SIZE),
    "polygons": lambda text: parse_polygons(text, size=SIZE),
    "poses": lambda text: parse_poses(text, size=SIZE),
    "classes": parse_classes,
    "count": parse_count,
    "runs": read_runs,
    "action": lambda text: parse_action(text, size=SIZE),
}


def repeated(piece: str, before: str = "", after: str = "") -> Callable[[int], str]:
    """Return a shape: `piece` repeated up to a length."""
    return lambda length: before + piece * ((length - len(before) - len(after)) // len(piece)) + after


def numbered(piece: str) -> Callable[[int], str]:
    """Return a shape: `piece` repeated up to a length, with another number for "#" each time."""

    def make(length: int) -> str:
        pieces: list[str] = []
        total = 0
        while total < length:
            pieces.append(piece.replace("#", str(len(pieces))))
            total += len(pieces[-1])
        return "".join(pieces)

    return make


SHAPES: dict[str, Callable[[int], str]] = {
    "<": repeated("<"),
    "< followed by spaces": repeated("<" + " " * 7),
    "</": repeated("</"),
    "<x_": repeated("<x_"),
    "<x_ with 32 digits": repeated("<x_" + "1" * 32),
    "<box><x_": repeated("<x_", "<box>"),
    "one unclosed <ref>": repeated("word ", "<ref>"),
    "one unclosed <ref> of <": repeated("<", "<ref>"),
    "a long name over many boxes": lambda length: "<ref>" + "n" * (length // 2) + "</ref>" + numbered(
        "<box><x_1><y_2><x_3><y_#></box>"
    )(length // 2),
    "20,000 boxes": numbered("<ref>thing</ref><box><x_1><y_2><x_3><y_#></box>"),
    "the same box": repeated(BOX),
    "the same box, unclosed": repeated("<box><x_1><y_2><x_3><y_4>"),
    "boxes without area": repeated("<box><x_1><y_2><x_1><y_2></box>"),
    "one box of many numbers": repeated("<x_1><y_2>", "<box>", "</box>"),
    "misspelt boxes": numbered("<BOX><x_1><y_2><x_3><y_#>< / box >"),
    "nested openings": repeated("<ins><person><poly><kpt><box><ref>"),
    "closings of nothing": repeated("</box>"),
    "digits": repeated("7"),
    "numbers": repeated("7 "),
    "groups of digits": repeated("1,111"),
    "<v_": repeated("<v_"),
    "<person><kpt> with <v_1>": repeated("<v_1>", "<person><kpt>"),
    "strays": repeated("<x_1><y_2> "),
    "empty persons": repeated("<person></person>"),
    "persons of a joint": numbered("<person><kpt><x_1><y_#></kpt></person>"),
    "a person of many joints": repeated("<kpt><x_1><y_2></kpt>", "<person>", "</person>"),
    "a person of many boxes": repeated(BOX, "<person>", "</person>"),
    "an outline of many points": repeated("<x_1><y_2>", "<ins><poly>", "</poly></ins>"),
    "an object of many outlines": repeated("<poly><x_1><y_2><x_3><y_4><x_5><y_7></poly>", "<ins>", "</ins>"),
    "objects": numbered("<ins><poly><x_1><y_2><x_3><y_4><x_5><y_#></poly></ins>"),
    "empty names": repeated("<ref></ref>"),
    "names": numbered("<ref>thing #</ref>"),
    "the same name": repeated("<ref>thing</ref>"),
    "runs": repeated("(0, 4),"),
    "runs, then rubbish": repeated("(0, 4),", after="x"),
    "spaces": repeated(" "),
    "(": repeated("("),
    "{": repeated("{"),
    "[": repeated("["),
    "{}": repeated("{}"),
    "<tool_call>": repeated("<tool_call>"),
    "<tool_call>{": repeated("<tool_call>{"),
    "<tool_call>{}": repeated("<tool_call>{}"),
    '<tool_call>{"': repeated('<tool_call>{"'),
    '{"name":': repeated('{"name":'),
    '"action":"': repeated('"action":"'),
    '"coordinate":[1,': repeated('"coordinate":[1,'),
    "whole calls": repeated(CALL),
    "calls without tags": repeated(CALL[len("<tool_call>") : -len("</tool_call>")]),
    "calls cut off": repeated(CALL[: -len("}</tool_call>")]),
    "calls that are malformed": repeated("<tool_call>{'action':}"),
    "empty objects after one tag": repeated("{}", "<tool_call>"),
    "a call with a long string": repeated("x", OPENED + '"text":"', '"}}</tool_call>'),
    "a call with a long coordinate": repeated("7", OPENED + '"coordinate":[', ",1]}}</tool_call>"),
    "a call of unclosed quotes": repeated('"', OPENED),
    "a call of backslashes": repeated("\\", OPENED + '"text":"'),
}  # fmt: skip


def seconds(work: Callable[[T], object], given: T) -> float:
    """Return this thread's processor time, without Python's search for cycles, which depends on what else is held."""
    gc.disable()
    try:
        started = time.thread_time()
        work(given)
        return time.thread_time() - started
    finally:
        gc.enable()


def growth(work: Callable[[T], object], make: Callable[[int], T], length: int) -> tuple[float, float]:
    """Return seconds for what `make` gives for a length, and how much longer it takes than for a quarter of it."""
    whole, quarter = make(length), make(length // 4)
    whole_s = quarter_s = float("inf")
    for number in range(ROUNDS + MORE_ROUNDS):
        if number >= ROUNDS and whole_s <= MOST_GROWTH * max(quarter_s, MEASURABLE_S):
            break
        whole_s, quarter_s = min(whole_s, seconds(work, whole)), min(quarter_s, seconds(work, quarter))
    return whole_s, whole_s / max(quarter_s, MEASURABLE_S)


def costs(length: int = LENGTH) -> Iterator[tuple[str, str, float, float]]:
    """Yield shape, parser, milliseconds per megabyte, and the ratio of the time of the whole to that of a quarter."""
    for shape, make in SHAPES.items():
        for name, parse in PARSERS.items():
            took_s, times = growth(parse, make, length)
            yield shape, name, 1e9 * took_s / length, times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--length", type=count, default=LENGTH, help="characters")
    args = parser.parse_args()
    print(machine())
    print(f"{'ms per MB (time of 1 MB over that of 250 KB)':44}" + "".join(f"{name:>15}" for name in PARSERS))
    line, slowest, steepest = "", 0.0, 0.0
    for shape, name, ms, ratio in costs(args.length):
        line = line or f"{shape:44}"
        line += f"{ms:8.0f} ({ratio:3.1f})".rjust(15)
        slowest, steepest = max(slowest, ms), max(steepest, ratio)
        if name == list(PARSERS)[-1]:
            print(line, flush=True)
            line = ""
    print(f"the slowest: {slowest:.0f} ms per MB; the steepest: {steepest:.1f} times for four times the length")
    sys.exit(steepest > MOST_GROWTH)


if __name__ == "__main__":
    main()
