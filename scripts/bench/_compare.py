"""A comparison of several files of one model: bytes, memory, and speed in alternating rounds of one process."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _full import peak_memory_gb, photograph

import youtu_gguf as yg

N_CTX = 4096
PHOTO_PX = (320, 320)
"""100 image tokens."""
N_NUMBERS = 10
N_GENERATED = 32
PARTS = ("image", "question", "token")
"""What is timed: prefilling an image (without encoding it), prefilling a question, generating a token."""


@dataclass(frozen=True)
class Candidate:
    """A pair of files and how to load them."""

    model: Path
    mmproj: Path
    settings: Mapping[str, Any]


def measure_alone(candidate: Candidate) -> tuple[float, float]:
    """Return the seconds of loading and the peak memory in GB of a child process that asks about one image."""
    way = "repack" if candidate.settings.get("repack") else ""
    return measure_way(candidate.model, candidate.mmproj, way)


def measure_way(model: Path, mmproj: Path, way: str) -> tuple[float, float]:
    """Do the same with a way of loading: "" is unmodified, "repack" rearranges, "mapped" does so from a mapped file."""
    command = [sys.executable, __file__, str(model), str(mmproj), way]
    seconds, peak = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    return float(seconds), float(peak)


def use(model: str, mmproj: str, way: str) -> None:
    """Load a pair in this process and ask about one image; print the seconds of loading and the peak memory."""
    if way == "mapped":  # llama.cpp's default
        from youtu_gguf.engines.native.llama.bindings import lib

        lib.LLAMA_LOAD_MODE_NONE = lib.LLAMA_LOAD_MODE_AUTO
    started = time.perf_counter()
    with yg.load(model, mmproj, n_ctx=N_CTX, max_tokens=8, repack=bool(way)) as loaded:
        seconds = time.perf_counter() - started
        loaded.open(photograph(*PHOTO_PX)).ask("What is it?")
    print(seconds, peak_memory_gb())


def compare(candidates: Mapping[str, Candidate], rounds: int) -> None:
    """Print a table of the candidates; seconds are given as ratios to the first one, medians over the rounds."""
    alone = {name: measure_alone(candidate) for name, candidate in candidates.items()}
    seconds: dict[str, dict[str, list[float]]] = {name: {part: [] for part in PARTS} for name in candidates}
    with ExitStack() as stack:
        models = {
            name: stack.enter_context(
                yg.load(one.model, one.mmproj, n_ctx=N_CTX, temperature=0.0, cache_bytes=0, **one.settings)
            )
            for name, one in candidates.items()
        }
        for number in range(rounds + 1):
            for name, model in models.items():
                for part, spent in zip(PARTS, one_round(model, number), strict=True):
                    seconds[name][part].append(spent)
    first = next(iter(candidates))
    print(f"file                  GB  loads in  peak GB  tokens/s  seconds to the first's: {'  '.join(PARTS)}")
    for name, candidate in candidates.items():
        ratios = [
            statistics.median(b / a for a, b in zip(seconds[first][part][1:], seconds[name][part][1:], strict=True))
            for part in PARTS  # the first round reads the weights from disk
        ]
        load_s, peak = alone[name]
        speed = 1 / statistics.median(seconds[name][PARTS[-1]][1:])
        row = f"{name:18} {candidate.model.stat().st_size / 1e9:6.3f} {load_s:7.1f} s {peak:8.2f} {speed:9.2f}"
        print(row, "".join(f"{ratio:12.3f}" for ratio in ratios), flush=True)


def one_round(model: yg.Model, number: int) -> tuple[float, float, float]:
    """Return the seconds of prefilling an image, of prefilling a question, and of each token of an answer."""
    rgb = photograph(*PHOTO_PX).copy()
    rgb[0, 0] = number  # another image and question in each round, so that nothing is cached
    with closing(model.open(rgb)) as scene:
        timings = scene.ask("Go on.", max_tokens=N_GENERATED).timings
        started = time.perf_counter()
        scene.ask(" ".join(f"{number} {i}" for i in range(N_NUMBERS)), max_tokens=1)
        question_s = time.perf_counter() - started
    return timings.prefill_s, question_s, timings.generate_s / timings.n_generated


if __name__ == "__main__":
    use(*sys.argv[1:4])
