#!/usr/bin/env python3
"""What this package sees of a container's limits, and what it does at them, in real control groups.

    python scripts/soak/container.py            # as root, on Linux with control groups, version 1 or 2

Makes groups with half a processor and 600 MB of memory, less, and more, also nested and with the page cache filled,
and runs commands in them: the number of threads is one, `plan` states the limit, an image that does not fit is refused
and no process is killed, one that fits is answered, and a batch records what does not fit and continues. Exits with 1
if any of that fails. Needs no full-size model; it uses nano.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
MOUNT = Path("/sys/fs/cgroup")
MB = 1_000_000
CORES, MEMORY_MB = 0.5, 600
PERIOD_US = 100_000
SIDES = (288, 800, 1120, 1430)
"""Sides of the square images in pixels: 81, 625, 1,225 and 2,025 tokens. By measurement the last takes nano 670 MB."""

MODEL = ("--model", "nano")
UNLIMITED = 1 << 50

ANSWERED, REFUSED = 0, 4
"""Exit codes."""


@dataclass(frozen=True)
class Group:
    """A control group: its folders, one for each controller in version 1, one for all in version 2."""

    memory: Path
    cpu: Path

    @property
    def version(self) -> int:
        """1 or 2."""
        return 2 if self.memory == self.cpu else 1

    def limit(self, memory_mb: float, cores: float | None) -> None:
        """Set the limits; without `cores`, that of processors stays as it is."""
        _write(self.memory / ("memory.limit_in_bytes", "memory.max")[self.version - 1], str(round(memory_mb * MB)))
        if self.version == 2:
            _write(self.memory / "memory.swap.max", "0")
            if cores is not None:
                _write(self.cpu / "cpu.max", f"{round(cores * PERIOD_US)} {PERIOD_US}")
        elif cores is not None:
            _write(self.cpu / "cpu.cfs_period_us", str(PERIOD_US))
            _write(self.cpu / "cpu.cfs_quota_us", str(round(cores * PERIOD_US)))

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the group."""
        files = " ".join(f"{folder}/cgroup.procs" for folder in dict.fromkeys((self.memory, self.cpu)))
        script = f'for f in {files}; do echo $$ > "$f"; done; exec "$@"'
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        return subprocess.run(
            ["sh", "-c", script, "sh", *command], capture_output=True, text=True, check=False, env=environment
        )

    def within(self, name: str) -> Group:
        """Return the group `name` inside this one."""
        return Group(self.memory / name, self.cpu / name)

    def make(self) -> None:
        """Make the folders; in version 2, let groups inside this one's parent have limits."""
        for folder in dict.fromkeys((self.memory, self.cpu)):
            if self.version == 2:
                _write(folder.parent / "cgroup.subtree_control", "+memory +cpu")
            folder.mkdir()

    def remove(self) -> None:
        """Remove the folders."""
        for folder in dict.fromkeys((self.memory, self.cpu)):
            folder.rmdir()


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="ascii")


def top_group() -> Group | None:
    """Return the group to make others in; None if there is none that this process may use."""
    unified = MOUNT / "cgroup.controllers"
    found = Group(MOUNT, MOUNT) if unified.exists() else Group(MOUNT / "memory", MOUNT / "cpu")
    usable = all(folder.is_dir() and os.access(folder, os.W_OK) for folder in (found.memory, found.cpu))
    return found if usable and os.geteuid() == 0 else None


@contextmanager
def made(group: Group) -> Iterator[Group]:
    """Make a group, and remove it."""
    group.make()
    try:
        yield group
    finally:
        group.remove()


def cli(*words: str) -> list[str]:
    """Return a command of this package."""
    return [sys.executable, "-m", "youtu_gguf", *words]


class Checks:
    """What was expected and did not happen."""

    def __init__(self) -> None:
        self.failed: list[str] = []

    def expect(self, what: str, held: bool, got: object) -> None:
        """Print an expectation with what came of it."""
        print(f"{'ok ' if held else 'NOT'} {what}: {got}", flush=True)
        if not held:
            self.failed.append(what)


def seen(group: Group) -> tuple[int, float, float]:
    """Return threads (OpenCV's included), free and total memory in MB, as a process in the group sees them."""
    code = (
        "import json, cv2, numpy; from youtu_gguf.machine import *; from youtu_gguf.config import Settings;"
        "from youtu_gguf import Calibration; from youtu_gguf.refine.labels import refined_labels; m = usable_memory();"
        "refined_labels(numpy.zeros((2, 2, 2), 'f4'), numpy.zeros((64, 64, 3), 'u1'), 'guided',"
        " calibration=Calibration());"
        "cv2_threads = cv2.getNumThreads();"
        "print(json.dumps([max(Settings().n_threads, cv2_threads), m.free, m.total]))"
    )
    done = group.run(sys.executable, "-c", code)
    threads, free, total = json.loads(done.stdout)
    return threads, free / MB, total / MB


def check_numbers(checks: Checks, group: Group, memory_mb: float, name: str) -> None:
    """Check threads, and the memory that `plan` states."""
    threads, free, total = seen(group)
    checks.expect(f"{name}: one thread at {CORES} processors", threads == 1, threads)
    checks.expect(f"{name}: memory in all", math.isclose(total, memory_mb, rel_tol=0.01), f"{total:.0f} MB")
    checks.expect(f"{name}: memory free", 0.7 * memory_mb < free <= memory_mb, f"{free:.0f} MB")
    (stated,) = [line for line in group.run(*cli("plan", *MODEL)).stdout.splitlines() if " in all " in line]
    checks.expect(f"{name}: plan's memory", f"{memory_mb / 1000:.2f} GB installed" in stated, stated.strip())


def check_images(checks: Checks, group: Group, images: list[Path], memory_mb: float, name: str) -> None:
    """Check that every image is answered or refused, with what it needs and what there is."""
    codes = []
    for path in images:
        done = group.run(*cli("classify", str(path), *MODEL, "--max-tokens", "4"))
        codes.append(done.returncode)
        told = done.returncode == ANSWERED or (done.returncode == REFUSED and "are free" in done.stderr)
        checks.expect(f"{name}: {path.name} is answered or refused", told, (done.returncode, done.stderr.strip()[:160]))
    checks.expect(f"{name}: the smaller, the sooner answered", codes == sorted(codes), codes)
    if memory_mb >= MEMORY_MB:
        checks.expect(f"{name}: all but the largest are answered", set(codes[:-1]) == {ANSWERED}, codes)


def check_batch(checks: Checks, group: Group, images: list[Path], folder: Path, name: str) -> None:
    """Check that a batch gives every image a line, unless three in a row are refused, and is not killed."""
    words = ("batch", str(images[0].parent), "-t", "classify", "-t", "depth", "-o", str(folder), "--max-tokens", "4")
    done = group.run(*cli(*words, *MODEL))
    lines = [json.loads(line) for line in (folder / "results.jsonl").read_text("utf-8").splitlines()]
    failed = sum("error" in part for line in lines for part in (line, *line.get("results", ())))
    ended = done.returncode == REFUSED and "images in a row" in done.stderr
    checks.expect(f"{name}: a batch ends by itself", done.returncode in (0, 1) or ended, done.returncode)
    checks.expect(f"{name}: every image has a line", len(lines) == len(images) or ended, (len(lines), failed))
    killed = "SIGKILL" in (folder / "results.jsonl").read_text("utf-8")
    checks.expect(f"{name}: no process was killed", not killed, f"{failed} errors")


def fill_cache(group: Group, folder: Path, n_bytes: int) -> None:
    """Leave the group's memory full of pages of a file that was written and read in it."""
    file = folder / "filler"
    group.run("sh", "-c", f"head -c {n_bytes} /dev/zero > {file}; cat {file} {file} {file} > /dev/null")


def make_images(folder: Path) -> list[Path]:
    """Write the square images, from the smallest on."""
    folder.mkdir()
    random = np.random.default_rng(0)
    for side in SIDES:
        pixels = random.integers(0, 256, (side, side, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{side:04}.png", compress_level=1)
    return sorted(folder.iterdir())


def check(folder: Path, limits_mb: list[float]) -> list[str]:
    """Run everything and return what failed."""
    checks = Checks()
    images = make_images(folder / "images")
    top = top_group()
    if top is None:
        return ["control groups of memory and processors below /sys/fs/cgroup that this user may write to"]
    with made(top.within(f"youtu-gguf-{os.getpid()}")) as outer:
        print(f"control groups of version {top.version}")
        for memory_mb in limits_mb:
            name = f"{memory_mb:.0f} MB"
            with made(outer.within("limited")) as group:
                group.limit(memory_mb, CORES)
                check_numbers(checks, group, memory_mb, name)
                check_images(checks, group, images, memory_mb, name)
                check_batch(checks, group, images, folder / f"batch-{memory_mb:.0f}", name)
                fill_cache(group, folder, round(2 * memory_mb * MB))
                check_numbers(checks, group, memory_mb, f"{name}, page cache filled")
                check_images(checks, group, images, memory_mb, f"{name}, page cache filled")
        outer.limit(MEMORY_MB, CORES)
        with made(outer.within("inner")) as group:
            group.limit(2 * MEMORY_MB, None)
            check_numbers(checks, group, MEMORY_MB, "the limit of an outer group")
            check_images(checks, group, images[-2:], MEMORY_MB, "the limit of an outer group")
        outer.limit(UNLIMITED / MB, CORES)
    return checks.failed


def main() -> None:
    """Run the checks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--memory", type=float, nargs="+", default=[150, 300, MEMORY_MB, 800], metavar="MB")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        failed = check(Path(folder), args.memory)
    print(f"{len(failed)} expectations failed" if failed else "everything as expected")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
