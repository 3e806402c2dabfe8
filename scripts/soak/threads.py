#!/usr/bin/env python3
"""Many threads on one model: every answer must be the one that a single thread gets, and none may hang.

python scripts/soak/threads.py --model nano --minutes 5
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import youtu_gguf as yg
from scripts.nano.scenes import TEST_SEEDS, draw
from youtu_gguf.types import U8

QUESTIONS: tuple[tuple[object, ...], ...] = (
    ("describe",), ("count", "object"), ("detect", None), ("ocr",), ("ground", "the leftmost object"), ("depth",),
    ("segment", ["sky", "grass", "circle"], "all"),
)  # fmt: skip
ROUND_S = 120.0
"""A single question that takes longer than this counts as a deadlock."""


def value_of(result: yg.Result) -> object:
    """Return what must be equal: the raw answer, and the arrays of maps."""
    if isinstance(result, yg.DepthMap):
        return result.values.tobytes()
    if isinstance(result, yg.LabelMap):
        return result.raw, result.ids.tobytes()
    return result.raw


def ask(scene: yg.Scene, question: Sequence[object]) -> object:
    (result,) = scene.many([tuple(question)])
    return value_of(result)


def run(model: yg.Model, pictures: Sequence[U8], n_threads: int, seconds: float) -> Counter[str]:
    """Ask from all threads for `seconds`; count right and wrong answers, errors, and threads that hang."""
    expected: dict[tuple[int, tuple[object, ...]], object] = {}
    for i, rgb in enumerate(pictures):
        scene = model.open(rgb)
        expected |= {(i, question): ask(scene, question) for question in map(_key, QUESTIONS)}
        scene.close()
    scenes = [model.open(rgb) for rgb in pictures]
    tally: Counter[str] = Counter()
    lock = threading.Lock()
    stop = time.monotonic() + seconds

    def work(number: int) -> None:
        rng = np.random.default_rng(number)
        while time.monotonic() < stop:
            i = int(rng.integers(len(scenes)))
            question = _key(QUESTIONS[int(rng.integers(len(QUESTIONS)))])
            try:
                right = ask(scenes[i], question) == expected[i, question]
                outcome = "right" if right else f"wrong {question[0]}"
            except yg.YoutuError as exc:
                outcome = f"error {type(exc).__name__}: {exc}"
            with lock:
                tally[outcome] += 1

    threads = [threading.Thread(target=work, args=(i,), daemon=True) for i in range(n_threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, stop - time.monotonic()) + ROUND_S)
        tally["hanging"] += thread.is_alive()
    return tally


def _key(question: Sequence[object]) -> tuple[object, ...]:
    return tuple(tuple(part) if isinstance(part, list) else part for part in question)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="nano")
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--scenes", type=int, default=4)
    parser.add_argument("--minutes", type=float, default=5)
    args = parser.parse_args()
    pictures = [draw(TEST_SEEDS + 900 + i).rgb for i in range(args.scenes)]
    with yg.load(args.model, temperature=0.0, max_tokens=200) as model:
        tally = run(model, pictures, args.threads, args.minutes * 60)
    for outcome, n in tally.most_common():
        print(f"{n:7} {outcome}")
    sys.exit(set(+tally) != {"right"})


if __name__ == "__main__":
    main()
