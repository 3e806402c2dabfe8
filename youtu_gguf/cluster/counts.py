"""How far shards are that are not finished: so that progress moves within them. Losing it loses nothing else."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from youtu_gguf.batch.journal import Line
from youtu_gguf.batch.run import errors_in

NOTE_S = 2.0
"""How often an actor tells how far it is, and how often the driver asks."""

ANSWER_S = 30.0
"""How long an answer may take; the machine that counts may be gone."""

Counted = Mapping[str, tuple[int, int]]
"""Images that are done, and those of them with errors, by the name of the shard."""


class Counts:
    """What actors have told. An actor of Ray itself, without a processor of its own."""

    def __init__(self) -> None:
        self._shards: dict[str, tuple[int, int]] = {}

    def note(self, shard: str, done: int, broken: int) -> None:
        """Note how far a shard is."""
        self._shards[shard] = done, broken

    def end(self, shard: str) -> None:
        """Forget a shard, whose summary says the rest."""
        self._shards.pop(shard, None)

    def read(self) -> Counted:
        """Return how far the shards are."""
        return self._shards


class Noting:
    """An actor's side: tells how far its shard is, every `NOTE_S` at most, and does not wait for an answer.

    Args:
        counts: Handle of a `Counts` actor; None where no one asks.
    """

    def __init__(self, counts: Any, shard: str) -> None:
        self._counts = counts
        self._shard = shard
        self._told = time.monotonic()
        self._done = self._broken = 0

    def add(self, line: Line) -> None:
        """Count an image by its line."""
        self._done += 1
        self._broken += bool(errors_in(line))
        if self._counts is not None and time.monotonic() - self._told >= NOTE_S:
            self._told = time.monotonic()
            self._counts.note.remote(self._shard, self._done, self._broken)

    def end(self) -> None:
        """Tell that the shard has ended."""
        if self._counts is not None:
            self._counts.end.remote(self._shard)


@contextmanager
def asking(counts: Any, told: Callable[[Counted], None]) -> Iterator[None]:
    """Call `told` every `NOTE_S` with what a `Counts` actor knows, in a thread, until the block ends."""
    ended = threading.Event()
    thread = threading.Thread(target=_ask, args=(counts, told, ended), name="youtu-gguf counts", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(ANSWER_S + NOTE_S)


def _ask(counts: Any, told: Callable[[Counted], None], ended: threading.Event) -> None:
    import ray
    from ray.exceptions import RayError

    while not ended.wait(NOTE_S):
        answer = counts.read.remote()
        while not ended.is_set():
            try:
                told(ray.get(answer, timeout=NOTE_S / 4))
            except ray.exceptions.GetTimeoutError:
                continue
            except RayError:  # its machine is gone; summaries still tell
                return
            break
