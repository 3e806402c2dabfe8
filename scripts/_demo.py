"""Draws scenes, runs every task on them with the small model, prints the answers, and writes one contact sheet."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import youtu_gguf as yg
from scripts._sheet import Panel, contact_sheet
from scripts.nano.questions import CORE_CROP_PX
from scripts.nano.scenes import CLASSES, TEST_SEEDS, Scene, draw, referring
from youtu_gguf.output import write_png
from youtu_gguf.render import draw as drawn

SEEDS = (501, 504, 513, 532)
"""From 500 on, the first scenes with a person and a sign on each kind of ground; chosen before training."""
SEEN = 0.005
"""Share of the image from which on a class is named."""
TITLE = "youtu-gguf: one GGUF, one prefill per image, every answer typed"


def tasks(truth: Scene) -> dict[str, Callable[[yg.Scene], yg.Result]]:
    """Return what to ask of a scene."""
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
        "segment": lambda scene: scene.segment(CLASSES),
        "segment, all classes": lambda scene: scene.segment(CLASSES, present="all"),
        "depth": lambda scene: scene.depth(),
        f"polygon: {phrase}": lambda scene: scene.polygon(phrase),
        f"refer: {phrase}": lambda scene: scene.refer(phrase, crop_size=CORE_CROP_PX),
        "instances": lambda scene: scene.instances(find="everything", crop_size=CORE_CROP_PX),
        "pose": lambda scene: scene.pose(),
    }


SHOWN = ("detect", "segment", "depth", "polygon", "refer", "instances", "pose")


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
    table = Table("scene", "task", "ms", "answer", "issues", title="the small model on unseen drawn scenes")
    rows = []
    with yg.load(args.model, max_tokens=400) as model:
        for seed in SEEDS:
            truth = draw(TEST_SEEDS + seed)
            with closing(model.open(truth.rgb)) as scene:
                rows.append(ask_all(truth, scene, str(seed), table))
    write_png(args.out / "contact-sheet.png", contact_sheet(rows, TITLE))
    console = Console()
    console.print(table)
    console.print(f"the contact sheet is {args.out / 'contact-sheet.png'}")


def ask_all(truth: Scene, scene: yg.Scene, name: str, table: Table) -> list[Panel]:
    panels = [Panel(truth.rgb, "scene")]
    for task, run in tasks(truth).items():
        started = time.perf_counter()
        value = run(scene)
        ms = (time.perf_counter() - started) * 1e3
        table.add_row(name, task, f"{ms:.0f}", summary(value), str(len(value.issues)))
        if task.split(":")[0] in SHOWN:
            panels.append(Panel(drawn(truth.rgb, value), task, summary(value)))
        elif task == "describe":
            panels[0] = Panel(truth.rgb, "scene", summary(value))
    return panels


if __name__ == "__main__":
    main()
