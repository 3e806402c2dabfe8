#!/usr/bin/env python3
"""Many clients of one `youtu-gguf serve`: no answer may be wrong, nothing may fail, and nothing may be left behind.

    python scripts/soak/serve.py --minutes 10 --clients 64 --images 8

The clients ask in every protocol, streamed or not, send images and delete them, hang up, and send what is wrong. Every
answer is compared with that of this process to the same question alone (ties as in threads.py). The server is a process
of its own, with small caches, so that it has to drop and read again what it knows. /healthz is asked all the time, by
another process. 429 is an answer: the clients wait.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import youtu_gguf as yg
from scripts._arguments import count
from scripts._serving import Server, serving
from scripts.soak._serve_clients import Visitor
from scripts.soak._serve_judging import Judge
from youtu_gguf.machine import usable_cores

HERE = Path(__file__).parent
LIMITS = ("--cache-bytes", "48M", "--images-bytes", "48M", "--results-bytes", "16M")
WARM_UP = 0.25
"""Part of the time after which memory should not grow."""

MOST_DRIFT_MB, MOST_HEALTH_MS = 30.0, 100.0
LONGEST_WAIT_S, QUIET_S = 120.0, 10.0
SAMPLE_S = 0.2
N_ANSWERS = 8
"""Answers at once, by default."""


@dataclass
class Outcome:
    """What was found out.

    Attributes:
        tally: Outcomes of single requests, and how many there were.
        faults: What must not be, in words.
        drift_mb: Growth of the server's memory after the warm-up.
        health_ms: 99th percentile, and the longest, of /healthz.
    """

    tally: dict[str, int]
    faults: list[str] = field(default_factory=list)
    drift_mb: float = 0.0
    health_ms: tuple[float, float] = (0.0, 0.0)

    @property
    def n_answers(self) -> int:
        """Answers that were compared with their own."""
        return sum(n for outcome, n in self.tally.items() if outcome.startswith(("right", "tie")))


@contextmanager
def health(port: int) -> Iterator[list[float]]:
    """Ask /healthz during the `with` block; the list holds the milliseconds of all answers after it."""
    command = [sys.executable, str(HERE / "_serve_health.py"), str(port)]
    found: list[float] = []
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield found
        finally:
            found += json.loads(process.communicate()[0])


def let_visit(
    server: Server, judge: Judge, n_clients: int, seconds: float, most_visits: int | None
) -> tuple[list[int], int]:
    """Let all clients do things; return samples of the server's memory, and how many clients hang."""
    stop, samples = threading.Event(), [server.memory_bytes()]

    def visit(number: int) -> None:
        visitor = Visitor(server.port, judge, number, stop)
        for _ in itertools.count() if most_visits is None else range(most_visits):
            if stop.is_set():
                break
            visitor.visit()
        visitor.close()

    threads = [threading.Thread(target=visit, args=(i,), daemon=True) for i in range(n_clients)]
    for thread in threads:
        thread.start()
    end = time.monotonic() + seconds
    while time.monotonic() < end and server.process.poll() is None and any(thread.is_alive() for thread in threads):
        time.sleep(SAMPLE_S)
        samples.append(server.memory_bytes())
    stop.set()
    deadline = time.monotonic() + LONGEST_WAIT_S
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return samples, sum(thread.is_alive() for thread in threads)


def drift_mb(samples: list[int]) -> float:
    """Return how much memory has grown from the end of the warm-up to the last tenth, in MB."""
    n = len(samples)
    early, late = samples[int(WARM_UP * n) : int((WARM_UP + 0.1) * n) + 1], samples[int(0.9 * n) :]
    return (statistics.median(late) - statistics.median(early)) / 1e6


def most_threads(at_start: int) -> int:
    """Return how many threads a server may keep.

    Those that answer, each with its team in llama.cpp; asyncio's for files; and those that OpenCV and NumPy keep.
    """
    cores = usable_cores()
    return at_start + N_ANSWERS * cores + (cores + 4) + 2 * cores


def left_behind(server: Server, most: int) -> Iterator[str]:
    """Yield what is left of requests although no client is there any more."""
    deadline = time.monotonic() + QUIET_S
    with server.client() as client:
        while (n_busy := server.n_busy(client)) and time.monotonic() < deadline:
            time.sleep(0.1)
        if n_busy:
            yield f"{n_busy} requests go on without a client"
    if server.n_threads() > most:
        yield f"{server.n_threads()} threads are left; a server keeps {most} at most"
    if server.n_children():
        yield f"{server.n_children()} child processes are left"


def run(model_name: str, n_clients: int, n_images: int, seconds: float, most_visits: int | None = None) -> Outcome:
    """Run the soak, see the module; it ends early where every client has done `most_visits` things."""
    with yg.load(model_name, temperature=0.0) as model:
        judge = Judge(model, n_images)
        with serving(model_name, *LIMITS) as server:
            most = most_threads(server.n_threads())
            with health(server.port) as health_ms:
                samples, n_hanging = let_visit(server, judge, n_clients, seconds, most_visits)
            faults = [f"{n_hanging} clients hang"] if n_hanging else []
            if server.process.poll() is None:
                faults += left_behind(server, most)
            code = server.stop()
            if code:
                faults.append(f"the server ended with {code}: {server.tail()}")
            log = server.log.read_text(errors="replace")
        if "Traceback" in log:
            faults.append(f"the server's log has a traceback: {log[log.index('Traceback') :][:2000]}")
        judge.settle()
    faults += [f"{n} x {outcome}" for outcome, n in judge.tally.items() if outcome.startswith(("wrong ", "fault"))
               and outcome != "wrong requests"]  # fmt: skip
    ordered = sorted(health_ms)
    p99 = (ordered[int(len(ordered) * 0.99)], ordered[-1])
    return Outcome(dict(judge.tally.most_common()), faults, drift_mb(samples), p99)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="nano")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--clients", type=count, default=64)
    parser.add_argument("--images", type=count, default=8)
    args = parser.parse_args()
    found = run(args.model, args.clients, args.images, args.minutes * 60)
    if found.drift_mb > MOST_DRIFT_MB:
        found.faults.append(f"memory grew by more than {MOST_DRIFT_MB:g} MB")
    if found.health_ms[0] > MOST_HEALTH_MS:
        found.faults.append(f"the 99th percentile of /healthz is above {MOST_HEALTH_MS:g} ms")
    for outcome, n in found.tally.items():
        print(f"{n:7} {outcome}")
    print(f"memory after the warm-up: {found.drift_mb:+.1f} MB")
    print(f"/healthz: 99th percentile {found.health_ms[0]:.1f} ms, longest {found.health_ms[1]:.0f} ms")
    for fault in found.faults:
        print(f"FAULT   {fault}")
    sys.exit(bool(found.faults))


if __name__ == "__main__":
    main()
