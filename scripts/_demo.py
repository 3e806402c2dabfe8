"""Runs every task on two photographs and writes one picture per visual answer.

Until a trained model ships, this uses a tiny model with **random** weights: it shows that the whole path works, from a
photograph to typed values and pictures, and nothing about sight.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from rich.console import Console
from rich.table import Table
from skimage import data

import youtu_gguf as yg
from youtu_gguf.output import WRITERS
from youtu_gguf.render import draw

CLASSES = ["person", "sky", "table", "cup"]
TASKS: dict[str, Callable[[yg.Scene], yg.Result]] = {
    "describe": lambda scene: scene.describe(),
    "ask": lambda scene: scene.ask("What colour is it?"),
    "ocr": lambda scene: scene.ocr(),
    "classify": lambda scene: scene.classify(),
    "count": lambda scene: scene.count("cup"),
    "ground": lambda scene: scene.ground("the cup"),
    "detect": lambda scene: scene.detect(["person", "cup"]),
    "polygon": lambda scene: scene.polygon("the cup"),
    "refer": lambda scene: scene.refer("the cup"),
    "refer box": lambda scene: scene.refer(box=(150, 50, 350, 250)),
    "pose": lambda scene: scene.pose(),
    "segment model": lambda scene: scene.segment(CLASSES),
    "segment all": lambda scene: scene.segment(CLASSES, present="all"),
    "depth": lambda scene: scene.depth(),
}


def summary(value: yg.Result) -> str:
    match value:
        case yg.Text():
            return repr(value.value[:50])
        case yg.Mask():
            return f"{value.bits.mean():.0%} of the picture"
        case yg.LabelMap():
            shares = [f"{name} {share:.0%}" for name, share in zip(value.classes, value.shares, strict=True)]
            return ", ".join(shares) or "no class named"
        case yg.DepthMap():
            return f"{value.values.min():.2f} to {value.values.max():.2f} {value.unit}"
        case yg.Boxes() | yg.Polygons() | yg.Poses():
            return f"{len(value)} found"
    return str(value) or "no number"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("demo-out"))
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    photographs = {"coffee": data.coffee(), "cat": data.chelsea()}
    table = Table("photograph", "task", "seconds", "answer", "issues", title="random weights: plumbing, not sight")
    with tempfile.TemporaryDirectory() as folder:
        pair = yg.write_synthetic_pair(folder, "tiny")
        with yg.load(*pair, max_tokens=32) as model:
            for name, rgb in photographs.items():
                Image.fromarray(rgb).save(args.out / f"{name}.png")
                run_tasks(model.open(rgb), name, args.out, table)
    console = Console()
    console.print(table)
    console.print(f"pictures: {args.out}/")


def run_tasks(scene: yg.Scene, name: str, out: Path, table: Table) -> None:
    for task, run in TASKS.items():
        started = time.perf_counter()
        value = run(scene)
        seconds = time.perf_counter() - started
        if not isinstance(value, yg.Text | yg.Count):
            WRITERS["png"](out / f"{name}-{task.replace(' ', '-')}.png", draw(scene.rgb, value))
        table.add_row(name, task, f"{seconds:.2f}", summary(value), str(len(value.issues)))


if __name__ == "__main__":
    main()
