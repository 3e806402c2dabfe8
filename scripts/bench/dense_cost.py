#!/usr/bin/env python3
"""What dense maps and generation cost in addition to the bare network, at full size.

Times, alternating within one run: encoding and prefilling with bare llama.cpp calls; a depth map; a segmentation into
20 classes; the same depth map with hidden states read by way of all logits. Then the engine's generation loop against a
bare decode-and-sample loop. Peak memory is measured in a child process.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from _full import add_pair_option, full_pair, machine, peak_memory_gb, photograph

import youtu_gguf as yg
from scripts._arguments import count
from youtu_gguf.config import Sampling
from youtu_gguf.engines.base import Request
from youtu_gguf.engines.native.engine import NativeEngine
from youtu_gguf.engines.native.llama import bindings
from youtu_gguf.engines.native.llama.batch import NONE, Run
from youtu_gguf.engines.native.llama.bindings import lib
from youtu_gguf.engines.native.llama.chain import ChainDraw
from youtu_gguf.types import U8

CLASSES = [
    *("road", "sidewalk", "building", "wall", "fence", "pole", "light", "sign", "vegetation", "terrain", "sky"),
    *("person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle", "table"),
]
BARE_QUESTION = "What is in the picture?"


def load(args: argparse.Namespace, **settings: Any) -> yg.Model:
    model, mmproj = full_pair(args.folder)
    return yg.load(model, mmproj, n_ctx=args.n_ctx, **settings)


def native(model: yg.Model) -> NativeEngine:
    assert isinstance(model.engine, NativeEngine)
    return model.engine


def bare_seconds(model: yg.Model, rgb: U8) -> float:
    """Encode and prefill one image without keeping states: the tap is off, and no token is an output."""
    engine = native(model)
    engine.clear()
    scene = model.open(rgb)
    prepared = scene.session().prefix.image()
    opening, ending = scene.session().prompt_tokens("")  # type: ignore[attr-defined]
    if engine.hidden_way == "nextn":
        bindings.set_tap(engine.context.handle, False)
    context, sequence = engine.context, engine.prefixes.reserve(0)
    started = time.perf_counter()
    embeddings = engine.vision.encode(prepared)
    context.decode_prefix_tokens(opening, 0, sequence)
    for first in range(0, len(embeddings), context.slice):
        part = embeddings[first : first + context.slice]
        context.decode(context.embeddings.fill(Run(part, len(opening) + first, sequence, NONE)))
    context.decode_prefix_tokens(ending[:1], len(opening) + len(embeddings), sequence)
    lib.llama_synchronize(context.handle)
    seconds = time.perf_counter() - started
    engine.prefixes.abandon(sequence, 0)
    if engine.hidden_way == "nextn":
        bindings.set_tap(context.handle, True)
    scene.close()
    return seconds


def depth_seconds(model: yg.Model, rgb: U8) -> float:
    native(model).clear()
    started = time.perf_counter()
    scene = model.open(rgb)
    scene.depth()
    seconds = time.perf_counter() - started
    scene.close()
    return seconds


def segment_seconds(model: yg.Model, rgb: U8) -> float:
    native(model).clear()
    started = time.perf_counter()
    scene = model.open(rgb)
    scene.segment(CLASSES, present="all")
    seconds = time.perf_counter() - started
    scene.close()
    return seconds


def loop_rates(model: yg.Model, rgb: U8, n_tokens: int, rounds: int) -> tuple[list[float], list[float]]:
    """Return tokens/s of the engine's loop and of a bare loop in each of `rounds` alternating rounds."""
    scene = model.open(rgb)
    scene.patches()
    sampling = Sampling(max_tokens=n_tokens)
    ours, bare = [], []
    for number in range(rounds):
        if number % 2:  # the loop that runs second in a round may be faster
            ours.append(our_rate(scene, sampling))
            bare.append(bare_rate(model, scene, sampling))
        else:
            bare.append(bare_rate(model, scene, sampling))
            ours.append(our_rate(scene, sampling))
    scene.close()
    return ours, bare


def our_rate(scene: yg.Scene, sampling: Sampling) -> float:
    pieces = scene.session().generate(BARE_QUESTION, sampling)
    next(pieces)  # decoding the question is not generation
    started, n = time.perf_counter(), 0
    for piece in pieces:
        n += piece.n_tokens
    return n / (time.perf_counter() - started)


def bare_rate(model: yg.Model, scene: yg.Scene, sampling: Sampling) -> float:
    engine = native(model)
    session: Any = scene.session()
    generation = engine.start(engine.payer(session), Request(BARE_QUESTION, sampling))
    asked, position, sequence = generation.pending, generation.position, generation.sequence
    engine.context.decode_runs([Run(asked, position, sequence)])
    batch, handle = engine.context.tokens.handle, engine.context.handle
    draw = ChainDraw(sampling, engine.model.n_vocab, asked)
    chain = draw.handle
    position += len(asked)
    batch.token[0] = lib.llama_sampler_sample(chain, handle, -1)
    batch.n_tokens, batch.n_seq_id[0], batch.seq_id[0][0], batch.logits[0] = 1, 1, sequence, 1
    started, n = time.perf_counter(), 0
    while n < sampling.max_tokens - 1 and not lib.llama_vocab_is_eog(engine.model.vocab, batch.token[0]):
        batch.pos[0] = position + n
        lib.llama_decode(handle, batch)
        batch.token[0] = lib.llama_sampler_sample(chain, handle, -1)
        n += 1
    rate = n / (time.perf_counter() - started)
    draw.close()
    engine.finish(generation)
    return rate


def peak_of_own_process(args: argparse.Namespace) -> float:
    command = [sys.executable, __file__, "--peak-only", "--folder", str(args.folder), "--n-ctx", str(args.n_ctx)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def peak_only(args: argparse.Namespace) -> None:
    with load(args, max_tokens=8) as model:
        scene = model.open(photograph(args.width, args.height))
        scene.depth()
        scene.segment(CLASSES, present="all")
        scene.ask(BARE_QUESTION)
    print(peak_memory_gb())


def measure(args: argparse.Namespace) -> dict[str, Any]:
    rgb = photograph(args.width, args.height)
    times: dict[str, list[float]] = {"bare": [], "depth": [], "segment20": [], "depth_all_logits": []}
    with load(args) as model:
        bare_seconds(model, rgb)  # reads the files into memory
        for _ in range(args.rounds):
            times["bare"].append(bare_seconds(model, rgb))
            times["depth"].append(depth_seconds(model, rgb))
            times["segment20"].append(segment_seconds(model, rgb))
        ours, bare = loop_rates(model, rgb, args.tokens, args.loop_rounds)
    with load(args, hidden_way="embeddings") as model:
        bare_again = []
        for _ in range(args.rounds):
            bare_again.append(bare_seconds(model, rgb))
            times["depth_all_logits"].append(depth_seconds(model, rgb))
    median = {name: statistics.median(values) for name, values in times.items()}
    files_gb = sum(path.stat().st_size for path in full_pair(args.folder)) / 1e9
    peak = peak_of_own_process(args)
    return {
        "machine": machine(),
        "llama_cpp_python": bindings.VERSION,
        "image": f"{args.width}x{args.height}",
        "seconds": times,
        "median_s": median,
        "depth_ratio": median["depth"] / median["bare"],
        "segment20_ratio": median["segment20"] / median["bare"],
        "depth_all_logits_ratio": median["depth_all_logits"] / statistics.median(bare_again),
        "our_tokens_s": statistics.median(ours),
        "bare_tokens_s": statistics.median(bare),
        "loop_ratios": [a / b for a, b in zip(ours, bare, strict=True)],
        "loop_ratio": statistics.median(a / b for a, b in zip(ours, bare, strict=True)),
        "files_gb": files_gb,
        "peak_gb": peak,
        "over_files_gb": peak - files_gb,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_pair_option(parser)
    parser.add_argument("--width", type=count, default=640)
    parser.add_argument("--height", type=count, default=480)
    parser.add_argument("--rounds", type=count, default=3)
    parser.add_argument("--loop-rounds", type=count, default=10)
    parser.add_argument("--tokens", type=count, default=32, help="tokens generated per round of the loop comparison")
    parser.add_argument("--n-ctx", type=count, default=16_384)
    parser.add_argument("--peak-only", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.peak_only:
        peak_only(args)
    else:
        print(json.dumps(measure(args), indent=2))


if __name__ == "__main__":
    main()
