"""Draws scenes, runs every task on them with the small model, prints the answers, and writes one contact sheet."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import youtu_gguf as yg
from scripts._sheet import Panel, contact_sheet
from scripts.nano.chinese import CHINESE_NAMES
from scripts.nano.other_images import held_out
from scripts.nano.questions import CORE_CROP_PX
from scripts.nano.scenes import CLASSES, TEST_SEEDS, Scene, draw, referring
from scripts.nano.screen_words import element_phrase, instruction
from scripts.nano.screens import Screen, draw_screen
from youtu_gguf.errors import DecodeError
from youtu_gguf.output import write_png
from youtu_gguf.render import draw as drawn

SCENE_SEEDS = (501, 504, 513, 532)
"""From 500 on, the first scenes with a person and a sign on each kind of ground; chosen before training."""
SCREEN_SEED, CHINESE_SEED = 500, 513
"""A drawn screen in English, and the scene that is asked about in Chinese."""
SEEN = 0.005
"""Share of the image from which on a class is named."""
U8 = npt.NDArray[np.uint8]
Tasks = Mapping[str, Callable[[yg.Scene], yg.Result]]
TITLE = "youtu-gguf: one GGUF, one prefill per image, every answer typed"


def scene_tasks(truth: Scene) -> Tasks:
    """Return what to ask about a drawn scene."""
    phrase = max(referring(truth), key=lambda found: len(found[0]))[0]
    kind = truth.things[0].kind
    return {
        "describe": lambda scene: scene.describe(),
        f"ask: What colour is the {kind}?": lambda scene: scene.ask(f"What colour is the {kind}?"),
        "ocr": lambda scene: scene.ocr(),
        "classify": lambda scene: scene.classify(),
        f"count: {kind}": lambda scene: scene.count(kind),
        "detect": lambda scene: scene.detect(),
        f"ground: {phrase}": lambda scene: scene.ground(phrase),
        "segment": lambda scene: scene.segment(),
        "segment, all classes": lambda scene: scene.segment(CLASSES, present="all"),
        "depth": lambda scene: scene.depth(),
        f"polygon: {phrase}": lambda scene: scene.polygon(phrase),
        f"refer: {phrase}": lambda scene: scene.refer(phrase, crop_size=CORE_CROP_PX),
        "instances": lambda scene: scene.instances(find="everything", crop_size=CORE_CROP_PX),
        "pose": lambda scene: scene.pose(),
    }


def chinese_tasks(truth: Scene) -> Tasks:
    """Return what to ask about a drawn scene in Chinese."""
    kind = CHINESE_NAMES[truth.things[0].kind]
    names = [CHINESE_NAMES[label] for label in CLASSES]
    return {
        "describe": lambda scene: scene.describe(lang="zh"),
        f"count: {kind}": lambda scene: scene.count(kind, lang="zh"),
        "detect": lambda scene: scene.detect(lang="zh"),
        "segment, all classes": lambda scene: scene.segment(names, present="all", lang="zh"),
    }


def screen_tasks(screen: Screen) -> Tasks:
    """Return what to ask about a drawn screen."""
    button = next(element for element in screen.elements if element.kind == "button")
    phrase = element_phrase(button.kind, button.text, screen.lang)
    asked = instruction(button.kind, button.text, screen.lang, 0)
    return {
        "describe": lambda scene: scene.describe(),
        f"ground: {phrase}": lambda scene: scene.ground(phrase),
        f"click: {asked}": lambda scene: scene.click(asked),
    }


def stranger_tasks() -> Tasks:
    """Return what to ask about a photograph, of which the small model should know only that it does not know it."""
    return {
        "describe": lambda scene: scene.describe(),
        "detect": lambda scene: scene.detect(),
        "segment": lambda scene: scene.segment(CLASSES, present="all", background=True),
    }


SCENE_SHOWN = ("detect", "segment", "depth", "polygon", "refer", "instances", "pose")
OTHERS_SHOWN = ("detect", "segment", "ground", "click")
"""Tasks that have a panel on the sheet, of scenes and of other images."""


def summary(value: yg.Result) -> str:
    match value:
        case yg.Mask():
            return f"{value.bits.mean():.0%} of the image"
        case yg.LabelMap():
            shares = zip(value.classes, value.shares, strict=True)
            return ", ".join(f"{name} {share:.0%}" for name, share in shares if share >= SEEN) or "no class seen"
        case yg.DepthMap():
            return f"{value.values.min():.2f} to {value.values.max():.2f} {value.unit}"
        case yg.Boxes() | yg.Instances():
            return ", ".join(value.labels) or "none found"
        case yg.Polygons() | yg.Poses():
            return f"{len(value)} found"
    return value.value if isinstance(value, yg.Text) else str(value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("demo-out"))
    parser.add_argument("--model", default="nano")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    table = Table("scene", "task", "ms", "answer", "issues", title="the small model on images that it never saw")
    rows = []
    with yg.load(args.model, max_tokens=400) as model:
        for seed in SCENE_SEEDS:
            truth = draw(TEST_SEEDS + seed)
            rows.append(ask_all(model, truth.rgb, str(seed), scene_tasks(truth), table, SCENE_SHOWN))
        truth = draw(TEST_SEEDS + CHINESE_SEED)
        ask_all(model, truth.rgb, f"{CHINESE_SEED}, in Chinese", chinese_tasks(truth), table)
        screen = draw_screen(TEST_SEEDS + SCREEN_SEED, lang="en")
        photograph = next(held_out(1))
        rows.append(
            ask_all(model, screen.rgb, "screen", screen_tasks(screen), table)
            + ask_all(model, photograph, "photograph", stranger_tasks(), table)
        )
    write_png(args.out / "contact-sheet.png", contact_sheet(rows, TITLE))
    console = Console()
    console.print(table)
    console.print(f"the contact sheet is {args.out / 'contact-sheet.png'}")


def ask_all(
    model: yg.Model, rgb: U8, name: str, tasks: Tasks, table: Table, shown: Sequence[str] = OTHERS_SHOWN
) -> list[Panel]:
    """Ask about an image, add the answers to the table, and return the panels of those that can be drawn."""
    panels = [Panel(rgb, name)]
    with closing(model.open(rgb)) as scene:
        for task, run in tasks.items():
            started = time.perf_counter()
            try:
                value = run(scene)
            except DecodeError as exc:
                table.add_row(name, task, "", f"no answer that can be read: {exc}", "")
                continue
            ms = (time.perf_counter() - started) * 1e3
            table.add_row(name, task, f"{ms:.0f}", summary(value), str(len(value.issues)))
            if task == "describe":
                panels[0] = Panel(rgb, name, summary(value))
            elif task.split(":")[0] in shown:
                panels.append(Panel(drawn(rgb, value), task, summary(value)))
    return panels


if __name__ == "__main__":
    main()
