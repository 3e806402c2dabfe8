"""The lock that serves in the order of asking."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from youtu_gguf.engines.native import fair_lock
from youtu_gguf.engines.native.fair_lock import FairLock

PATIENCE_S = 60.0
"""After so long a test fails instead of waiting for ever."""


@pytest.fixture
def wait_until_one_more_is_queued(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Return once a further thread has found its turn taken."""
    queued = threading.Semaphore(0)

    class ReportingLock:
        """A lock that reports each thread that has to wait for it, unless it is used by `with`."""

        def __init__(self) -> None:
            self._lock = threading.Lock()

        def acquire(self) -> None:
            if not self._lock.acquire(blocking=False):
                queued.release()
                self._lock.acquire()

        def release(self) -> None:
            self._lock.release()

        def __enter__(self) -> None:
            self._lock.acquire()

        def __exit__(self, *_: object) -> None:
            self._lock.release()

    def wait() -> None:
        assert queued.acquire(timeout=PATIENCE_S)

    monkeypatch.setattr(fair_lock, "threading", SimpleNamespace(Lock=ReportingLock))
    return wait


def test_threads_are_served_in_the_order_in_which_they_asked(wait_until_one_more_is_queued: Callable[[], None]) -> None:
    turns, served = FairLock(), []

    def work(number: int) -> None:
        with turns:
            served.append(number)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(20)]
    with turns:
        for thread in threads:
            thread.start()
            wait_until_one_more_is_queued()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert served == list(range(20))


def test_a_thread_that_asks_again_goes_to_the_end_of_the_queue(
    wait_until_one_more_is_queued: Callable[[], None],
) -> None:
    turns, served = FairLock(), []
    inside, waiting = threading.Event(), threading.Event()

    def greedy() -> None:
        for _ in range(3):
            with turns:
                served.append("greedy")
                inside.set()
                waiting.wait(PATIENCE_S)

    def patient() -> None:
        with turns:
            served.append("patient")

    threads = [threading.Thread(target=greedy), threading.Thread(target=patient)]
    threads[0].start()
    assert inside.wait(PATIENCE_S)
    threads[1].start()
    wait_until_one_more_is_queued()
    waiting.set()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert served == ["greedy", "patient", "greedy", "greedy"]


def test_one_thread_at_a_time_is_inside() -> None:
    turns, inside, most = FairLock(), [0], [0]

    def work() -> None:
        for _ in range(200):
            with turns:
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                inside[0] -= 1

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert most == [1]


def test_an_error_inside_passes_the_turn_on() -> None:
    turns = FairLock()
    with pytest.raises(ZeroDivisionError), turns:
        1 / 0  # noqa: B018
    with turns:
        pass


def test_one_who_is_interrupted_while_waiting_leaves_the_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    turns, served = FairLock(), threading.Event()

    class Interrupted:
        """A lock whose second acquire is interrupted, as Ctrl-C does."""

        def __init__(self) -> None:
            self.n = 0

        def acquire(self) -> bool:
            self.n += 1
            if self.n == 2:
                raise KeyboardInterrupt
            return True

        def release(self) -> None: ...

    def work() -> None:
        with turns:
            served.set()

    with turns:
        monkeypatch.setattr(fair_lock, "threading", SimpleNamespace(Lock=Interrupted))
        with pytest.raises(KeyboardInterrupt):
            turns.__enter__()
        monkeypatch.undo()
    threading.Thread(target=work, daemon=True).start()
    assert served.wait(PATIENCE_S), "the turn was given to one who had left"
