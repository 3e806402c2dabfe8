"""What is written down of running servers, and who is ended because of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from youtu_gguf.engines.llama_server.registry import KEPT_LOGS, Record, Who, end, log_folder, running, tidy
from youtu_gguf.machine import start_of

NOBODY = Who(2**22 - 7, 1.0)


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield process
    process.kill()
    process.wait()


def record(server: Who, owner: Who, log: str = "log") -> Record:
    made = Record(server, owner, "http://127.0.0.1:1/v1", "model.gguf", log, "9999", api_key="secret")
    made.write()
    return made


def test_a_server_with_its_owner_is_listed(sleeper: subprocess.Popen[bytes]) -> None:
    made = record(Who.of(sleeper.pid), Who.of(os.getpid()))
    assert list(running()) == [made]
    assert made.path.stat().st_mode & 0o077 == 0
    assert "secret" not in repr(made)


def test_a_server_that_has_ended_is_forgotten() -> None:
    made = record(NOBODY, Who.of(os.getpid()))
    assert list(running()) == []
    assert not made.path.exists()


def test_a_server_whose_owner_is_gone_is_ended(sleeper: subprocess.Popen[bytes]) -> None:
    made = record(Who.of(sleeper.pid), NOBODY)
    assert list(running()) == []
    assert start_of(sleeper.pid) is None
    assert not made.path.exists()


def test_another_process_with_the_number_of_a_server_is_left_alone(sleeper: subprocess.Popen[bytes]) -> None:
    started = start_of(sleeper.pid)
    assert started is not None
    made = record(Who(sleeper.pid, started - 3600), NOBODY)  # it was noted before a reboot
    assert list(running()) == []
    assert sleeper.poll() is None
    assert not made.path.exists()


def test_another_process_with_the_number_of_an_owner_does_not_save_a_server(sleeper: subprocess.Popen[bytes]) -> None:
    record(Who.of(sleeper.pid), Who(os.getpid(), 1.0))
    assert list(running()) == []
    assert start_of(sleeper.pid) is None


def test_a_process_that_nobody_waits_for_counts_as_ended() -> None:
    code = "import subprocess, sys, time; "
    code += (
        "print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']).pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as careless:
        assert careless.stdout is not None
        child = psutil.Process(int(careless.stdout.readline()))
        assert end(Who.of(child.pid), seconds=30)
        assert child.status() == psutil.STATUS_ZOMBIE
        careless.kill()


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "7", '{"server": 3}', '{"server": {"pid": "x", "started": 1}}', "\0", '{"unknown": 1}']
)
def test_a_file_that_is_no_record_is_removed(state: Path, content: str) -> None:
    folder = state / "servers"
    folder.mkdir(parents=True)
    (folder / "7.json").write_text(content)
    assert list(running()) == []
    assert list(folder.iterdir()) == []


def test_hostile_numbers_in_a_record_end_nobody(state: Path) -> None:
    folder = state / "servers"
    folder.mkdir(parents=True)
    for n, pid in enumerate((0, -1, 10**30, 1.5, None, True)):
        known = {"server": {"pid": pid, "started": 1.0}, "owner": {"pid": pid, "started": 1.0}, "url": "", "model": "",
                 "log": "", "version": ""}  # fmt: skip
        (folder / f"{n}.json").write_text(json.dumps(known))
    assert list(running()) == []
    assert list(folder.iterdir()) == []


def test_the_oldest_logs_are_deleted_but_for_those_of_running_servers(sleeper: subprocess.Popen[bytes]) -> None:
    log_folder().mkdir(parents=True)
    logs = [log_folder() / f"{i}.log" for i in range(KEPT_LOGS + 3)]
    for i, log in enumerate(logs):
        log.touch()
        os.utime(log, (i, i))
    record(Who.of(sleeper.pid), Who.of(os.getpid()), log=str(logs[1]))
    tidy()
    assert [log for log in logs if not log.exists()] == [logs[0], logs[2]]
