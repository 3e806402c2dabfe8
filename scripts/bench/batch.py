#!/usr/bin/env python3
"""Images per minute in a batch, compared with asking about each image by hand.

    python scripts/bench/batch.py [--model nano] [--images 4] [--json]

Without --model it uses the full-size synthetic pair (random weights: the speed is right, the answers mean nothing). The
two ways alternate in one process. "by hand" opens each image and asks one question after the other; it writes nothing.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from scripts._arguments import count

sys.path.insert(0, str(Path(__file__).parent))
from _full import add_pair_option, full_pair, machine

import youtu_gguf as yg
from scripts.nano.scenes import TEST_SEEDS, draw
from youtu_gguf.batch import Asked, Batch, Journal
from youtu_gguf.engines.native.llama.bindings import VERSION

TOKENS = 32
ASKED = tuple(
    Asked(words, question)
    for words, question in (
        ("describe", yg.Question("describe")),
        ("detect", yg.Question("detect", (None,))),
        ("count object", yg.Question("count", ("object",))),
        ("depth", yg.Question("depth")),
    )
)


def by_hand(model: yg.Model, path: Path) -> float:
    """Return the seconds that one image takes if its questions are asked one after the other."""
    started = time.perf_counter()
    with closing(model.open(path)) as scene:
        for asked in ASKED:
            getattr(scene, asked.question.task)(*asked.question.arguments)
    return time.perf_counter() - started


def in_batch(model: yg.Model, path: Path, journal: Journal) -> float:
    """Return the seconds that the same image takes in a batch, including its output files."""
    started = time.perf_counter()
    (_,) = Batch(model, ASKED, journal).run([path])
    return time.perf_counter() - started


def measure(model: yg.Model, n: int) -> dict[str, float]:
    """Ask about `n` images both ways, each image once in either order."""
    seconds = {"batch": 0.0, "by hand": 0.0}
    with tempfile.TemporaryDirectory() as folder, Journal(Path(folder, "out"), {}) as journal:
        for i in range(2 * n):
            path = Path(folder, f"{i}.png")
            Image.fromarray(draw(TEST_SEEDS + i, (320, 320)).rgb).resize((640, 480)).save(path)
            if i % 2:
                seconds["batch"] += in_batch(model, path, journal)
            else:
                seconds["by hand"] += by_hand(model, path)
    per_minute = {name: 60 * n / total for name, total in seconds.items()}
    return {**per_minute, "batch/by hand": per_minute["batch"] / per_minute["by hand"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_pair_option(parser)
    parser.add_argument("--model", help="a model other than the full-size pair, such as nano")
    parser.add_argument("--images", type=count, default=4, help="number of images for each way")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    paths = (args.model, None) if args.model else full_pair(args.folder)
    with yg.load(*paths, max_tokens=TOKENS, temperature=0.0) as model:
        measure(model, 1)  # reads the files into memory
        figures = measure(model, args.images)
    if args.json:
        print(json.dumps({name: round(value, 3) for name, value in figures.items()}))
        return
    print(f"{args.model or 'full-size pair'}; {machine()}; llama-cpp-python {VERSION}")
    print(f"batch   {figures['batch']:8.2f} images a minute")
    print(f"by hand {figures['by hand']:8.2f} images a minute")
    print(f"ratio   {figures['batch/by hand']:8.2f}")


if __name__ == "__main__":
    main()
