#!/usr/bin/env python3
"""Many threads on one model: every answer must be the one that a single thread gets, and none may hang.

    python scripts/soak/threads.py --model nano --minutes 5

llama.cpp rounds differently if a sequence is in other cells of its cache (docs/architecture.md), so an answer may
differ where two tokens are almost equally likely. Such an answer counts as a "tie": at the first token that differs,
the logits of both tokens on a single thread, after the penalty for repetition, differ by at most 1 % of the range of
all logits; a map agrees on 99 % of its pixels. Any other difference is wrong.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import youtu_gguf as yg
from scripts._arguments import count
from scripts.nano.scenes import TEST_SEEDS, draw
from youtu_gguf import prompts
from youtu_gguf.config import PENALTY_LAST_N
from youtu_gguf.engines.native.session import NativeSession
from youtu_gguf.types import U8


class Question(NamedTuple):
    """A question for `Scene.many`, and the prompt that results from it."""

    asked: tuple[Any, ...]
    prompt: str = ""


QUESTIONS = (
    Question(("describe",), prompts.ENGLISH.describe),
    Question(("count", "object"), prompts.ENGLISH.count.format("object")),
    Question(("detect", None), prompts.ENGLISH.detect_all),
    Question(("ocr",), prompts.ENGLISH.ocr),
    Question(("ground", "the leftmost object"), prompts.ENGLISH.ground.format("the leftmost object")),
    Question(("depth",)),
    Question(("segment", ["sky", "grass", "circle"], "all")),
)
TIE, MAP_AGREEMENT, DEPTH_RTOL, JUST_BELOW_1 = 0.01, 0.99, 0.02, 0.999999
ROUND_S = 120.0
"""A single question that takes longer than this counts as a deadlock."""


def ask(scene: yg.Scene, question: Question) -> yg.Result:
    (result,) = scene.many([question.asked])
    return result


def agreement(expected: yg.Result, found: yg.Result) -> float:
    """Return the share of equal pixels of two maps; for two texts 1 or 0."""
    match expected, found:
        case yg.DepthMap(), yg.DepthMap():
            if np.array_equal(expected.values, found.values):
                return 1.0
            near = np.isclose(expected.values, found.values, rtol=DEPTH_RTOL)
            return min(float(near.mean()), JUST_BELOW_1)
        case yg.LabelMap(), yg.LabelMap():
            return float((expected.ids == found.ids).mean()) if expected.classes == found.classes else 0.0
    return float(expected.raw == found.raw)


def gap(scene: yg.Scene, question: Question, expected: str, found: str) -> float:
    """Return the distance between the logits of the first tokens that differ, as a share of the range of all logits.

    The logits include the penalty for repeated tokens, as in the sampler.
    """
    session = scene.session()
    assert isinstance(session, NativeSession)
    a, b = (session.tokenize(text) + session.tokenize("<|end_of_text|>") for text in (expected, found))
    n = next(i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y)
    logits = session.last_logits(question.prompt, answered=a[:n])
    seen = [*session.prefix_tokens, *session.tokens_of(question.prompt), *a[:n]][-PENALTY_LAST_N:]
    repeated, penalty = list(set(seen)), scene.model.settings.sampling.repeat_penalty
    logits[repeated] = np.where(logits[repeated] > 0, logits[repeated] / penalty, logits[repeated] * penalty)
    return abs(float(logits[a[n]] - logits[b[n]])) / float(np.ptp(logits))


def run(model: yg.Model, images: Sequence[U8], n_threads: int, seconds: float) -> Counter[str]:
    """Ask from all threads for `seconds`; count right and wrong answers, ties, errors, and threads that hang."""
    expected = []
    for rgb in images:
        with closing(model.open(rgb)) as scene:
            expected.append([ask(scene, question) for question in QUESTIONS])
    scenes = [model.open(rgb) for rgb in images]
    tally: Counter[str] = Counter()
    doubtful: Counter[tuple[int, int, str]] = Counter()
    lock = threading.Lock()
    stop = time.monotonic() + seconds

    def ask_until_stop(number: int) -> None:
        rng = np.random.default_rng(number)
        while time.monotonic() < stop:
            which, asked = int(rng.integers(len(scenes))), int(rng.integers(len(QUESTIONS)))
            right = expected[which][asked]
            try:
                found = ask(scenes[which], QUESTIONS[asked])
            except yg.YoutuError as exc:
                with lock:
                    tally[f"error {type(exc).__name__}: {exc}"] += 1
                continue
            equal = agreement(right, found)
            with lock:
                if equal == 1:
                    tally["right"] += 1
                elif isinstance(right, yg.DepthMap | yg.LabelMap):
                    tally["tie" if equal >= MAP_AGREEMENT else f"wrong {QUESTIONS[asked].asked[0]}"] += 1
                else:
                    doubtful[which, asked, found.raw] += 1

    threads = [threading.Thread(target=ask_until_stop, args=(i,), daemon=True) for i in range(n_threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, stop - time.monotonic()) + ROUND_S)
        tally["hanging"] += thread.is_alive()
    for (which, asked, raw), n in doubtful.items():
        question = QUESTIONS[asked]
        apart = gap(scenes[which], question, expected[which][asked].raw, raw)
        tally["tie" if apart <= TIE else f"wrong {question.asked[0]}, {apart:.3f} of the range apart"] += n
    return tally


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="nano")
    parser.add_argument("--threads", type=count, default=8)
    parser.add_argument("--scenes", type=count, default=4)
    parser.add_argument("--minutes", type=float, default=5)
    args = parser.parse_args()
    images = [draw(TEST_SEEDS + 900 + i).rgb for i in range(args.scenes)]
    with yg.load(args.model, temperature=0.0, max_tokens=200) as model:
        tally = run(model, images, args.threads, args.minutes * 60)
    for outcome, n in tally.most_common():
        print(f"{n:7} {outcome}")
    sys.exit(not set(+tally) <= {"right", "tie"})


if __name__ == "__main__":
    main()
