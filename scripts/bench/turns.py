#!/usr/bin/env python3
"""What threads on one model take of each other: decodes of eight answers, pauses of a stream, the end of a reading.

    python scripts/bench/turns.py                 # nano
    python scripts/bench/turns.py --mid           # random weights, full width, 6 layers of language and 4 of vision
    python scripts/bench/turns.py --folder FOLDER # the full-size pair, written there if it is missing

1. Decodes of eight answers of 16 tokens, by `many` on one image and by eight threads on one and on four.
2. The longest pause of a running stream while another thread brings in an image, as a multiple of the longest time that
   the other thread computes without a break: one slice, or with an encoding that holds up the rest all of that.
3. Seconds from setting `cancel` to the end of the reading, at moments spread over it.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from _full import full_pair, machine, photograph

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import youtu_gguf as yg
from scripts._arguments import count
from youtu_gguf.config import Sampling
from youtu_gguf.engines.native.engine import NativeEngine
from youtu_gguf.facts import LanguageShape, VisionShape
from youtu_gguf.weights.synthetic.layout import Shape
from youtu_gguf.weights.synthetic.pair import write_synthetic_pair
from youtu_gguf.weights.synthetic.tokens import VocabularyShape

MID = Shape(
    "Youtu-VL-mid-synthetic",
    LanguageShape(6, 2560, 9728, 32, q_lora=1536, kv_lora=512, qk_nope=128, qk_rope=64, v_head=128),
    VisionShape(4, 1152, 4304, 16, full_layers=(1, 3)),
    VocabularyShape(n_base=16_000, n_control=6, n_codebook=64),
    pooled=True,
)
N_THREADS, N_TOKENS = 8, 16
QUESTIONS = [
    "Is this a kitchen?", "Where was it taken?", "How old is he?", "Name the animals.", "Who made this?",
    "Does it move?", "Any text in it?", "What season is it?",
]  # fmt: skip
MOMENTS = (0.1, 0.3, 0.5, 0.7, 0.9)


class Watched:
    """An engine whose decodes and encodings are counted and timed."""

    def __init__(self, engine: NativeEngine) -> None:
        self.n_decodes = 0
        self.longest_s = self.longest_encode_s = 0.0
        decode, encode = engine.context.decode, engine.vision.encode

        def watched(batch: Any) -> bool:
            started = time.perf_counter()
            done = decode(batch)
            self.n_decodes += 1
            self.longest_s = max(self.longest_s, time.perf_counter() - started)
            return done

        def watched_encode(*arguments: Any, **options: Any) -> Any:
            started = time.perf_counter()
            embeddings = encode(*arguments, **options)
            self.longest_encode_s = max(self.longest_encode_s, time.perf_counter() - started)
            return embeddings

        engine.context.decode = watched  # type: ignore[method-assign]
        engine.vision.encode = watched_encode  # type: ignore[method-assign]

    def reset(self) -> None:
        self.n_decodes, self.longest_s, self.longest_encode_s = 0, 0.0, 0.0


@contextmanager
def in_thread(work: Callable[[], object]) -> Iterator[threading.Thread]:
    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield thread
    finally:
        thread.join()


def ask_from_threads(scenes: list[yg.Scene]) -> list[str]:
    found = [""] * N_THREADS
    ready = threading.Barrier(N_THREADS)

    def ask(i: int) -> None:
        ready.wait()
        found[i] = scenes[i % len(scenes)].ask(QUESTIONS[i]).raw

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(N_THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def decodes(model: yg.Model, watched: Watched, size: tuple[int, int], rounds: int) -> None:
    scenes = [model.open(photograph(*size)[:, :: -1 if i % 2 else 1][:: -1 if i // 2 else 1].copy()) for i in range(4)]
    for n_images in (1, 4):
        alone = [scenes[i % n_images].ask(QUESTIONS[i]).raw for i in range(N_THREADS)]
        scenes[0].ask(QUESTIONS[0])
        watched.reset()
        scenes[0].many([("ask", question) for question in QUESTIONS])
        many, counts, equal = watched.n_decodes, [], 0
        for _ in range(rounds):
            watched.reset()
            found = ask_from_threads(scenes[:n_images])
            counts.append(watched.n_decodes)
            equal += sum(a == b for a, b in zip(alone, found, strict=True))
        n = statistics.median(counts)
        print(f"8 threads, {n_images} image(s): {n:g} decodes ({min(counts)}-{max(counts)}), many {many}: "
              f"{n / many:.2f}; equal to those alone {equal}/{rounds * N_THREADS}", flush=True)  # fmt: skip
    for scene in scenes:
        scene.close()


def gaps_until(pieces: Iterator[object], over: Callable[[int], bool]) -> list[float]:
    """Return the seconds between pieces of a stream until `over` is true of their number."""
    found: list[float] = []
    last = time.perf_counter()
    while not over(len(found)):
        next(pieces)
        now = time.perf_counter()
        found.append(now - last)
        last = now
    return found


def pauses(model: yg.Model, watched: Watched, size: tuple[int, int]) -> None:
    assert isinstance(model.engine, NativeEngine)
    model.engine.clear()
    with model.open(photograph(320, 240)) as running, model.open(photograph(*size)) as other:
        sampling = Sampling(temperature=0, max_tokens=3000, loop_guard=False)
        with closing(running.session().generate("Tell me all about it.", sampling)) as pieces:  # type: ignore[type-var]
            next(pieces)
            alone = gaps_until(pieces, lambda n: n == N_TOKENS)
            watched.reset()
            with in_thread(other.patches) as reading:
                beside = gaps_until(pieces, lambda _: not reading.is_alive())
        cost, worst, slice_s = other.session().cost, max(beside), watched.longest_s
        print(f"stream: {1e3 * statistics.median(alone):.0f} ms a token alone, {1e3 * statistics.median(beside):.0f} "
              f"beside a reading of {cost.encode_s:.2f} + {cost.prefill_s:.2f} s; worst pause {1e3 * worst:.0f} ms, "
              f"{worst / slice_s:.2f} of the longest decode of {1e3 * slice_s:.0f} ms", flush=True)  # fmt: skip


def ends(model: yg.Model, watched: Watched, size: tuple[int, int]) -> None:
    assert isinstance(model.engine, NativeEngine)
    scene = model.open(photograph(*size))
    model.engine.clear()
    watched.reset()
    started = time.perf_counter()
    scene.patches()
    whole = time.perf_counter() - started
    slice_s, encode_s = watched.longest_s, watched.longest_encode_s
    found = []
    for moment in MOMENTS:
        model.engine.clear()
        cancel = threading.Event()
        timer = threading.Timer(moment * whole, cancel.set)
        timer.start()
        asked = time.perf_counter()
        answer = scene.ask("What is it?", cancel=cancel, max_tokens=1)
        late = time.perf_counter() - asked - moment * whole
        timer.cancel()
        found.append(f"{moment:g}: {late:.2f} s ({answer.finish})")
    print(f"cancelled at a part of a reading of {whole:.2f} s (one slice {slice_s:.2f} s, encoding {encode_s:.2f} s), "
          f"it ended after {', '.join(found)}", flush=True)  # fmt: skip
    scene.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mid", action="store_true")
    parser.add_argument("--folder", type=Path, help="the full-size pair")
    parser.add_argument("--size", type=count, nargs=2, default=(640, 480), help="width and height of images")
    parser.add_argument("--rounds", type=count, default=3)
    parser.add_argument("--threads", type=count, help="of llama.cpp; default: all cores")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if args.folder:
            files: tuple[Any, ...] = full_pair(args.folder)
        else:
            files = write_synthetic_pair(Path(folder), MID) if args.mid else ("nano",)
        with yg.load(*files, threads=args.threads, temperature=0.0, max_tokens=N_TOKENS, n_ctx=4096) as model:
            assert isinstance(model.engine, NativeEngine)
            watched = Watched(model.engine)
            print(f"{machine()}; {files[0]}")
            decodes(model, watched, tuple(args.size), args.rounds)
            for _ in range(args.rounds):
                pauses(model, watched, tuple(args.size))
            ends(model, watched, tuple(args.size))


if __name__ == "__main__":
    main()
