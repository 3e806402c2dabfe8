#!/usr/bin/env python3
"""The full-size model in Q4_K_M, unmodified and with rearranged weights, compared with Q8_0: bytes, memory, speed.

--sizes prints the bytes of every encoding as llama.cpp computes them, --memory what rearranging takes, --exact whether
the numbers of a token depend on the rest of the batch, --write how long writing takes. All together take eight minutes.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from _compare import Candidate, compare, measure_way
from _full import add_pair_option, full_pair, machine, smaller_pair

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import youtu_gguf as yg
from scripts._arguments import count
from youtu_gguf.engines.native.engine import NativeEngine
from youtu_gguf.engines.native.llama.batch import Run
from youtu_gguf.engines.native.llama.handles import LlamaContext
from youtu_gguf.engines.native.llama.quantizing import encodings, quantized_bytes
from youtu_gguf.gguf.header import read_header
from youtu_gguf.types import F32

TOGETHER = (2, 3, 5, 8)
N_WORDS = 128_000
"""Number of ids of ordinary text (facts: tokens)."""

SIZES = ("F16", "Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q3_K_M")


def print_sizes(folder: Path) -> None:
    """Print the size that the whole and the slim file have in each encoding."""
    files = [smaller_pair(folder, name)[0] for name in ("Q8_0", "slim")]
    print("encoding  bits a weight  GB     slim, GB")
    for name in SIZES:
        code = encodings()[name]
        tensors, slim = (quantized_bytes(path, code) / 1e9 for path in files)
        n_weights = sum(math.prod(tensor.shape) for tensor in read_header(files[0]).tensors.values())
        print(f"{name:8} {tensors * 8e9 / n_weights:14.2f}  {tensors:5.2f}  {slim:8.2f}")


def print_exactness(folder: Path) -> None:
    """Decode prompts alone and together; print the largest difference between the logits of their last tokens."""
    print("file              together  largest difference of logits")
    for name, repack in (("Q8_0", False), ("Q4_K_M", False), ("Q4_K_M", True)):
        with yg.load(*smaller_pair(folder, name), n_ctx=512, repack=repack) as model:
            assert isinstance(model.engine, NativeEngine)
            context = model.engine.context
            prompts = np.random.default_rng(0).integers(0, N_WORDS, (max(TOGETHER), 7)).tolist()
            alone = [_last_logits(context, [prompt])[0] for prompt in prompts]
            for n in TOGETHER:
                together = _last_logits(context, prompts[:n])
                worst = max(float(np.abs(a - b).max()) for a, b in zip(alone, together, strict=False))
                print(f"{name + ', repacked' * repack:18}{n:8}  {worst:.3g}", flush=True)


def _last_logits(context: LlamaContext, prompts: list[list[int]]) -> list[F32]:
    for sequence in range(len(prompts)):
        context.drop(sequence)
    if not context.decode(context.tokens.fill(*(Run(prompt, 0, i) for i, prompt in enumerate(prompts)))):
        raise SystemExit("the context is full")
    ends = np.cumsum([len(prompt) for prompt in prompts]) - 1
    return [context.logits(int(end)).copy() for end in ends]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--memory", action="store_true", help="load Q4_K_M in three ways; seconds and peak memory")
    parser.add_argument("--write", action="store_true", help="write Q4_K_M; seconds")
    parser.add_argument("--exact", action="store_true", help="compare logits of prompts decoded alone and together")
    parser.add_argument("--sizes", action="store_true", help="write nothing, print bytes per encoding")
    add_pair_option(parser)
    parser.add_argument("--rounds", type=count, default=10)
    args = parser.parse_args()
    if args.memory:
        for way in ("", "repack", "mapped"):
            seconds, peak = measure_way(*smaller_pair(args.folder, "Q4_K_M"), way)
            print(f"Q4_K_M {way or 'as it is':9} loads in {seconds:4.1f} s, peak memory {peak:.2f} GB", flush=True)
        return
    if args.write:
        with tempfile.TemporaryDirectory(dir=args.folder) as scratch:
            started = time.perf_counter()
            yg.weights.quantize(full_pair(args.folder)[0], Path(scratch) / "Q4_K_M.gguf", "Q4_K_M")
            print(f"written in {time.perf_counter() - started:.0f} s")
        return
    if args.exact:
        print_exactness(args.folder)
        return
    if args.sizes:
        print_sizes(args.folder)
        return
    smaller = smaller_pair(args.folder, "Q4_K_M")
    print(machine())
    candidates = {
        "Q8_0": Candidate(*full_pair(args.folder), {}),
        "Q4_K_M": Candidate(*smaller, {}),
        "Q4_K_M, repacked": Candidate(*smaller, {"repack": True}),
    }
    compare(candidates, args.rounds)


if __name__ == "__main__":
    main()
