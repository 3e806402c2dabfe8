#!/usr/bin/env python3
"""Draws the scene of docs/tasks.md, asks nano the questions of the guide, prints the raw answers and writes the images.

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
from youtu_gguf.output import write_bytes
from youtu_gguf.render import draw as drawn
from youtu_gguf.testing import FakeEngine
from youtu_gguf.types import U8

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "pictures" / "tasks"
SEED = TEST_SEEDS + 753
"""Not in the training data; of eighty scenes with this cast, one about which nano answers well in every task."""
SIZE = (320, 256)
CAST = (("person", "blue"), ("sign", "yellow"), ("circle", "red"), ("circle", "green"), ("star", "purple"))
THING = "the red circle"
CLASSES = ["sky", "grass", "person", "circle", "star", "sign"]
COLOURS = 256
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
    "count": lambda scene: scene.count("person", by="detection"),
    "instances": lambda scene: scene.instances(find="everything", crop_size=CORE_CROP_PX),
    "refer": lambda scene: scene.refer(THING, crop_size=CORE_CROP_PX),
    "depth": lambda scene: scene.depth(),
}

CLICK = (
    "Action: click on the gear.\n"
    '<tool_call>{"name": "computer_use", "arguments": {"action": "left_click", "coordinate": [278, 26]}}</tool_call>'
)
"""A scripted answer, because nano was not trained on screens."""


def screen() -> U8:
    """Draw a window with a gear in its corner."""
    page = Image.new("RGB", (320, 192), (226, 230, 236))
    pen = ImageDraw.Draw(page)
    pen.rectangle((8, 8, 311, 183), (250, 250, 252), (150, 156, 166))
    pen.rectangle((8, 8, 311, 44), (64, 98, 150))
    pen.text((18, 17), "Photographs", (255, 255, 255), ImageFont.load_default(14))
    pen.regular_polygon((278, 26, 11), 8, fill=(240, 240, 240))
    pen.ellipse((273, 21, 283, 31), (64, 98, 150))
    for left in (24, 120, 216):
        pen.rectangle((left, 62, left + 76, 122), (198, 210, 196), (150, 156, 166))
        pen.rectangle((left, 134, left + 52, 140), (190, 194, 202))
    return np.asarray(page)


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
    with yg.load(engine=FakeEngine({"settings": CLICK})) as model, closing(model.open(screen())) as scene:
        write(args.out / "click.png", drawn(scene.rgb, scene.click("open the settings")))


if __name__ == "__main__":
    main()
