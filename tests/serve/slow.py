"""A model that answers slowly, for tests of what happens meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import youtu_gguf as yg
from youtu_gguf.config import Sampling
from youtu_gguf.engines.base import Piece
from youtu_gguf.engines.prefix import Prefix
from youtu_gguf.testing import FakeEngine, FakeSession

PIECE_S = 0.01
N_PIECES = 2_000
"""An answer takes 20 s, longer than any test waits."""


class SlowEngine(FakeEngine):
    """Answers "word word ..." piece by piece, and counts the answers that are being given.

    Once `hurry` is set, it answers at full speed.
    """

    def __init__(self) -> None:
        super().__init__({"": " ".join(["word"] * N_PIECES)})
        self.n_running = 0
        self.hurry = threading.Event()
        self._counting = threading.Lock()

    def open(self, prefix: Prefix) -> SlowSession:
        return SlowSession(self, prefix)

    def count(self, change: int) -> None:
        with self._counting:
            self.n_running += change


class SlowSession(FakeSession):
    """One prefix on a `SlowEngine`."""

    def __init__(self, engine: SlowEngine, prefix: Prefix) -> None:
        super().__init__(engine, prefix)
        self._slow = engine

    def generate(self, question: str, sampling: Sampling, cancel: threading.Event | None = None) -> Iterator[Piece]:
        ends_at = time.monotonic() + sampling.max_s
        self._slow.count(1)
        try:
            for piece in super().generate(question, sampling, cancel):
                self._slow.hurry.wait(PIECE_S)
                if time.monotonic() > ends_at:
                    yield Piece("", finish="time")
                    return
                yield piece
        finally:
            self._slow.count(-1)


def slow_model(engine: SlowEngine) -> yg.Model:
    return yg.load(engine=engine)


def wait_until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    """Wait until `condition()` holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.005)
