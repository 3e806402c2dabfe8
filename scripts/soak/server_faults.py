#!/usr/bin/env python3
"""A llama-server that is repeatedly killed and frozen while threads send it requests: no request may be lost.

    python scripts/soak/server_faults.py --kills 50 --freezes 10 --threads 8

Every request must end in time, with the answer of an undisturbed server or with a ServerError that says to ask again.
The server must be available again each time.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import youtu_gguf as yg
from scripts._arguments import count
from scripts.nano.scenes import TEST_SEEDS, draw
from youtu_gguf.engines.llama_server.engine import ServerEngine
from youtu_gguf.engines.llama_server.supervisor import Supervisor

QUESTIONS = (
    "Describe this image in detail.",
    "Detect all objects in the provided image.",
    "Read the text in this image.",
)
REQUEST_S = 60.0
"""Longest time that any request may take."""
HANG_S = 2.0
SETTINGS: dict[str, Any] = {
    "n_ctx": 2048,
    "threads": 1,
    "max_tokens": 48,
    "temperature": 0.0,
    "n_batch": 60,
    "hang_s": HANG_S,
}


class Clients:
    """Threads that ask one question after the other, and the outcomes."""

    def __init__(self, model: yg.Model, n_threads: int) -> None:
        self._model = model
        self._rgb = draw(TEST_SEEDS).rgb
        self._expected = [model.open(self._rgb).ask(question).raw for question in QUESTIONS]
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self.outcomes: Counter[str] = Counter()
        self.asked = 0
        self.longest = 0.0
        self._threads = [threading.Thread(target=self._run, args=(n,), daemon=True) for n in range(n_threads)]
        for thread in self._threads:
            thread.start()

    def _run(self, n: int) -> None:
        with closing(self._model.open(self._rgb)) as scene:
            while not self._stop.is_set():
                n += 1
                with self._lock:
                    self.asked += 1
                started = time.monotonic()
                outcome = self._ask(scene, n % len(QUESTIONS))
                with self._lock:
                    self.longest = max(self.longest, time.monotonic() - started)
                    self.outcomes[outcome] += 1

    def _ask(self, scene: yg.Scene, which: int) -> str:
        try:
            answer = scene.ask(QUESTIONS[which]).raw
        except yg.ServerError as exc:
            return "error: ask again" if exc.retry else f"error, not to be retried: {exc}"
        except Exception as exc:  # noqa: BLE001 - any other exception is a finding
            return f"foreign error: {exc!r}"
        return "answered" if answer == self._expected[which] else "answered, rounded otherwise"

    @property
    def answered(self) -> int:
        return sum(n for outcome, n in self.outcomes.items() if outcome.startswith("answered"))

    def wait_for_answer(self) -> None:
        """Wait for the next answer."""
        before, deadline = self.answered, time.monotonic() + REQUEST_S
        while self.answered == before:
            if time.monotonic() > deadline:
                raise AssertionError(f"no answer in {REQUEST_S:.0f} s; outcomes so far: {dict(self.outcomes)}")
            time.sleep(0.01)

    def finish(self) -> list[str]:
        """Stop asking; return what is wrong."""
        self._stop.set()
        deadline = time.monotonic() + REQUEST_S
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        wrong = [outcome for outcome in self.outcomes if outcome.startswith(("foreign", "error, not"))]
        lost = self.asked - sum(self.outcomes.values())
        wrong += [f"{lost} requests did not end"] if lost else []
        return wrong + ([f"a request took {self.longest:.0f} s"] if self.longest > REQUEST_S else [])


@contextmanager
def serving(n_threads: int, **settings: Any) -> Iterator[tuple[Supervisor, Clients]]:
    with yg.load("nano", engine="server", **{**SETTINGS, **settings}) as model:
        assert isinstance(model.engine, ServerEngine)
        yield model.engine.supervisor, Clients(model, n_threads)


def server_pid(supervisor: Supervisor) -> int:
    """Return the process id of the current server."""
    supervisor.wait_ready()
    for child in psutil.Process().children(recursive=True):
        if "llama-server" in child.name():
            return int(child.pid)
    raise AssertionError("no llama-server among the child processes")


def disturb(number: signal.Signals, times: int, n_threads: int) -> tuple[list[str], Counter[str], list[float]]:
    """Send a signal to the server `times` times.

    Returns:
        What is wrong, the outcomes of the requests, and after each signal the seconds until the next answer.
    """
    back: list[float] = []
    with serving(n_threads) as (supervisor, clients):
        for _ in range(times):
            clients.wait_for_answer()
            starts = supervisor.n_starts
            os.kill(server_pid(supervisor), number)
            started = time.monotonic()
            while supervisor.n_starts == starts:
                if time.monotonic() - started > REQUEST_S:
                    return [f"not started again after {number.name}"], clients.outcomes, back
                time.sleep(0.01)
            clients.wait_for_answer()
            back.append(time.monotonic() - started)
        wrong = clients.finish()
        if supervisor.n_starts != times + 1:
            wrong.append(f"{supervisor.n_starts} starts for {times} signals")
    return wrong, clients.outcomes, back


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=count, default=50)
    parser.add_argument("--freezes", type=count, default=10)
    parser.add_argument("--threads", type=count, default=8)
    args = parser.parse_args()
    failed = False
    for number, times in ((signal.SIGKILL, args.kills), (signal.SIGSTOP, args.freezes)):
        wrong, outcomes, back = disturb(number, times, args.threads)
        print(
            f"{number.name} x {times}: back after {sum(back) / len(back):.2f} s on average, {max(back):.2f} s at most"
        )
        print(f"  requests: {', '.join(f'{n} {outcome}' for outcome, n in outcomes.most_common())}")
        print(f"  wrong: {'; '.join(wrong) or 'nothing'}")
        failed |= bool(wrong)
    sys.exit(failed)


if __name__ == "__main__":
    main()
