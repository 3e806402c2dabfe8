"""The lock that serves in the order of asking."""

from __future__ import annotations

import threading
import time

import pytest

from youtu_gguf.engines.native.fair_lock import FairLock


def wait_until_queued(turns: FairLock, n: int) -> None:
    while len(turns._waiting) < n:
        time.sleep(0.001)


def test_threads_are_served_in_the_order_in_which_they_asked() -> None:
    turns, served = FairLock(), []

    def work(number: int) -> None:
        with turns:
            served.append(number)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(20)]
    with turns:
        for i, thread in enumerate(threads):
            thread.start()
            wait_until_queued(turns, i + 1)
    for thread in threads:
        thread.join(10)
    assert served == list(range(20))


def test_a_thread_that_asks_again_goes_to_the_end_of_the_queue() -> None:
    turns, served = FairLock(), []
    waiting = threading.Event()

    def greedy() -> None:
        for _ in range(3):
            with turns:
                served.append("greedy")
                waiting.wait(10)

    def patient() -> None:
        with turns:
            served.append("patient")

    threads = [threading.Thread(target=greedy), threading.Thread(target=patient)]
    threads[0].start()
    while not served:
        time.sleep(0.001)
    threads[1].start()
    wait_until_queued(turns, 1)
    waiting.set()
    for thread in threads:
        thread.join(10)
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
        thread.join(20)
    assert most == [1]


def test_an_error_inside_passes_the_turn_on() -> None:
    turns = FairLock()
    with pytest.raises(ZeroDivisionError), turns:
        1 / 0  # noqa: B018
    with turns:
        pass


def test_one_who_is_interrupted_while_waiting_leaves_the_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    turns = FairLock()

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

    with turns:
        monkeypatch.setattr(threading, "Lock", Interrupted)
        with pytest.raises(KeyboardInterrupt):
            turns.__enter__()
        monkeypatch.undo()
        assert not turns._waiting
    with turns:
        pass
