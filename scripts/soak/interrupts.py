#!/usr/bin/env python3
"""Ctrl-C at random moments of a command: exit code 130, no traceback, nothing left, and the next command works.

    python scripts/soak/interrupts.py --interrupts 200

Runs `youtu-gguf detect`, `batch` and `chat` with nano, sends SIGINT at a moment between start and end, and looks at how
the command ends, at what it wrote, at temporary files and at processes that live on. Before our first instruction,
Python itself is starting: it answers with a traceback of its own or ends by the signal, which is counted apart.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import psutil
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from scripts._arguments import count
from scripts.nano.scenes import TEST_SEEDS, draw

ROOT = Path(__file__).resolve().parents[2]
INTERRUPTED, BY_SIGNAL = 130, -signal.SIGINT
ENDS = {INTERRUPTED: "130", BY_SIGNAL: "by the signal", 0: "ended meanwhile"}
PATIENCE_S = 120.0
MARK = "YOUTU_GGUF_SOAK"
LAST = 0.98
"""The moments lie in this share of the time that the command takes undisturbed."""


class Bench:
    """A folder with images, and the commands that are interrupted there."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.temporary = folder, folder / "tmp"
        images = folder / "images"
        images.mkdir(parents=True)
        self.temporary.mkdir()
        for i in range(3):
            Image.fromarray(draw(TEST_SEEDS + i).rgb[:256, :256]).save(images / f"{i}.png")
        model = ["--model", "nano", "--threads", "1", "--max-tokens", "60"]
        image = str(images / "0.png")
        self.commands = {
            "detect": (["detect", image, *model, "-o", "drawn.png", "--npz", "drawn.npz"], ""),
            "batch": (["batch", str(images), "--task", "detect", "--task", "depth", "-o", "out", *model], ""),
            "chat": (["chat", image, *model], "What is this?\n/detect\n/depth\n/save depth.npz\n"),
        }

    def start(self, name: str, where: Path) -> subprocess.Popen[bytes]:
        """Start a command in the folder `where`; its input is there at once."""
        words, typed = self.commands[name]
        where.mkdir()
        (where / "typed").write_text(typed)
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(self.temporary), MARK: str(self.folder)}
        with (where / "typed").open("rb") as stdin, (where / "stderr").open("wb") as stderr:
            return subprocess.Popen(
                [sys.executable, "-m", "youtu_gguf", *words],
                cwd=where, env=environment, stdin=stdin, stdout=subprocess.DEVNULL, stderr=stderr,
            )  # fmt: skip

    def seconds(self, name: str, where: Path) -> float:
        """Run a command undisturbed; return how long it took."""
        started = time.monotonic()
        code = self.start(name, where).wait(PATIENCE_S)
        if code != 0:
            raise RuntimeError(f"{name} ended with {code}: {(where / 'stderr').read_text()}")
        return time.monotonic() - started

    def interrupt(self, name: str, where: Path, after_s: float) -> str:
        """Interrupt a command; return how it ended, a fault with a colon in it."""
        process = self.start(name, where)
        time.sleep(after_s)
        if process.poll() is not None:
            return "ended before"
        process.send_signal(signal.SIGINT)
        try:
            code = process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return f"fault: {name} after {after_s:.2f} s did not end"
        said = (where / "stderr").read_text(errors="replace")
        left = [*self._files_left(where), *self._processes_left()]
        if left:
            return f"fault: {name} after {after_s:.2f} s left {left}"
        if "Traceback" in said or "Exception ignored" in said:
            ours = "/youtu_gguf/" in said.replace("/youtu_gguf/__init__.py", "").replace("/youtu_gguf/__main__.py", "")
            return f"fault: {name} after {after_s:.2f} s, code {code}:\n{said}" if ours else "Python was starting"
        return ENDS.get(code, f"fault: {name} after {after_s:.2f} s ended with {code}: {said}")

    def _files_left(self, where: Path) -> list[str]:
        temporary = [p for p in where.rglob("*") if ".tmp" in p.name or p.name.startswith(".")]
        return [str(p) for p in (*self.temporary.iterdir(), *temporary)]

    def _processes_left(self) -> list[str]:
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get(MARK) == str(self.folder) and process.pid != os.getpid():
                    found.append(" ".join(process.cmdline()))
            except psutil.Error:
                continue
        return found


def run(
    folder: Path, n: int, seed: int, names: tuple[str, ...] = ("detect", "detect", "batch", "chat")
) -> Counter[str]:
    """Interrupt commands until `n` were interrupted; return how they ended."""
    draws, bench = random.Random(seed), Bench(folder)
    seconds = {name: bench.seconds(name, folder / f"first-{name}") for name in dict.fromkeys(names)}
    found: Counter[str] = Counter()
    while found.total() - found["ended before"] - found["ended meanwhile"] < n:
        i, name = found.total(), draws.choice(names)
        ended = bench.interrupt(name, folder / str(i), draws.uniform(0, LAST) * seconds[name])
        found[ended.split(":")[0]] += 1
        if ":" in ended:
            print(ended, flush=True)
        if i % 25 == 0:
            seconds[name] = bench.seconds(name, folder / f"next-{i}")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--interrupts", type=count, default=200)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        found = run(Path(folder) / "bench", args.interrupts, args.seed)
    print(f"{dict(found)}; {time.monotonic() - started:.0f} s")
    return 1 if found["fault"] else 0


if __name__ == "__main__":
    sys.exit(main())
