#!/usr/bin/env python3
"""Damages a tiny model pair in thousands of ways and opens each: it must run or raise a YoutuError, and never crash.

The damage is where it matters: in the bytes after a metadata key or a tensor's name, or at the end of a file that is
cut short. A child process loads each file that passes the checks with llama.cpp and asks it for a depth map and an
answer, so that the script can count failed assertions of llama.cpp.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import get_args

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import youtu_gguf as yg
from scripts._arguments import count
from youtu_gguf.gguf.header import Header, read_header
from youtu_gguf.types import FileForm

REACH = 24
"""Bytes after a name that hold the type and value of a key, or the dimensions, type and offset of a tensor."""
EXTREMES = (0, 1, 2, 3, 7, 31, 127, 128, 255)
CHILD_S = 120


def damage(original: bytes, header: Header, rng: random.Random) -> bytes:
    """Return `original` cut short, or with one to three bytes after names replaced."""
    if rng.random() < 0.1:
        return original[: rng.randrange(len(original))]
    data = bytearray(original)
    names = [*header.metadata, *header.tensors]
    for _ in range(rng.randint(1, 3)):
        name = rng.choice(names).encode()
        start = original.find(name) + len(name)
        data[start + rng.randrange(REACH)] = rng.choice(EXTREMES)
    return bytes(data)


def open_and_ask(model: str, mmproj: str) -> str:
    """Load a pair and use it; return "ran" or the name of the error."""
    import numpy as np

    rgb = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    try:
        with yg.load(model, mmproj, n_ctx=512, max_tokens=4, threads=1) as loaded:
            scene = loaded.open(rgb)
            scene.depth()
            scene.ask("What?")
    except yg.YoutuError as exc:
        return type(exc).__name__
    return "ran"


def child() -> None:
    """Read lines "model<tab>mmproj" from standard input and print one line with the outcome for each."""
    for line in sys.stdin:
        print(open_and_ask(*line.rstrip("\n").split("\t")), flush=True)


class Child:
    """A process that opens files; it is started again when it dies."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def open_and_ask(self, model: Path, mmproj: Path) -> str:
        if self._process is None or self._process.poll() is not None:
            command = [sys.executable, __file__, "--child"]
            pipe = subprocess.PIPE
            self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True)
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{model}\t{mmproj}\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline().strip()
        return answer or f"died with status {self._process.wait(CHILD_S)}"

    def close(self) -> None:
        if self._process is not None:
            self._process.communicate(timeout=CHILD_S)


def run(n: int, seed: int, folder: Path, form: FileForm = "named") -> Counter[str]:
    """Damage and open `n` files of this form; return how often each outcome occurred."""
    pair = yg.weights.write_synthetic_pair(folder, "tiny", variant=form)
    originals = [(path, path.read_bytes(), read_header(path)) for path in pair]
    broken = folder / "broken.gguf"
    outcomes: Counter[str] = Counter()
    process = Child()
    for number in range(n):
        rng = random.Random(seed * 1_000_003 + number)
        which = rng.randrange(2)
        _, data, header = originals[which]
        broken.write_bytes(damage(data, header, rng))
        names = (broken, pair[1]) if which == 0 else (pair[0], broken)
        outcome = process.open_and_ask(*names)
        outcomes[outcome] += 1
        if outcome.startswith("died"):
            print(f"number {number}, {'model' if which == 0 else 'projector'}: {outcome}", file=sys.stderr)
            broken.rename(folder / f"died-{number}.gguf")
    process.close()
    return outcomes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", type=count, default=3000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--variant", choices=get_args(FileForm), default="named", help="form of the files")
    parser.add_argument("--keep", type=Path, help="folder in which to keep the files that killed the process")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        child()
        return
    with tempfile.TemporaryDirectory() as scratch:
        outcomes = run(args.n, args.seed, args.keep or Path(scratch), args.variant)
    for outcome, times in outcomes.most_common():
        print(f"{times:6} {outcome}")
    sys.exit(any(outcome.startswith("died") for outcome in outcomes))


if __name__ == "__main__":
    main()
