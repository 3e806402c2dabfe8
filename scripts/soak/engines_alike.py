#!/usr/bin/env python3
"""Greedy answers of the engine "server", and of the same server by its address, compared with the native engine's.

    python scripts/soak/engines_alike.py [--scenes 50] [--n-batch 60]

Asks nano every task that is answered in text, on drawn scenes, and reports the differences. With batches below 64
tokens every engine computes the same to the last bit. From 64 tokens on, llama.cpp's attention uses another kernel, and
questions of that length may get another answer if two tokens are almost equally likely. `--n-batch 0` runs with the
defaults.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
import youtu_gguf as yg
from scripts._arguments import count
from scripts.nano.scenes import TEST_SEEDS, draw
from tests.server.conftest import NANO, address_of
from tests.server.test_engines import QUESTIONS, answers

SHOWN = 60  # characters printed of answers that differ


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=count, default=50)
    parser.add_argument("--n-batch", type=int, default=60, help="positions decoded in one batch; 0 means the default")
    args = parser.parse_args()
    settings: dict[str, Any] = {**NANO, "max_tokens": 400, **({"n_batch": args.n_batch} if args.n_batch else {})}
    same, asked, differing = Counter[str](), 0, Counter[str]()
    with yg.load("nano", **settings) as native, yg.load("nano", engine="server", **settings) as server:
        url, key = address_of(server)
        with yg.load(engine=url, api_key=key, **settings) as remote:
            for seed in range(args.scenes):
                rgb = draw(TEST_SEEDS + seed).rgb
                expected = answers(native, rgb)
                asked += len(expected)
                for name, model in (("server", server), ("remote", remote)):
                    for question, ours, theirs in zip(QUESTIONS, expected, answers(model, rgb), strict=True):
                        same[name] += ours == theirs
                        if ours != theirs:
                            differing[str(question[0])] += 1
                            print(f"scene {seed}, {question[0]}, {name}:", file=sys.stderr)
                            print(f"  {_from_difference(ours, theirs)}", file=sys.stderr)
    for name, n in same.items():
        print(f"native and {name}: {n} of {asked} answers are the same")
    for task, n in differing.most_common():
        print(f"  {task}: {n} differ")
    sys.exit(bool(differing) and bool(args.n_batch))


def _from_difference(ours: str, theirs: str) -> str:
    """Return a part of both answers, from shortly before the first difference."""
    at = next((i for i, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), min(len(ours), len(theirs)))
    first = max(0, at - 10)
    return f"{ours[first : first + SHOWN]!r} | {theirs[first : first + SHOWN]!r}"


if __name__ == "__main__":
    main()
