"""Ctrl-C while llama.cpp computes: it waits, arrives, and leaves nothing taken."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from tests.forked import in_fork
from youtu_gguf.engines.native.fair_lock import FairLock
from youtu_gguf.engines.native.interrupts import Deferral, open_to_interrupts


@pytest.fixture(autouse=True)
def handler() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler, "the handler was not given back"
    signal.signal(signal.SIGINT, before)


def press() -> None:
    signal.raise_signal(signal.SIGINT)


def test_it_arrives_at_the_end_of_the_block() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), Deferral():
        press()
        done.append("the rest of the block")
    assert done


def test_it_arrives_where_the_deferral_is_lifted() -> None:
    with pytest.raises(KeyboardInterrupt), Deferral() as deferral:
        press()
        with deferral.lifted():
            pytest.fail("what came before is first")


def test_it_arrives_in_the_middle_of_a_callers_callback_and_waits_again_after_it() -> None:
    done = []

    def progress(stage: str, _done: int, _total: int) -> None:
        if stage == "load":
            press()
            pytest.fail("it was held back")

    with pytest.raises(KeyboardInterrupt), Deferral() as deferral:
        report = deferral.lifting(progress)
        report("encode", 1, 2)
        with pytest.raises(KeyboardInterrupt):
            report("load", 1, 2)
        press()
        done.append("the rest of the block")
    assert done


def test_deferrals_within_each_other_give_it_to_the_outermost() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), Deferral():
        with Deferral():
            press()
        done.append("the rest of the outer block")
    assert done


def test_other_threads_leave_the_handler_alone() -> None:
    seen = []

    def work() -> None:
        with Deferral() as deferral:
            seen.append(signal.getsignal(signal.SIGINT))
            with deferral.lifted():
                pass

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.default_int_handler]


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with Deferral():
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        press()
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
def test_a_forked_process_gets_its_handler_back() -> None:
    with Deferral():
        said = in_fork(lambda: signal.getsignal(signal.SIGINT) is signal.default_int_handler)
    assert said == "True"


def test_what_the_holder_of_the_lock_does_is_finished_and_the_lock_is_free_after_it() -> None:
    lock, done = FairLock(), []
    with pytest.raises(KeyboardInterrupt), lock:
        press()
        done.append("the rest of the block")
    assert done
    assert lock.enter_if_free()


def test_the_holder_can_be_interrupted_where_it_says_so() -> None:
    lock = FairLock()
    with pytest.raises(KeyboardInterrupt), lock:
        press()
        with open_to_interrupts():
            pytest.fail("it was held back")
    assert lock.enter_if_free()


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="needed to press while waiting")
def test_it_ends_the_waiting_for_the_lock() -> None:
    lock, held, over = FairLock(), threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            held.set()
            over.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    main = threading.main_thread().ident
    assert main is not None
    pressing = threading.Timer(0.05, signal.pthread_kill, (main, signal.SIGINT))
    pressing.start()
    with pytest.raises(KeyboardInterrupt), lock:
        pytest.fail("the lock is held")
    over.set()
    thread.join()
    pressing.join()
    assert lock.enter_if_free()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
def test_the_lock_refuses_a_forked_process_instead_of_waiting_for_a_thread_that_is_not_there() -> None:
    lock = FairLock()

    def enter() -> None:
        with lock:
            pass

    with lock:
        assert "forked" in in_fork(enter)
