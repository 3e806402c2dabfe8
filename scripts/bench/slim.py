#!/usr/bin/env python3
"""A model without its codebook, compared with the whole one: the same numbers, fewer bytes, faster tokens.

Asks nano 50 prompts with images, or with --full the full-size pair, for which it also compares memory and, in
alternating rounds, speed. --write only prints the seconds and the memory of writing the full-size file.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from _compare import Candidate, compare
from _full import add_pair_option, full_pair, machine, peak_memory_gb, photograph, smaller_pair

import youtu_gguf as yg
from scripts._arguments import count
from youtu_gguf.config import Sampling
from youtu_gguf.engines.native.engine import NativeEngine
from youtu_gguf.engines.native.sampling import LikeliestDraw, Sampler
from youtu_gguf.engines.native.session import NativeSession
from youtu_gguf.gguf.codebook import Run
from youtu_gguf.gguf.header import read_header
from youtu_gguf.gguf.vocabulary import take_inventory
from youtu_gguf.types import F32, U8

QUESTIONS = (
    "Detect all objects in the provided image.",
    "What is in the picture?",
    'Can you segment "the left one" in this image?',
    "Estimate the depth.",
    "How many are there? Output the final answer as a single number.",
)
N_IMAGES = 10
N_TOKENS = 12


def images() -> Iterator[U8]:
    """Yield small images of various shapes, each another part of a photograph."""
    whole = photograph(640, 480)
    for i in range(N_IMAGES):
        yield np.ascontiguousarray(whole[24 * i : 24 * i + 64 + 32 * (i % 3), 40 * i : 40 * i + 96])


class WithoutCodebook(LikeliestDraw):
    """Never draws an entry of the codebook, which a random model, unlike a trained one, would generate."""

    def __init__(self, codebook: Run, sampling: Sampling, seen: Sequence[int]) -> None:
        super().__init__(sampling, seen)
        self._codebook = slice(codebook.first, codebook.stop)

    def draw(self, logits: F32) -> int:
        kept = logits[self._codebook].copy()
        logits[self._codebook] = -math.inf
        token = super().draw(logits)
        logits[self._codebook] = kept
        return token


def check_same(whole: yg.Model, less: yg.Model, dropped: Run) -> None:
    """Ask both models all questions; print how many logits and answers are identical."""
    logits = answers = maps = n = 0
    for rgb in images():
        with closing(whole.open(rgb)) as a, closing(less.open(rgb)) as b:
            maps += np.array_equal(a.depth().values, b.depth().values)
            for question in QUESTIONS:
                kept = np.delete(_logits(a, question), np.s_[dropped.first : dropped.stop])
                logits += np.array_equal(kept, _logits(b, question))
                answers += a.ask(question).raw == b.ask(question).raw
                n += 1
    print(f"logits of kept tokens identical to the bit: {logits} of {n}; answers: {answers} of {n}; ", end="")
    print(f"depth maps: {maps} of {N_IMAGES}")


def _logits(scene: yg.Scene, question: str) -> np.ndarray:
    session = scene.session()
    assert isinstance(session, NativeSession)
    return session.last_logits(question)


def run(files: tuple[Path, Path], slim: Path, *, random: bool) -> None:
    """Compare a slim copy with a pair; with `random` weights the codebook is excluded from drawing."""
    dropped = take_inventory(read_header(files[0])).codebook
    assert dropped is not None
    saved = files[0].stat().st_size - slim.stat().st_size
    print(f"{dropped.count:,} entries dropped, {saved:,} bytes less")
    options: dict[str, Any] = {"n_ctx": 2048, "temperature": 0.0, "max_tokens": N_TOKENS}
    with yg.load(*files, **options) as whole, yg.load(slim, files[1], **options) as less:
        assert isinstance(whole.engine, NativeEngine)
        if random:
            whole.engine.new_sampler = lambda sampling, _, seen: Sampler(
                WithoutCodebook(dropped, sampling, seen), scores=False
            )
        check_same(whole, less, dropped)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_pair_option(parser)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--write", action="store_true", help="only write a slim copy; print seconds and peak memory")
    parser.add_argument("--rounds", type=count, default=10)
    args = parser.parse_args()
    print(machine())
    if args.write:
        with tempfile.TemporaryDirectory(dir=args.folder) as scratch:
            started = time.perf_counter()
            yg.weights.slim(full_pair(args.folder)[0], Path(scratch) / "slim.gguf")
            print(f"written in {time.perf_counter() - started:.1f} s, peak memory {peak_memory_gb():.2f} GB")
        return
    if not args.full:
        with tempfile.TemporaryDirectory() as scratch:
            files = yg.weights.find("nano")
            run(files, yg.weights.slim(files[0], Path(scratch) / "slim.gguf").path, random=False)
        return
    files = full_pair(args.folder)
    slim = smaller_pair(args.folder, "slim")
    run(files, slim[0], random=True)
    compare({"Q8_0": Candidate(*files, {}), "Q8_0, slim": Candidate(*slim, {})}, args.rounds)


if __name__ == "__main__":
    main()
