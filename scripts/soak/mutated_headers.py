#!/usr/bin/env python3
"""Reads thousands of GGUF headers with flipped bits, huge counts, cut strings and lost bytes.

Each file is inspected, checked against its partner and slimmed. The result must be a ModelFileError, or what the reader
of the `gguf` package finds in the same bytes. Anything else counts as a fault, and so do more than MOST_BYTES of memory
or more than MOST_TIMES the processor time of an undamaged file for one file.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import struct
import sys
import tempfile
import time
import tracemalloc
from collections import Counter
from pathlib import Path

import numpy as np
from gguf import GGUFReader
from gguf.constants import GGUFValueType

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import youtu_gguf as yg
from scripts._arguments import count
from youtu_gguf.gguf.header import GGUFArray, Header, read_header

MOST_BYTES = 64 << 20
MOST_TIMES = 20.0
HUGE = (0, 1, 0x7F, 0xFFFF, 1 << 24, 1 << 31, 1 << 32, (1 << 63) - 1, 1 << 63, (1 << 64) - 1)


def mutate(data: bytes, header: Header, rng: random.Random) -> bytes:
    """Return `data` with one or two changes in its header."""
    end = min(tensor.offset for tensor in header.tensors.values())
    changed = bytearray(data)
    for _ in range(rng.randint(1, 2)):
        at = _somewhere(changed, header, end, rng)
        kind = rng.choices(range(5), (12, 2, 3, 1, 1))[0]
        if kind == 0:
            changed[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            changed[at : at + 8] = struct.pack("<Q", rng.choice(HUGE))
        elif kind == 2:
            changed[at : at + 4] = struct.pack("<I", rng.choice(HUGE) & 0xFFFFFFFF)
        elif kind == 3:
            del changed[at : at + rng.randint(1, 40)]
        else:
            changed = changed[:at]
            break
    return bytes(changed)


def _somewhere(data: bytearray, header: Header, end: int, rng: random.Random) -> int:
    """Return a place in the header: anywhere, or at a name's length, at the name, or after it."""
    if rng.random() < 0.4:
        return rng.randrange(min(end, len(data)))
    name = rng.choice([*header.metadata, *header.tensors]).encode()
    found = max(8, data.find(name))
    return rng.choice((found - 8, found, found + len(name), min(len(data) - 9, found + len(name) + rng.randrange(24))))


def compared(ours: Header) -> str:
    """Return the outcome of reading the same file with the other reader; another content is a fault."""
    try:
        theirs = GGUFReader(ours.path)
    except Exception:  # noqa: BLE001  (damage makes it fail in many ways)
        return "read; the other reader fails"
    found = _difference(ours, theirs)
    return f"fault: {found}" if found else "read, as the other reader does"


def _difference(ours: Header, theirs: GGUFReader) -> str:
    for key, value in ours.metadata.items():
        field = theirs.fields.get(key)
        if field is None:
            return f"{key} is missing there"
        same = (
            len(field.data) == len(value)
            if isinstance(value, GGUFArray)
            else _same(value, field.contents() if field.types[0] != GGUFValueType.STRING else bytes(field.parts[-1]))
        )
        if not same:
            return f"{key} is {value!r} here"
    shapes = {tensor.name: (tuple(map(int, tensor.shape)), int(tensor.data_offset)) for tensor in theirs.tensors}
    for name, tensor in ours.tensors.items():
        if shapes.get(name) != (tensor.shape, tensor.offset):
            return f"{name} is {shapes.get(name)} there, {(tensor.shape, tensor.offset)} here"
    return ""


def _same(ours: object, theirs: object) -> bool:
    if isinstance(theirs, bytes):
        return ours == theirs.decode("utf-8", "replace")
    return ours == theirs or bool(np.isnan(np.float64(ours)) and np.isnan(np.float64(theirs)))  # type: ignore[arg-type]


def read_every_way(path: Path, partner: Path, scratch: Path) -> str:
    """Read a file in every way that the package offers; return the outcome."""
    try:
        outcome = compared(read_header(path))
    except yg.ModelFileError:
        outcome = "ModelFileError"
    with contextlib.suppress(yg.ModelFileError):
        yg.weights.inspect(path, partner)
    with contextlib.suppress(yg.ModelFileError):
        yg.weights.slim(path, scratch)
    return outcome


def measured(path: Path, partner: Path, scratch: Path) -> tuple[str, float, int]:
    """Read a file; return the outcome, seconds of this thread's processor time, and the peak of memory in bytes."""
    tracemalloc.start()
    started = time.thread_time()
    try:
        outcome = read_every_way(path, partner, scratch)
    except Exception as exc:  # noqa: BLE001  (any other exception is a finding)
        outcome = f"fault: {type(exc).__name__}: {exc}"
    took_s, (_, peak) = time.thread_time() - started, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return outcome, took_s, peak


def run(n: int, seed: int, folder: Path) -> Counter[str]:
    """Mutate and read `n` headers; return how often each outcome occurred."""
    pair = yg.weights.write_synthetic_pair(folder, "tiny")
    originals = [(path.read_bytes(), read_header(path)) for path in pair]
    broken, scratch = folder / "broken.gguf", folder / "slim.gguf"
    outcomes: Counter[str] = Counter()
    usual_s = max(measured(path, partner, scratch)[1] for path, partner in (pair, pair[::-1]))
    for number in range(n):
        rng = random.Random(seed * 1_000_003 + number)
        which = rng.randrange(2)
        broken.write_bytes(mutate(*originals[which], rng))
        outcome, took_s, peak = measured(broken, pair[1 - which], scratch)
        if peak > MOST_BYTES or took_s > MOST_TIMES * usual_s:
            outcome = f"fault: {peak / 1e6:.0f} MB, {took_s / usual_s:.0f} times as long as an undamaged file"
        outcomes[outcome] += 1
        if outcome.startswith("fault"):
            print(f"number {number}: {outcome}", file=sys.stderr)
    return outcomes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", type=count, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        outcomes = run(args.n, args.seed, Path(scratch))
    for outcome, times in outcomes.most_common():
        print(f"{times:6} {outcome}")
    sys.exit(any(outcome.startswith("fault") for outcome in outcomes))


if __name__ == "__main__":
    main()
