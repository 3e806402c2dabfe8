"""The thread that computes for all others: there is one for a model, it ends with it, and nothing is lost in it."""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import youtu_gguf as yg
from tests.conftest import ON_PROCESSOR
from tests.decodes import PATIENCE_S
from tests.engine_contract import picture
from youtu_gguf.engines.native.engine import NativeEngine
from youtu_gguf.engines.native.llama.compute import ComputeThread, computes_here

RGB = picture(1).rgb
NAME = "youtu-gguf decode"
TASKS = Path("/proc/self/task")


def load_nano(**settings: Any) -> yg.Model:
    return yg.load(
        "nano",
        **{
            "threads": 2,
            "n_ctx": 512,
            "vision": "mtmd",
            "temperature": 0.0,
            "max_tokens": 2,
            **ON_PROCESSOR,
            **settings,
        },
    )


def n_computing() -> int:
    return sum(thread.name == NAME for thread in threading.enumerate())


@pytest.fixture
def compute() -> Iterator[ComputeThread]:
    thread = ComputeThread()
    yield thread
    thread.close()


def test_a_model_has_one_thread_for_its_decodes_until_it_is_closed() -> None:
    before = n_computing()
    with load_nano() as model, load_nano(threads=1):
        assert n_computing() == before + 1  # one thread alone needs no other
        model.chat().ask("Why?")
        assert n_computing() == before + 1
    assert n_computing() == before


def test_the_thread_ends_with_a_model_that_was_dropped() -> None:
    before = n_computing()
    model = load_nano()
    model.chat().ask("Why?")
    del model
    gc.collect()
    assert n_computing() == before


def test_a_process_ends_whose_model_was_not_closed() -> None:
    code = """if True:
        import youtu_gguf as yg
        model = yg.load("nano", threads=2, n_ctx=512, max_tokens=2)
        model.chat().ask("Hello!")
    """
    environment = {**os.environ, "OMP_WAIT_POLICY": "passive"}  # threads that spin are slow on a busy machine
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, timeout=PATIENCE_S, capture_output=True, check=False, env=environment)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.skipif(not TASKS.is_dir(), reason="only Linux lists the threads of a process")
def test_threads_that_ask_keep_no_threads_of_openmp() -> None:
    """Of teams with more threads than processors none may spin: a small model then takes twice the time."""
    ended = threading.Event()
    with load_nano() as model:

        def ask(i: int) -> None:
            model.chat().ask(f"What is thing {i}?")
            asked.release()
            ended.wait(PATIENCE_S)

        def n_others() -> int:
            return len([*TASKS.iterdir()]) - threading.active_count()

        before = n_others()
        asked = threading.Semaphore(0)
        threads = [threading.Thread(target=ask, args=(i,)) for i in range(6)]
        for thread in threads:
            thread.start()
        for _ in threads:
            assert asked.acquire(timeout=PATIENCE_S)
        after = n_others()
        ended.set()
        for thread in threads:
            thread.join(PATIENCE_S)
    assert after - before <= 1


def test_an_answer_that_is_collected_in_the_thread_locks_nothing() -> None:
    with load_nano() as model:
        engine, scene = model.engine, model.open(RGB)
        assert isinstance(engine, NativeEngine)
        thread = engine.context._thread
        assert thread is not None
        stream = scene.ask("Why?", stream=True)
        next(stream)
        cycle: list[Any] = [stream]
        cycle.append(cycle)
        gc.disable()
        try:
            del stream, cycle
            with engine.lock:
                thread.call(gc.collect)
        finally:
            gc.enable()
        scene.ask("Why not?")
        assert engine.prefixes.n_answers == 0


def test_it_returns_and_raises_what_the_function_does(compute: ComputeThread) -> None:
    assert compute.call(max, 3, 7) == 7
    assert compute.call(computes_here)
    assert not computes_here()
    with pytest.raises(ZeroDivisionError):
        compute.call(divmod, 1, 0)
    assert compute.call(threading.get_ident) != threading.get_ident()


class StopError(Exception):
    pass


@pytest.mark.skipif(sys.platform == "win32", reason="signals of one thread are a Unix matter")
def test_a_signal_is_raised_when_the_function_has_ended(compute: ComputeThread) -> None:
    ended = []

    def handle(*_: object) -> None:
        raise StopError

    def work() -> None:
        main = threading.main_thread().ident
        assert main is not None
        for _ in range(3):
            signal.pthread_kill(main, signal.SIGUSR1)
            time.sleep(0.02)
        ended.append(True)

    earlier = signal.signal(signal.SIGUSR1, handle)
    try:
        with pytest.raises(StopError):
            compute.call(work)
    finally:
        signal.signal(signal.SIGUSR1, earlier)
    assert ended == [True]
    assert compute.call(abs, -1) == 1


def test_a_function_of_ctypes_lets_other_threads_run(compute: ComputeThread) -> None:
    if os.name != "posix":
        pytest.skip("usleep is Unix's")
    started = time.perf_counter()
    compute.call(ctypes.CDLL(None).usleep, 50_000)
    assert time.perf_counter() - started >= 0.05


def test_closing_twice_is_harmless() -> None:
    thread = ComputeThread()
    thread.close()
    thread.close()
