#!/usr/bin/env python3
"""An evaluation that is killed at random points and resumed must give the results of an undisturbed one.

    python scripts/soak/evaluate_kill.py --benchmark nyuv2 --scenes 60 --kills 10

Writes drawn scenes in a benchmark's layout and runs `youtu-gguf eval` on them twice: undisturbed, and ended again and
again, in turn by SIGKILL, by SIGKILL of the worker, and by Ctrl-C. Answers, files and figures must then be the same,
apart from times.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from scripts._arguments import count
from scripts.layouts.export import export, names

LONGEST_S = 3600.0
ENDS = ("killed", "worker killed", "interrupted")


def command(name: str, data: Path, out: Path, model: str, more: Sequence[str]) -> list[str]:
    words = ["eval", name, str(data), "-o", str(out), "-m", model, "--threads", "1", "--preset", "fast", *more]
    return [sys.executable, "-m", "youtu_gguf", *words]


def start(asked: Sequence[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(asked, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def end(process: subprocess.Popen[bytes], how: str, out: Path) -> None:
    """End a run, or its worker; then the run a little later, since it starts the worker again.

    An image in progress has been tried once then, and is finished before the next end: two would be blamed on it.
    """
    if how == "worker killed":
        for worker in psutil.Process(process.pid).children():
            worker.kill()
        wait_for(process, out, n_lines(out) + 1)
    process.send_signal(signal.SIGKILL if how == "killed" else signal.SIGINT)
    process.wait(LONGEST_S)


def wait_for(process: subprocess.Popen[bytes], out: Path, wanted: int) -> None:
    """Wait until there are so many lines, or the run has finished."""
    stop = time.monotonic() + LONGEST_S
    while process.poll() is None and n_lines(out) < wanted and time.monotonic() < stop:
        time.sleep(0.002)


def run_ended(asked: Sequence[str], out: Path, n_images: int, kills: int, rng: np.random.Generator) -> int:
    """Run the evaluation, ending it `kills` times between two images, until it finishes; return how often it began."""
    for number in range(kills):
        wanted = n_lines(out) + int(rng.integers(1, max(2, 2 * (n_images - n_lines(out)) // (kills - number) or 2)))
        process = start(asked)
        wait_for(process, out, wanted)
        time.sleep(float(rng.uniform(0, 0.5)))
        if process.poll() is None:
            end(process, ENDS[number % len(ENDS)], out)
    start(asked).wait(LONGEST_S)
    return kills + 1


def n_lines(out: Path) -> int:
    path = out / "results.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def differences(a: Path, b: Path) -> list[str]:
    """Return the differences between two folders of evaluations."""
    files = [{str(path.relative_to(out)): path for path in out.rglob("*") if path.is_file()} for out in (a, b)]
    alone = [f"{name} is in one of them only" for name in sorted(files[0].keys() ^ files[1].keys())]
    both = sorted(files[0].keys() & files[1].keys())
    return alone + [f"{name} differs" for name in both if content(files[0][name]) != content(files[1][name])]


def content(path: Path) -> Any:
    """Return what a file says, apart from times; lines in any order."""
    data = path.read_bytes()
    if path.suffix not in (".json", ".jsonl"):
        return data
    texts = data.splitlines() if path.suffix == ".jsonl" else [data]
    return sorted(json.dumps(timeless(json.loads(text)), sort_keys=True) for text in texts)


def timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: timeless(item) for name, item in value.items() if name != "seconds"}
    return [timeless(item) for item in value] if isinstance(value, list) else value


def check(folder: Path, name: str, n: int, kills: int, seed: int = 0, more: Sequence[str] = ()) -> list[str]:
    """Run both evaluations and return the differences."""
    export(name, folder / "data", n, seed)
    outs = folder / "undisturbed", folder / "ended"
    asked = [command(name, folder / "data", out, "nano", more) for out in outs]
    start(asked[0]).wait(LONGEST_S)
    n_images = n_lines(outs[0])
    if not n_images:
        return ["the undisturbed run has no results"]
    starts = run_ended(asked[1], outs[1], n_images, kills, np.random.default_rng(seed))
    print(f"{name}: {n_images} images, started {starts} times", file=sys.stderr)
    return differences(*outs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--benchmark", default="nyuv2", help=f"one of {', '.join(names())}")
    parser.add_argument("--scenes", type=count, default=60)
    parser.add_argument("--kills", type=count, default=10)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = check(Path(folder), args.benchmark, args.scenes, args.kills, args.seed)
    print("\n".join(found) or "no difference")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
