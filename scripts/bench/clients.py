#!/usr/bin/env python3
"""What eight clients of one model cost against `Scene.many`: decodes, and tokens per second.

    python scripts/bench/clients.py [--model nano] [--tokens 32] [--json]

Each client is a thread that asks one question at the same moment as the others, in the ways of a server: a stream of
`many` with one question, a streamed `ask`, and a conversation. They ask about one image or about four. `many` asks the
eight questions about one image from one thread. Rounds alternate, and a ratio is the median of those within a round.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from _full import add_pair_option, full_pair, machine, photograph

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import youtu_gguf as yg
from scripts._arguments import count

N_CLIENTS = 8
QUESTIONS = [
    "Is this a kitchen?", "Where was it taken?", "How old is he?", "Name the animals.", "Who made this?",
    "Does it move?", "Any text in it?", "What season is it?",
]  # fmt: skip
DECODES_GOAL, RATE_GOAL = 1.2, 0.95

Way = Callable[[yg.Scene, str], int]
"""Asks a question; returns the number of tokens of its answer."""


def by_many(scene: yg.Scene, question: str) -> int:
    *_, last = scene.many([("ask", question)], stream=True)
    assert last.result is not None, last.error
    return last.result.timings.n_generated


def by_stream(scene: yg.Scene, question: str) -> int:
    n = 0

    def count(stage: str, done: int, _total: int) -> None:
        nonlocal n
        n = done if stage == "generate" else n

    for _ in scene.ask(question, stream=True, progress=count):
        pass
    return n


def by_chat(scene: yg.Scene, question: str) -> int:
    with scene.chat() as chat:
        for _ in chat.ask(question, stream=True):
            pass
        assert chat.last is not None
        return chat.last.timings.n_generated


WAYS: dict[str, Way] = {"many, one question": by_many, "ask": by_stream, "chat": by_chat}


def clients(model: yg.Model, scenes: list[yg.Scene], way: Way) -> tuple[int, float]:
    """Return the decodes of eight clients, and their tokens per second."""
    tokens = [0] * N_CLIENTS
    ready = threading.Barrier(N_CLIENTS + 1)

    def ask(i: int) -> None:
        ready.wait()
        tokens[i] = way(scenes[i % len(scenes)], QUESTIONS[i])

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(N_CLIENTS)]
    for thread in threads:
        thread.start()
    before = model.counts().decodes
    ready.wait()
    started = time.perf_counter()
    for thread in threads:
        thread.join()
    return model.counts().decodes - before, sum(tokens) / (time.perf_counter() - started)


def together(model: yg.Model, scene: yg.Scene) -> tuple[int, float]:
    """Return the same of `Scene.many`."""
    before, started = model.counts().decodes, time.perf_counter()
    answers = scene.many([("ask", question) for question in QUESTIONS])
    seconds = time.perf_counter() - started
    return model.counts().decodes - before, sum(answer.timings.n_generated for answer in answers) / seconds


def measure(model: yg.Model, size: tuple[int, int], rounds: int) -> dict[str, dict[str, float]]:
    scenes = [model.open(photograph(*size)[:, :: -1 if i % 2 else 1][:: -1 if i // 2 else 1].copy()) for i in range(4)]
    for scene in scenes:  # all are in the context from the first round on
        scene.ask(QUESTIONS[0])
    found: dict[str, list[tuple[int, float, int, float]]] = defaultdict(list)
    for _ in range(rounds):
        for n_images in (1, 4):
            for name, way in WAYS.items():
                base = together(model, scenes[0])
                found[f"{name}, {n_images} image(s)"].append((*clients(model, scenes[:n_images], way), *base))
    return {name: _summary(rows) for name, rows in found.items()}


def _summary(rows: list[tuple[int, float, int, float]]) -> dict[str, float]:
    n, rate, n_many, rate_many = (statistics.median(column) for column in zip(*rows, strict=True))
    return {
        "decodes": n, "of_many": n_many, "decodes_ratio": statistics.median(row[0] / row[2] for row in rows),
        "worst_decodes_ratio": max(row[0] / row[2] for row in rows),
        "tokens_s": rate, "tokens_s_of_many": rate_many,
        "rate_ratio": statistics.median(row[1] / row[3] for row in rows),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_pair_option(parser)
    parser.add_argument("--model", help="a model other than the full-size pair, such as nano")
    parser.add_argument("--rounds", type=count, default=15)
    parser.add_argument("--tokens", type=count, default=32, help="most tokens of an answer")
    parser.add_argument("--size", type=count, nargs=2, default=(640, 480), help="width and height of images")
    parser.add_argument("--threads", type=count, help="of llama.cpp; default: all cores")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    paths: tuple[Any, ...] = (args.model, None) if args.model else full_pair(args.folder)
    with yg.load(
        *paths, threads=args.threads, temperature=0.0, max_tokens=args.tokens, loop_guard=False, n_ctx=4096
    ) as model:
        found = measure(model, tuple(args.size), args.rounds)
    if args.json:
        print(json.dumps({"machine": machine(), **found}, indent=2))
        return
    print(f"{args.model or 'full-size pair'}; {machine()}")
    for name, row in found.items():
        good = row["decodes_ratio"] <= DECODES_GOAL and row["rate_ratio"] >= RATE_GOAL
        print(
            f"{name:30} decodes {row['decodes']:g} / {row['of_many']:g} = {row['decodes_ratio']:.2f} "
            f"(worst {row['worst_decodes_ratio']:.2f}), tokens/s {row['tokens_s']:.0f} / {row['tokens_s_of_many']:.0f} "
            f"= {row['rate_ratio']:.2f}  {'' if good else 'short'}"
        )


if __name__ == "__main__":
    main()
