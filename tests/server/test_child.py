"""A child process by itself: whichever way it is bound to this one, closing it leaves nothing of it."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psutil
import pytest

from youtu_gguf.engines.llama_server.process import STOP_S, Binding, ChildProcess
from youtu_gguf.machine import start_of

BINDINGS: tuple[Binding, ...] = ("signal", "pipe")
SLEEP = "import time; print('up', flush=True); time.sleep(600)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SLEEP


@contextmanager
def child(code: str, binding: Binding) -> Iterator[tuple[ChildProcess, psutil.Process]]:
    """Start a program that runs until it is ended, and wait until it is up."""
    command = [sys.executable, "-c", code]
    with closing(ChildProcess(command, dict(os.environ), Path(os.devnull), binding=binding)) as process:
        deadline = time.monotonic() + 10
        while not process.last_lines:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        program = psutil.Process(process.pid)
        assert program.cmdline() == command
        yield process, program


@pytest.mark.parametrize("binding", BINDINGS)
def test_closing_asks_a_program_to_end_and_waits_for_it(binding: Binding) -> None:
    notes = "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(print('asked', flush=True)))\n"
    with child(notes + SLEEP, binding) as (process, program):
        started = time.monotonic()
        process.close()
        assert start_of(program.pid) is None
        assert time.monotonic() - started < STOP_S / 2
        assert process.last_lines[-1] == "asked"


@pytest.mark.parametrize("binding", BINDINGS)
def test_closing_kills_a_program_that_does_not_end_when_it_is_asked_to(binding: Binding) -> None:
    with child(STUBBORN, binding) as (process, program):
        process.close()
        assert start_of(program.pid) is None


@pytest.mark.parametrize("binding", BINDINGS)
def test_closing_kills_a_program_that_is_stopped(binding: Binding) -> None:
    with child(SLEEP, binding) as (process, program):
        program.suspend()
        process.close()
        assert start_of(program.pid) is None


@pytest.mark.parametrize("binding", BINDINGS)
def test_a_program_can_be_killed_at_once(binding: Binding) -> None:
    with child(STUBBORN, binding) as (process, program):
        started = time.monotonic()
        process.kill()
        assert start_of(program.pid) is None
        assert time.monotonic() - started < STOP_S / 2


def test_a_program_whose_launcher_is_killed_is_ended_when_it_is_closed() -> None:
    with child(SLEEP, "pipe") as (process, program):
        launcher = program.parent()
        assert launcher is not None and "launcher.py" in " ".join(launcher.cmdline())
        launcher.kill()
        process.close()
        assert start_of(program.pid) is None
