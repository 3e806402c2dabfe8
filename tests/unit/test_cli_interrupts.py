"""Ctrl-C on the command line, wherever it comes: exit code 130, one word, and no traceback."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

START = """
import os, signal, sys, time
from youtu_gguf.cli.interrupts import handled, leave_at_once, raising
leave_at_once()
def press():
    signal.raise_signal(signal.SIGINT)
def run(work):
    try:
        with raising():
            work()
    except KeyboardInterrupt:
        print("cleaned up", flush=True)
        sys.exit(130)
    print("done", flush=True)
"""


def outcome(code: str) -> tuple[int, str, str]:
    command = [sys.executable, "-c", START + code]
    ended = subprocess.run(command, capture_output=True, check=False, text=True, timeout=60)
    return ended.returncode, ended.stdout, ended.stderr


def test_before_a_command_runs_it_ends_the_process_at_once() -> None:
    assert outcome("press(); print('not reached')") == (130, "", "interrupted\n")


def test_within_a_command_it_is_raised_so_that_things_are_cleaned_up() -> None:
    assert outcome("run(press)") == (130, "cleaned up\n", "")


def test_after_a_command_it_ends_the_process_without_a_traceback() -> None:
    assert outcome("run(lambda: None); import atexit; atexit.register(press)") == (130, "done\n", "interrupted\n")


def test_what_a_library_turns_into_another_error_is_still_an_interrupt() -> None:
    code = """
def work():
    try:
        press()
    except KeyboardInterrupt:
        raise ImportError("cannot import") from None
run(work)
"""
    assert outcome(code) == (130, "cleaned up\n", "")


def test_what_python_drops_in_a_destructor_is_raised_again() -> None:
    code = """
class Dropped:
    def __del__(self):
        press()
def work():
    Dropped()
    time.sleep(50)
run(work)
"""
    assert outcome(code) == (130, "cleaned up\n", "")


def test_what_a_chat_has_dealt_with_does_not_end_the_command() -> None:
    code = """
def work():
    try:
        press()
    except KeyboardInterrupt:
        handled()
run(work)
"""
    assert outcome(code) == (0, "done\n", "")


@pytest.mark.skipif(os.name == "nt", reason="shells there do not ignore signals for a command")
def test_where_the_shell_ignores_it_it_stays_ignored() -> None:
    code = "signal.signal(signal.SIGINT, signal.SIG_IGN); leave_at_once(); run(press)"
    assert outcome(code) == (0, "done\n", "")


def test_the_command_is_ready_for_it_before_it_imports_anything_large() -> None:
    code = """
import signal, sys
import youtu_gguf.__main__ as command
large = [name for name in ("numpy", "typer", "PIL", "youtu_gguf.cli.main") if name in sys.modules]
class Pressing:
    def find_spec(*_):
        signal.raise_signal(signal.SIGINT)
sys.meta_path.insert(0, Pressing)
print(large, flush=True)
command.main()
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, text=True, timeout=60)
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "[]\n", "interrupted\n")
