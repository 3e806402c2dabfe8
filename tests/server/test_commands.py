"""The commands that keep a server, and those that ask one."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from PIL import Image

import youtu_gguf as yg
from scripts.nano.scenes import TEST_SEEDS, draw
from tests.server.conftest import Serve
from youtu_gguf.engines.llama_server.supervisor import free_port
from youtu_gguf.machine import start_of

START = ("server", "start", "-m", "nano", "--n-ctx", "2048", "--threads", "1", "--quiet")


def command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "youtu_gguf", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **environment},
    )


@pytest.fixture(autouse=True)
def none_left() -> Iterator[None]:
    """End whatever runs in the background, also when a test fails."""
    yield
    for server in yg.servers.list_running():
        if server.background:
            yg.servers.stop(server)


@pytest.fixture
def picture(tmp_path: Path) -> str:
    Image.fromarray(draw(TEST_SEEDS).rgb).save(tmp_path / "scene.png")
    return str(tmp_path / "scene.png")


def exports(output: str) -> dict[str, str]:
    return dict(re.findall(r"^export (\w+)=(.*)$", output, re.MULTILINE))


def test_a_server_is_started_asked_listed_and_stopped(picture: str) -> None:
    started = command(*START, "--slots", "2", "--flags", "--log-prefix")
    assert started.returncode == 0, started.stderr
    environment = exports(started.stdout)
    asked = command("detect", picture, "--json", **environment)
    assert json.loads(asked.stdout)["boxes"]
    (server,) = json.loads(command("server", "status", "--json").stdout)
    assert (server["url"], server["background"], server["ready"]) == (environment["YOUTU_GGUF_ENGINE"], True, True)
    flags = psutil.Process(server["pid"]).cmdline()
    assert flags[flags.index("--parallel") + 1] == "2"
    assert flags[-1] == "--log-prefix"
    assert server["url"] in command("server", "status").stdout
    assert len(command("server", "logs", "-n", "3").stdout.splitlines()) == 3
    stopped = command("server", "stop")
    assert (stopped.returncode, stopped.stderr) == (0, f"stopped server {server['pid']}\n")
    assert start_of(server["pid"]) is None
    assert start_of(server["owner_pid"]) is None


def test_a_server_in_the_background_is_started_again_when_it_is_killed(picture: str) -> None:
    environment = exports(command(*START, "--port", str(free_port())).stdout)
    (first,) = yg.servers.list_running()
    psutil.Process(first.pid).kill()
    deadline = time.monotonic() + 20
    while not any(server.ready and server.pid != first.pid for server in yg.servers.list_running()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert command("count", picture, "circle", **environment).returncode == 0


def test_what_keeps_it_from_starting_is_said(tmp_path: Path) -> None:
    missing = command("server", "start", "-m", str(tmp_path / "no.gguf"))
    assert (missing.returncode, "no.gguf" in missing.stderr) == (4, True)
    unknown = command(*START, "--flags", "--no-such-flag")
    assert (unknown.returncode, "invalid argument: --no-such-flag" in unknown.stderr) == (4, True)
    assert command(*START, "--port", "70000").returncode == 4
    assert command(*START, "--flags", "'").stderr.startswith("error: --flags must be flags as in a shell")


def test_nothing_to_stop_or_to_show_is_said() -> None:
    assert command("server", "stop").stderr == "no server is running in the background\n"
    assert command("server", "status").stderr == "no server is running\n"
    assert command("server", "status", "--json").stdout == "[]\n"
    logs = command("server", "logs")
    assert (logs.returncode, "no server is running" in logs.stderr) == (2, True)
    assert command("server", "stop", "1").returncode == 2


def test_a_server_of_a_program_is_listed_and_not_stopped(serve: Serve) -> None:
    serve()
    (server,) = yg.servers.list_running()
    assert (server.background, server.api_key, server.owner_pid) == (False, None, os.getpid())
    refused = command("server", "stop", str(server.pid))
    assert (refused.returncode, f"belongs to process {os.getpid()}" in refused.stderr) == (2, True)
    assert command("server", "stop").stderr == "no server is running in the background\n"
    assert yg.servers.list_running()[0].ready


def test_a_command_may_have_a_server_of_its_own(picture: str) -> None:
    asked = command("detect", picture, "-m", "nano", "--engine", "server", "--n-ctx", "2048", "--json", "-q")
    assert asked.returncode == 0, asked.stderr
    assert json.loads(asked.stdout)["boxes"]
    assert yg.servers.list_running() == []


def test_a_batch_on_a_server_gives_a_line_for_every_image(tmp_path: Path) -> None:
    for seed in range(6):
        Image.fromarray(draw(TEST_SEEDS + seed).rgb).save(tmp_path / f"{seed}.png")
    out = tmp_path / "out"
    done = command(
        "batch", str(tmp_path), "-t", "detect", "-t", "describe", "-o", str(out), "-m", "nano", "--engine", "server",
        "--n-ctx", "2048", "-q",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in (out / "results.jsonl").read_text("utf-8").splitlines()]
    assert len(lines) == 6
    assert all(len(line["results"]) == 2 and "error" not in line for line in lines)


def test_maps_are_refused_with_the_engine_that_gives_them(picture: str) -> None:
    refused = command("depth", picture, "-m", "nano", "--engine", "server", "--n-ctx", "2048")
    assert (refused.returncode, refused.stdout) == (4, "")
    assert 'depth needs the states of image tokens, which the engine "server" does not give' in refused.stderr


def test_an_engine_that_is_none_is_refused(picture: str) -> None:
    refused = command("ask", picture, "Why?", "-m", "nano", "--engine", "cloud")
    assert (refused.returncode, "engine must be" in refused.stderr) == (2, True)
    refused = command("ask", picture, "Why?", "-m", "nano", YOUTU_GGUF_ENGINE="ftp://host")
    assert (refused.returncode, "engine must be" in refused.stderr) == (2, True)
