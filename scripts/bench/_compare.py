"""Files of one model held against each other: bytes, memory, and speed in alternating rounds of one process."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _full import peak_memory_gb, photograph

import youtu_gguf as yg

N_CTX = 4096
PHOTO_PX = (512, 512)
"""256 image tokens."""
N_GENERATED = 32


@dataclass(frozen=True)
class Candidate:
    """A pair of files and how to load them."""

    model: Path
    mmproj: Path
    settings: Mapping[str, Any]


def measure_alone(candidate: Candidate) -> tuple[float, float]:
    """Return seconds of loading and GB of peak memory of a process of its own that asks about one image."""
    repack = "repack" if candidate.settings.get("repack") else ""
    command = [sys.executable, __file__, str(candidate.model), str(candidate.mmproj), repack]
    seconds, peak = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    return float(seconds), float(peak)


def use(model: str, mmproj: str, repack: str) -> None:
    """Load a pair in this process, ask about one image, print seconds of loading and the peak of memory."""
    started = time.perf_counter()
    with yg.load(model, mmproj, n_ctx=N_CTX, max_tokens=8, repack=bool(repack)) as loaded:
        seconds = time.perf_counter() - started
        loaded.open(photograph(*PHOTO_PX)).ask("What is it?")
    print(seconds, peak_memory_gb())


def compare(candidates: Mapping[str, Candidate], rounds: int) -> None:
    """Print a table of the candidates; ratios are to the first, medians over pairs of the same round."""
    alone = {name: measure_alone(candidate) for name, candidate in candidates.items()}
    prefill: dict[str, list[float]] = {name: [] for name in candidates}
    generate: dict[str, list[float]] = {name: [] for name in candidates}
    with ExitStack() as stack:
        scenes = {}
        for name, candidate in candidates.items():
            model = yg.load(candidate.model, candidate.mmproj, n_ctx=N_CTX, temperature=0.0, **candidate.settings)
            scenes[name] = stack.enter_context(model).open(photograph(64, 64))
            scenes[name].patches()
        for number in range(rounds + 1):
            for name, scene in scenes.items():
                long = " ".join(f"{number} {i}" for i in range(40))  # another one each time, so that nothing is shared
                started = time.perf_counter()
                scene.ask(long, max_tokens=1)
                prefill[name].append(time.perf_counter() - started)
                timings = scene.ask("Go on.", max_tokens=N_GENERATED).timings
                generate[name].append(timings.generate_s / timings.n_generated)
    first = next(iter(candidates))
    print("file                  GB   loads in   peak GB  tokens/s   ratio  (range)          reading, ratio")
    for name, candidate in candidates.items():
        # the first round reads the weights from disk
        ratios = [b / a for a, b in zip(generate[name][1:], generate[first][1:], strict=True)]
        reading = statistics.median(b / a for a, b in zip(prefill[name][1:], prefill[first][1:], strict=True))
        speed = 1 / statistics.median(generate[name][1:])
        spread = f"({min(ratios):.3f} to {max(ratios):.3f})"
        size, (seconds, peak) = candidate.model.stat().st_size / 1e9, alone[name]
        row = f"{name:18} {size:6.3f} {seconds:8.1f} s {peak:8.2f} {speed:9.2f} {statistics.median(ratios):8.3f}"
        print(f"{row}  {spread:16} {reading:8.3f}")


if __name__ == "__main__":
    use(*sys.argv[1:4])
