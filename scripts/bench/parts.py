#!/usr/bin/env python3
"""The small parts for which docs and docstrings give figures, each timed separately.

    python scripts/bench/parts.py            # parts that need no model, and parts measured with nano
    python scripts/bench/parts.py --full     # parts that need the full-size pair

The margin map is timed by `label_map.py --margin --classes 5 20 150`.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from _full import add_pair_option, full_pair, machine, photograph

import youtu_gguf as yg
from youtu_gguf.decode.boxes import parse_boxes
from youtu_gguf.decode.merge import distinct_boxes
from youtu_gguf.decode.scores import item_scores
from youtu_gguf.engines.base import Answer, TokenScore
from youtu_gguf.engines.native.engine import NativeEngine
from youtu_gguf.engines.native.llama.batch import Run
from youtu_gguf.engines.native.llama.bindings import VERSION, lib
from youtu_gguf.engines.native.sampling import token_probability
from youtu_gguf.engines.native.session import NativeSession
from youtu_gguf.engines.repetition import LoopGuard, RepetitionDetector

N_VOCAB = 283_386
"""Rows of the published model's head (facts: shapes)."""
STEPS = (1, 4, 7, 8)


def seconds(work: Callable[[], object], rounds: int, times: int = 1) -> float:
    """Return the median of `rounds` calls in seconds per piece of work, of which each call does `times`."""
    found = []
    for _ in range(rounds):
        started = time.perf_counter()
        work()
        found.append((time.perf_counter() - started) / times)
    return statistics.median(found)


def report(what: str, value: float, unit: str) -> None:
    print(f"{what:58} {value:10.3g} {unit}")


def without_a_model() -> None:
    logits = np.random.default_rng(0).normal(size=N_VOCAB).astype(np.float32)
    report(f"probability of a token among {N_VOCAB}", 1e3 * seconds(lambda: token_probability(logits, 7), 50), "ms")
    answer, n_tokens = boxes_answer(1000)
    found = parse_boxes(answer.text)
    what = f"scores of {len(found.labels)} boxes from {n_tokens} tokens"
    report(what, 1e3 * seconds(lambda: item_scores(answer, found.spans), 20), "ms")
    report("reading such an answer, per box", 1e6 * seconds(lambda: parse_boxes(answer.text), 20, 1000), "us")
    corners = np.random.default_rng(0).integers(0, 2000, (5000, 2)).astype(np.float32)
    many = np.concatenate([corners, corners + 20], axis=1)
    report("5000 boxes of one label and size, as one set", seconds(lambda: distinct_boxes(many, "a" * 5000), 3), "s")
    tokens = np.random.default_rng(0).integers(0, 1000, 5000).tolist()
    guard = RepetitionDetector()
    report("repetition detector, per token", 1e6 * seconds(lambda: [guard.add(t) for t in tokens], 9, 5000), "us")
    pieces = [(n, f"<x_{n}>" if n % 6 else " word") for n in tokens]
    both = LoopGuard()
    report(
        "with the diversity of the text, per token",
        1e6 * seconds(lambda: [both.add(*p) for p in pieces], 9, 5000),
        "us",
    )
    tracemalloc.start()
    kept = LoopGuard()
    report("the same, memory", tracemalloc.get_traced_memory()[0] / 1e3, "KB")
    tracemalloc.stop()
    del kept


def boxes_answer(n: int) -> tuple[Answer, int]:
    """Return an answer of `n` boxes in eight tokens each."""
    pieces = [
        piece
        for i in range(n)
        for piece in ("<ref>", f"thing {i}", "</ref><box>", f"<x_{i}>", "<y_3>", f"<x_{i + 9}>", "<y_20>", "</box>")
    ]
    ends = np.cumsum([len(piece) for piece in pieces]).tolist()
    tokens = tuple(TokenScore(stop - len(piece), stop, 0.9) for piece, stop in zip(pieces, ends, strict=True))
    return Answer("".join(pieces), "stop", len(pieces), tokens=tokens), len(pieces)


def on_nano() -> None:
    with yg.load("nano", threads=1, temperature=0.0, max_tokens=40) as model:
        with closing(model.open(photograph(320, 256))) as scene:
            session = scene.session()
            assert isinstance(session, NativeSession)
            question = "Describe the picture in one sentence."
            report("nano: tokenising a question", 1e3 * seconds(lambda: session.tokens_of(question), 50), "ms")
            asked = [("ask", f"Describe the picture, part {i}.") for i in range(40)]
            scene.patches()
            rates = []
            for _ in range(5):
                started = time.perf_counter()
                n_tokens = sum(answer.timings.n_generated for answer in scene.many(asked))
                rates.append(n_tokens / (time.perf_counter() - started))
        report("nano: forty questions together, one thread", statistics.median(rates), "tokens/s")


def on_full_size(folder: Path) -> None:
    with yg.load(*full_pair(folder)) as model, closing(model.open(photograph(640, 480))) as scene:
        engine, session = model.engine, scene.session()
        assert isinstance(engine, NativeEngine)
        assert isinstance(session, NativeSession)
        hidden = scene.patches().hidden
        entry = engine.prefixes.find(session.key)
        assert entry is not None
        context = engine.context
        state = context.save(entry.sequence)
        n_image = hidden.shape[0] * hidden.shape[1]
        files = full_pair(folder)
        report("inspecting the pair, from headers alone", seconds(lambda: yg.weights.inspect(*files), 5), "s")
        report("positions of the prefix", entry.length, "")
        report("its keys and values, per position", len(state) / entry.length / 1e3, "KB")
        kept = hidden.nbytes + engine.embeddings(session.prefix.image).nbytes
        report("states and embeddings, per image token", kept / n_image / 1e3, "KB")
        target = engine.prefixes.acquire()

        def branch() -> None:
            context.share(entry.sequence, target)
            context.drop(target)

        report("branching from a prefix and dropping the branch", 1e3 * seconds(branch, 50), "ms")
        report("copying a prefix out", 1e3 * seconds(lambda: context.save(entry.sequence), 5), "ms")

        def put_back() -> None:
            context.drop(target)
            assert context.restore(target, state)

        report("copying a prefix back", 1e3 * seconds(put_back, 5), "ms")
        context.drop(target)
        engine.prefixes.release(target)
        context.pads = False
        for n in STEPS * 2:
            branches = [engine.prefixes.branch(entry, ()) for _ in range(n)]
            position = entry.length

            def step(branches: list[int] = branches) -> None:
                nonlocal position
                assert context.decode_runs([Run((7,), position, sequence) for sequence in branches])
                lib.llama_synchronize(context.handle)
                position += 1

            step()
            report(f"a step of {n} answers", seconds(step, 5), "s")
            for sequence in branches:
                context.drop(sequence, entry.length)
                engine.prefixes.finish(sequence)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_pair_option(parser)
    parser.add_argument("--full", action="store_true", help="time the parts that need the full-size pair")
    args = parser.parse_args()
    print(f"{machine()}; llama-cpp-python {VERSION}")
    if args.full:
        on_full_size(args.folder)
    else:
        without_a_model()
        on_nano()


if __name__ == "__main__":
    main()
