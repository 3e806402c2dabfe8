#!/usr/bin/env python3
"""Draws the scene and the screen of docs/tasks.md, and asks nano the questions of the guide.

Prints the raw answers and writes the images.

python scripts/task_pictures.py
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from contextlib import closing
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import youtu_gguf as yg
from scripts._sheet import INK, PAPER
from scripts.nano.questions import CORE_CROP_PX
from scripts.nano.scenes import TEST_SEEDS, draw
from scripts.nano.screens import draw_screen
from youtu_gguf.output import write_bytes
from youtu_gguf.render import draw as drawn
from youtu_gguf.types import U8

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "pictures" / "tasks"
SEED = TEST_SEEDS + 1779
"""Not in the training data, and one of the few scenes with this cast about which nano answers well: two things of one
kind, and a fifth beside them, are too much for it in most."""
SIZE = (320, 256)
CAST = (("person", "blue"), ("sign", "yellow"), ("circle", "red"), ("circle", "green"), ("star", "purple"))
THING = "the red circle"
CLASSES = ["sky", "grass", "person", "circle", "star", "sign"]
COLOURS = 160
"""Size of the palette of an image, so that each file is below 60 KB."""
LINE_PX = 18

WORDS: dict[str, Callable[[yg.Scene], yg.Result]] = {
    "describe": lambda scene: scene.describe(),
    "ask": lambda scene: scene.ask("What colour is the star?"),
    "ocr": lambda scene: scene.ocr(),
    "classify": lambda scene: scene.classify(),
    "count circle": lambda scene: scene.count("circle"),
}
IMAGES: dict[str, Callable[[yg.Scene], yg.Result]] = {
    "ground": lambda scene: scene.ground(THING),
    "detect": lambda scene: scene.detect(),
    "polygon": lambda scene: scene.polygon(THING),
    "pose": lambda scene: scene.pose(),
    "segment": lambda scene: scene.segment(CLASSES, present="all"),
    "segment-background": lambda scene: scene.segment(CLASSES[2:], present="all", background=True),
    "count": lambda scene: scene.count("circle", by="detection"),
    "instances": lambda scene: scene.instances(find="everything", crop_size=CORE_CROP_PX),
    "refer": lambda scene: scene.refer(THING, crop_size=CORE_CROP_PX),
    "depth": lambda scene: scene.depth(),
}

SCREEN_SEED, SCREEN_SIZE = TEST_SEEDS + 625, (384, 320)
"""A drawn screen on which nano clicks what it is told to."""
CLICK = "Click the Save button."


def captioned(rgb: U8, lines: list[str]) -> U8:
    """Return an image with lines of text below it, wrapped to its width."""
    font = ImageFont.load_default(13)
    rows = [row for line in lines for row in wrapped(line, rgb.shape[1] - 8, font)]
    page = Image.new("RGB", (rgb.shape[1], rgb.shape[0] + LINE_PX * len(rows) + 8), PAPER)
    page.paste(Image.fromarray(rgb), (0, 0))
    pen = ImageDraw.Draw(page)
    for i, row in enumerate(rows):
        pen.text((4, rgb.shape[0] + 4 + i * LINE_PX), row, INK, font)
    return np.asarray(page)


def wrapped(line: str, width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> list[str]:
    rows = [""]
    for word in line.split():
        longer = f"{rows[-1]} {word}".strip()
        if font.getlength(longer) > width:
            rows.append(f"   {word}")
        else:
            rows[-1] = longer
    return rows


def write(path: Path, rgb: U8) -> None:
    """Write an image with a palette."""
    buffer = BytesIO()
    Image.fromarray(rgb).quantize(COLOURS, dither=Image.Dither.NONE).save(buffer, "PNG", optimize=True)
    write_bytes(path, buffer.getvalue())
    print(f"{path.name}: {len(buffer.getvalue()) / 1e3:.0f} KB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=FOLDER)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    path = args.out / "scene.png"
    write(path, draw(SEED, size=SIZE, cast=CAST).rgb)
    with yg.load("nano", threads=1, max_tokens=400, temperature=0.0) as model, closing(model.open(path)) as scene:
        lines = []
        for name, ask in WORDS.items():
            answer = ask(scene)
            print(f"{name}: {answer.raw}")
            lines.append(f"{name}: {answer}")
        write(args.out / "words.png", captioned(scene.rgb, lines))
        for name, ask in IMAGES.items():
            value = ask(scene)
            print(f"{name}: {value.raw or 'nothing generated'} {[issue.message for issue in value.issues]}")
            write(args.out / f"{name}.png", drawn(scene.rgb, value))
        screen = draw_screen(SCREEN_SEED, SCREEN_SIZE, "en").rgb
        write(args.out / "screen.png", screen)
        with closing(model.open(args.out / "screen.png")) as shot:
            action = shot.click(CLICK)
            print(f"click: {action.raw}")
            write(args.out / "click.png", drawn(shot.rgb, action))


if __name__ == "__main__":
    main()
