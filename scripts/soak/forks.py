#!/usr/bin/env python3
"""Processes forked at random moments from a busy parent: each gets an error at once and ends, and the parent goes on.

    python scripts/soak/forks.py --forks 500

Threads of the parent ask nano about several images, stream answers and read maps with two OpenMP threads, while the
main thread forks. Each child enters the model by one way, must get an `EngineError` that says it was forked, closes and
drops everything that it inherited, and ends; a child that is not gone in time is counted as hanging, and killed. The
parent's answers must be those that it got before.
"""

from __future__ import annotations

import argparse
import gc
import os
import random
import signal
import sys
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from scripts._arguments import count

os.environ["OMP_WAIT_POLICY"] = "passive"  # two threads that spin take ages where other programs want the processors
os.environ["OPENBLAS_NUM_THREADS"] = (
    "1"  # OpenBLAS ends its threads before a fork, also those that another thread awaits
)

import youtu_gguf as yg
from scripts.nano.scenes import TEST_SEEDS, draw

CHILD_S = 60.0
"""A child that takes longer hangs: it takes a tenth of a second on an idle machine."""
REFUSED, NO_ERROR, OTHER_ERROR = 0, 3, 4
OUTCOMES = {REFUSED: "refused", NO_ERROR: "no error", OTHER_ERROR: "another error"}
QUESTIONS = (("describe",), ("classify",), ("count", "object"), ("depth",))
"""Without coordinates: two that are almost equally likely may change places beside other threads, fork or not."""


class Busy:
    """A model that threads are asking without a break until closed."""

    def __init__(self, n_threads: int) -> None:
        self.model = yg.load("nano", threads=2, n_ctx=2048, max_tokens=16, temperature=0.0)
        self.images = [draw(TEST_SEEDS + i).rgb[:192, :256].copy() for i in range(3)]
        self.scenes = [self.model.open(rgb) for rgb in self.images]
        self.stream: Iterator[str] = self.scenes[0].ask("What is in the picture?", stream=True)
        self.updates = self.scenes[0].many([("describe",), ("ocr",)], stream=True)
        next(self.stream)
        next(self.updates)
        self.patches = self.scenes[1].patches()
        self.expected = {(i, q): self.answer(i, q) for i in range(3) for q in range(len(QUESTIONS))}
        self.wrong: list[str] = []
        self.n_answers = 0
        self.over = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(n,)) for n in range(n_threads)]
        for thread in self._threads:
            thread.start()

    def answer(self, image: int, question: int) -> str:
        task, *arguments = QUESTIONS[question]
        result = getattr(self.scenes[image], task)(*arguments)
        return str(result.values.sum() if isinstance(result, yg.DepthMap) else result.raw)

    def _ask(self, seed: int) -> None:
        choices = random.Random(seed)
        while not self.over.is_set():
            case = choices.choice(list(self.expected))
            found = self.answer(*case)
            self.n_answers += 1
            if found != self.expected[case]:
                self.wrong.append(f"{case}: expected {self.expected[case]!r}; got {found!r}")

    def close(self) -> None:
        self.over.set()
        for thread in self._threads:
            thread.join()
        self.model.close()


def entries(busy: Busy) -> dict[str, Callable[[], object]]:
    """Return the ways into a model, by name."""
    return {
        "ask": lambda: busy.scenes[0].ask("Why?"),
        "ask about a known answer": lambda: busy.answer(1, 0),
        "depth": lambda: busy.scenes[1].depth(scale="nyuv2"),
        "segment": lambda: busy.scenes[1].segment(["sky", "grass"], present="all"),
        "many": lambda: busy.scenes[2].many([("describe",), ("ocr",)]),
        "go on with a stream": lambda: list(busy.stream),
        "go on with many": lambda: list(busy.updates),
        "patches": busy.scenes[1].patches,
        "open": lambda: busy.model.open(busy.images[0]),
        "load": lambda: yg.load("nano", threads=2),
        "load with one thread": lambda: yg.load("nano", threads=1),
    }


def in_child(busy: Busy, name: str, *, at_once: bool) -> None:
    """Enter the model, drop everything, and end this process."""
    code = NO_ERROR
    try:
        entries(busy)[name]()
    except yg.EngineError as exc:
        code = REFUSED if "forked" in str(exc) else OTHER_ERROR
    except BaseException:  # noqa: BLE001 - counted
        code = OTHER_ERROR
    busy.patches.logits([1, 2])
    for scene in busy.scenes:
        scene.close()
    busy.model.close()
    busy.__dict__.clear()
    gc.collect()
    if at_once:
        os._exit(code)
    sys.exit(code)


def outcome(pid: int, limit_s: float) -> str:
    """Wait for a child; say how it ended."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            code = os.waitstatus_to_exitcode(status)
            return OUTCOMES.get(code, f"exit code {code}")
        time.sleep(0.002)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return "hung"


def run(n: int, seed: int, n_threads: int = 3) -> tuple[Counter[str], list[str], float]:
    """Fork `n` times; return how the children ended, the parent's wrong answers, and the longest seconds of a child."""
    choices = random.Random(seed)
    busy = Busy(n_threads)
    found: Counter[str] = Counter()
    longest = 0.0
    try:
        for i in range(n):
            time.sleep(choices.uniform(0, 0.03))
            name, at_once = choices.choice(list(entries(busy))), choices.random() < 0.5
            sys.stdout.flush()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # forking beside threads: what this is about
                pid = os.fork()
            if pid == 0:
                in_child(busy, name, at_once=at_once)
            started = time.monotonic()
            ended = outcome(pid, CHILD_S)
            longest = max(longest, time.monotonic() - started)
            found[ended] += 1
            if i % 50 == 49:
                print(f"{i + 1} forks, {busy.n_answers} answers of the parent", flush=True)
            if ended != "refused":
                print(f"fork {i}, {name}, {'_exit' if at_once else 'exit'}: {ended}", flush=True)
    finally:
        if os.getpid() == PARENT:
            busy.close()
    return found, busy.wrong, longest


PARENT = os.getpid()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--forks", type=count, default=500)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    started = time.monotonic()
    found, wrong, longest = run(args.forks, args.seed)
    print(
        f"{dict(found)}; longest child {longest:.1f} s; {len(wrong)} wrong answers; {time.monotonic() - started:.0f} s"
    )
    for line in wrong[:10]:
        print(line)
    return 0 if set(found) == {"refused"} and not wrong else 1


if __name__ == "__main__":
    sys.exit(main())
