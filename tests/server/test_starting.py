"""What is left of a server in the background whose start fails or is interrupted: nothing, and it is said at once."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

import youtu_gguf as yg
from youtu_gguf.engines.llama_server import registry

START = [sys.executable, "-m", "youtu_gguf", "server", "start", "-m", "nano", "--n-ctx", "2048", "--threads", "1"]
SECONDS = 30.0


def processes(mark: str) -> list[psutil.Process]:
    """Return this user's processes with `mark` on their command line."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        words = process.info["cmdline"] or ()
        if process.info["status"] != psutil.STATUS_ZOMBIE and any(mark in word for word in words):
            found.append(process)
    return found


def all_gone(mark: str) -> bool:
    deadline = time.monotonic() + SECONDS
    while left := processes(mark):
        if time.monotonic() > deadline:
            for process in left:
                process.kill()
            return False
        time.sleep(0.02)
    return True


@pytest.fixture
def mark(tmp_path: Path) -> Iterator[str]:
    """A word on the command lines of the server and of the process that keeps it."""
    word = f"started-by-{tmp_path.name}-{os.getpid()}"
    yield word
    assert all_gone(word)


def start(mark: str, *more: str, **environment: str) -> subprocess.Popen[str]:
    command = [*START, "--flags", f"--alias {mark}", *more]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, text=True, env={**os.environ, **environment}, **pipes)  # type: ignore[call-overload,no-any-return]


@pytest.mark.parametrize("where", ["a file", "below a file", "/proc"])
def test_a_state_folder_that_cannot_be_written_is_said_at_once(tmp_path: Path, mark: str, where: str) -> None:
    (tmp_path / "file").touch()
    state = {"a file": tmp_path / "file", "below a file": tmp_path / "file" / "x", "/proc": Path("/proc")}[where]
    starting = start(mark, XDG_STATE_HOME=str(state))
    out, error = starting.communicate(timeout=SECONDS)
    assert (starting.returncode, out) == (2, "")
    assert "needs a record" in error
    assert "XDG_STATE_HOME" in error


def test_a_server_of_a_program_needs_no_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    with yg.load("nano", engine="server", n_ctx=2048, threads=1) as model:
        assert model.engine.n_parallel == 4


@pytest.mark.parametrize("named", ["{}/missing/file/x.log", "/proc/x.log"])
def test_a_log_that_is_named_and_cannot_be_written_is_refused(tmp_path: Path, mark: str, named: str) -> None:
    (tmp_path / "missing").mkdir()
    (tmp_path / "missing" / "file").touch()
    log = named.format(tmp_path)
    error = start(mark, "--log", log).communicate(timeout=SECONDS)[1]
    assert "expected to write" in error
    assert log in error
    with pytest.raises(yg.OutputError, match="expected to write"):
        yg.load("nano", engine="server", server_log=log)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_when_the_start_is_interrupted_before_the_server_runs(mark: str, number: int) -> None:
    starting = start(mark)
    while starting.poll() is None and len(processes(mark)) < 2:  # the process that is to keep it
        time.sleep(0.005)
    starting.send_signal(number)
    starting.communicate(timeout=SECONDS)
    assert starting.returncode != 0
    assert all_gone(mark)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_when_the_start_is_interrupted_while_the_server_loads(mark: str, number: int) -> None:
    starting = start(mark)
    while starting.poll() is None and not any("llama-server" in process.name() for process in processes(mark)):
        time.sleep(0.002)
    starting.send_signal(number)
    starting.communicate(timeout=SECONDS)
    assert all_gone(mark)
    assert [server for server in yg.servers.list_running() if server.background] == []


def test_nothing_is_left_when_the_process_that_keeps_the_server_dies(mark: str) -> None:
    starting = start(mark)
    while not (keepers := [p for p in processes(mark) if "--started" in p.cmdline()]):
        time.sleep(0.005)
    keepers[0].kill()
    assert "ended with exit code -9" in starting.communicate(timeout=SECONDS)[1]
    assert starting.returncode == 4


def test_a_start_that_takes_too_long_leaves_nothing(mark: str) -> None:
    starting = start(mark, "--start-seconds", "0.01")
    error = starting.communicate(timeout=SECONDS)[1]
    assert re.search(r"not ready after 0\.01 s", error)
    assert all_gone(mark)


def test_old_records_that_cannot_be_removed_do_not_stop_a_list(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (state / "servers").mkdir(parents=True)
    (state / "servers" / "7.json").mkdir()  # not even root can unlink it
    assert list(registry.running()) == []
    assert yg.servers.list_running() == []
