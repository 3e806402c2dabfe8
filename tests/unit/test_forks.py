"""Objects in a forked process: what works there, and what says that it does not."""

from __future__ import annotations

import os
import threading

import pytest

from tests.forked import in_fork
from youtu_gguf.forks import Owner, forkable_lock

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")


def test_a_forked_process_is_told_what_belongs_to_its_parent_and_what_to_do() -> None:
    owner = Owner("this model")
    owner.check()
    said = in_fork(owner.check)
    assert said.startswith(f"EngineError: this model belongs to process {os.getpid()}")
    assert "forked" in said
    assert "Load the model in the child" in said
    assert (owner.is_here, in_fork(lambda: owner.is_here)) == (True, "False")


def test_a_lock_that_a_thread_of_the_parent_holds_is_free_in_the_child() -> None:
    class Holder:
        def __init__(self) -> None:
            self.lock = forkable_lock(self, "lock")

    holder = Holder()
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with holder.lock:
            held.set()
            done.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    assert in_fork(lambda: holder.lock.acquire(blocking=False)) == "True"
    assert not holder.lock.acquire(blocking=False)
    done.set()
    thread.join()
