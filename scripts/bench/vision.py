#!/usr/bin/env python3
"""Our own vision tower beside mtmd: time, embeddings and memory, in turns on the full-size projector.

    python scripts/bench/vision.py --threads 2 --tokens 300 1200 2040 --rounds 3

A round encodes the image with both towers, the order changing from round to round; the ratios are of the best of each.
Processor time counts all threads, so other programs disturb it less than wall time. With the language model mtmd also
needs the full-size pair, of which nothing else is used; it is memory-mapped. Peak memory is the process's own memory,
without mapped files, above what Python takes, of each tower in a process of its own.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psutil
from _full import add_pair_option, full_pair

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from scripts._arguments import count
from youtu_gguf.config import make_settings
from youtu_gguf.engines.native.encoder_check import image, least_cosine
from youtu_gguf.engines.native.llama.devices import features, place_pair
from youtu_gguf.engines.native.llama.handles import LlamaModel
from youtu_gguf.engines.native.vision.base import VisionTower
from youtu_gguf.engines.native.vision.choice import compute_kind, open_tower
from youtu_gguf.gguf.pair import check_pair
from youtu_gguf.types import F32, PreparedImage, Vision, no_progress

GRIDS = {300: (15, 20), 1200: (30, 40), 2040: (34, 60)}
"""Rows and columns of image tokens by their number: 640x480, 1280x960 and 1920x1088 pixels."""
TOWERS: tuple[Vision, ...] = ("mtmd", "windowed")
POLL_S = 0.002


def timed(encode: Callable[[], F32]) -> tuple[F32, float, float]:
    """Return embeddings, wall time and processor time."""
    wall, processor = time.perf_counter(), time.process_time()
    found = encode()
    return found, time.perf_counter() - wall, time.process_time() - processor


def compare(towers: dict[Vision, VisionTower], sample: PreparedImage, rounds: int) -> None:
    """Print one line about one size."""
    walls: dict[Vision, list[float]] = {name: [] for name in TOWERS}
    processors: dict[Vision, list[float]] = {name: [] for name in TOWERS}
    found: dict[Vision, F32] = {}
    for i in range(rounds):
        for name in TOWERS[:: -1 if i % 2 else 1]:
            found[name], wall, processor = timed(lambda name=name: towers[name].encode(sample))  # type: ignore[misc]
            walls[name].append(wall)
            processors[name].append(processor)
    fastest = {name: min(times) for name, times in walls.items()}
    least = {name: min(times) for name, times in processors.items()}
    print(
        f"{sample.grid.n_tokens:>6} tokens  wall {fastest['mtmd']:7.3f} {fastest['windowed']:7.3f} s"
        f"  {fastest['mtmd'] / fastest['windowed']:5.2f}x   processor {least['mtmd']:7.2f} {least['windowed']:7.2f} s"
        f"  {least['mtmd'] / least['windowed']:5.2f}x   least cosine "
        f"{least_cosine(found['windowed'], found['mtmd']):.7f}",
        flush=True,
    )


def own_bytes() -> int:
    """Return the memory of this process without files that it maps."""
    memory = psutil.Process().memory_info()
    return int(memory.rss - getattr(memory, "shared", 0))


def peak(encode: Callable[[], object]) -> int:
    """Return the most memory of this process while `encode` runs."""
    highest, ended = [own_bytes()], threading.Event()

    def watch() -> None:
        while not ended.wait(POLL_S):
            highest.append(max(highest.pop(), own_bytes()))

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        encode()
    finally:
        ended.set()
        watching.join()
    return highest[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_pair_option(parser)
    parser.add_argument("--mmproj", help="another projector of the same width, such as one of fewer layers")
    parser.add_argument("--tokens", type=count, nargs="+", default=[*GRIDS], choices=[*GRIDS])
    parser.add_argument("--rounds", type=count, default=3)
    parser.add_argument("--threads", type=count)
    parser.add_argument("--device")
    parser.add_argument("--memory-of", choices=[*TOWERS], help="print the peak memory of this tower alone")
    args = parser.parse_args()
    model_path, mmproj_path = full_pair(args.folder)
    pair = check_pair(model_path, args.mmproj or mmproj_path)
    settings = make_settings(
        threads=args.threads, device=args.device, n_gpu_layers=0 if args.device is None else "auto"
    )
    placement = place_pair(pair, settings, 512)
    with closing(LlamaModel(pair.model.path, settings, placement, no_progress)) as model:
        if args.memory_of:
            before = own_bytes()
            chosen = make_settings(threads=args.threads, device=args.device, vision=args.memory_of)
            with closing(open_tower(pair, model, chosen)) as tower:
                for n in args.tokens:
                    highest = peak(lambda n=n: tower.encode(image(GRIDS[n], 0)))  # type: ignore[misc]
                    print(f"{n:>6} tokens  {args.memory_of:>8}  peak {(highest - before) / 1e6:6.0f} MB", flush=True)
            return
        print(f"{' '.join(features())}; {settings.n_threads} threads; {placement}; computes as {compute_kind().name}")
        towers: dict[Vision, VisionTower] = {}
        for name in TOWERS:
            towers[name] = open_tower(pair, model, make_settings(threads=args.threads, device=args.device, vision=name))
        for n in args.tokens:
            compare(towers, image(GRIDS[n], 0), args.rounds)
        for tower in towers.values():
            tower.close()
    for name in TOWERS:
        given = [a for a in sys.argv[1:] if not a.startswith("--memory")]
        subprocess.run([sys.executable, __file__, *given, "--memory-of", name], check=True)


if __name__ == "__main__":
    main()
