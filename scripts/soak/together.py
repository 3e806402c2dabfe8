#!/usr/bin/env python3
"""Greedy answers generated together, compared with those generated one by one: on one thread they must be identical.

    python scripts/soak/together.py --model nano --scenes 50 --threads 1

With several threads llama.cpp splits the attention of single tokens among them, and an answer may differ where two
tokens are almost equally likely (docs/architecture.md, "Rounding"); the script then only counts.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import youtu_gguf as yg
from scripts._arguments import count
from scripts.nano.scenes import TEST_SEEDS, draw

QUESTIONS: list[tuple[str, ...]] = [
    ("describe",), ("count", "star"), ("ground", "the leftmost object"), ("ground", "the largest object"), ("ocr",),
    ("ask", "What colour is the star?"), ("pose",), ("polygon", "the leftmost object"), ("classify",),
]  # fmt: skip


def run(model: yg.Model, n_scenes: int) -> tuple[Counter[str], Counter[str]]:
    """Return the number of answers by task, and how many of those generated together differed."""
    asked: Counter[str] = Counter()
    differed: Counter[str] = Counter()
    for seed in range(n_scenes):
        with closing(model.open(draw(TEST_SEEDS + 700 + seed).rgb)) as scene:
            alone = [getattr(scene, task)(*arguments) for task, *arguments in QUESTIONS]
            together = scene.many(QUESTIONS)
            again = [getattr(scene, task)(*arguments) for task, *arguments in QUESTIONS]
        for (task, *_), a, b, c in zip(QUESTIONS, alone, together, again, strict=True):
            asked[task] += 1
            differed[task] += a.raw != b.raw
            differed[f"{task}, one by one again"] += a.raw != c.raw
    return asked, differed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="nano")
    parser.add_argument("--scenes", type=count, default=50)
    parser.add_argument("--threads", type=count, default=1)
    args = parser.parse_args()
    with yg.load(args.model, temperature=0.0, max_tokens=200, threads=args.threads) as model:
        asked, differed = run(model, args.scenes)
    print(f"{asked.total()} answers, {sum(differed[task] for task in asked)} differ when generated together")
    for task, n in (+differed).items():
        print(f"{n:7} {task}")
    sys.exit(args.threads == 1 and differed.total() > 0)


if __name__ == "__main__":
    main()
