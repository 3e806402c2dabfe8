#!/usr/bin/env python3
"""What our own work costs beside the network's: sampling, bookkeeping, maps, opening images. Needs no full-size model.

Vocabulary and sizes are those of the published model; states and logits are made up. It prints one table for each
number of threads, with the bar that each figure is held to on two cores, and ends with status 1 where one is missed.

    python scripts/bench/overhead.py                      # with 1, 2 and all threads, each in a process of its own
    python scripts/bench/overhead.py --threads 2 sampling # one table, of one part
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from scripts._arguments import count

PARTS = ("sampling", "maps", "opening")
"""Each is the file `_overhead_PART.py`, whose `rows()` yields a `Row` for each figure."""


def show(parts: list[str], n_threads: int) -> bool:
    """Measure in this process; return whether every figure is within its bar."""
    from importlib import import_module

    import cv2
    from _full import machine

    cv2.setNumThreads(n_threads)
    print(f"\n{machine()}; threads limited to {n_threads}")
    print(f"{'own work':66} {'median':>10} {'least':>10} {'bar':>8}")
    good = True
    for part in parts:
        for row in import_module(f"_overhead_{part}").rows():
            good &= row.bar is None or row.median <= row.bar
            bar = "" if row.bar is None else f"{row.bar:8.3g}"
            print(f"{row.name:66} {row.median:10.3g} {row.least:10.3g} {bar:>8} {row.unit}", flush=True)
    return good


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="which parts; all by default")
    parser.add_argument("--threads", type=count, help="measure once, with at most this many threads")
    arguments = parser.parse_args()
    parts = arguments.parts or list(PARTS)
    if arguments.threads:
        return 0 if show(parts, arguments.threads) else 1
    status = 0
    for n in sorted({1, 2, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1}):
        limits = {name: str(n) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
        command = [sys.executable, __file__, *parts, "--threads", str(n)]
        status |= subprocess.run(command, env={**os.environ, **limits}, check=False).returncode
    return status


if __name__ == "__main__":
    sys.exit(main())
