"""The server as a process: its start, its signals, its end."""

from __future__ import annotations

import base64
import contextlib
import functools
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import psutil
import pytest
from PIL import Image

from scripts.nano.scenes import TEST_SEEDS, draw
from tests.serve.processes import NANO, Served, served

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals")

SLACK_S = 8.0
"""What a machine may take that is busy with other tests; scripts/bench/serve.py measures on one that is not."""

LONG = {"type": "array", "items": {"type": "integer"}, "minItems": 2000}
"""A schema whose answers take longer than any test."""

SLOW_TO_LOAD = """
import time
from youtu_gguf.serve.run import serve
from youtu_gguf.serve.settings import ServeSettings

serve(lambda: time.sleep(60), ServeSettings(port=0), lambda url: print("listening at", url, flush=True))
"""

DEAF = """
import sys, time
import youtu_gguf as yg
from youtu_gguf.serve.run import serve
from youtu_gguf.serve.settings import ServeSettings
from youtu_gguf.testing import FakeEngine, FakeSession

class Deaf(FakeSession):
    def generate(self, *_args, **_kwargs):
        time.sleep(30)
        return iter(())

class DeafEngine(FakeEngine):
    def open(self, prefix):
        return Deaf(self, prefix)

sys.exit(serve(lambda: yg.load(engine=DeafEngine()), ServeSettings(port=0, drain_s=0.2),
               lambda url: print("listening at", url, flush=True)))
"""
"""A server whose engine does not look at `cancel`."""


@functools.cache
def picture() -> str:
    file = BytesIO()
    Image.fromarray(draw(TEST_SEEDS).rgb).save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def long_chat() -> dict[str, object]:
    content = [{"type": "image_url", "image_url": {"url": picture()}}, {"type": "text", "text": "Count."}]
    shape = {"type": "json_schema", "json_schema": {"name": "numbers", "schema": LONG}}
    messages = [{"role": "user", "content": content}]
    return {"model": "youtu-vl", "stream": True, "max_tokens": 8000, "messages": messages, "response_format": shape}


class Stream(threading.Thread):
    """A client that reads a stream to its end."""

    def __init__(self, server: Served) -> None:
        super().__init__()
        self.begun = threading.Event()
        self.events: list[str] = []
        self._server = server
        self.start()

    def run(self) -> None:
        with (
            contextlib.suppress(OSError, http.client.HTTPException),
            self._server.post("/v1/chat/completions", long_chat()) as answer,
        ):
            while line := answer.readline():
                if line.strip():
                    self.events.append(line.decode().strip())
                    self.begun.set()


@pytest.fixture
def notified(tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    """Give an abstract address, and the socket that hears what is said there."""
    name = f"@youtu-gguf-{os.getpid()}-{time.monotonic_ns()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(f"\0{name[1:]}")
        listener.settimeout(60)
        yield name, listener


@pytest.mark.skipif(sys.platform != "linux", reason="abstract sockets are Linux's")
def test_a_server_says_when_it_is_ready_and_ends_without_a_trace(notified: tuple[str, socket.socket]) -> None:
    name, heard = notified
    with served(*NANO, NOTIFY_SOCKET=name) as server:
        assert server.get("/healthz") == (200, '{"status":"ok"}')
        assert heard.recv(100) == b"READY=1"
        assert server.get("/readyz") == (200, '{"status":"ok"}')
        status, text = server.get("/")
        assert (status, text.count("\n")) == (200, 1)
        children = psutil.Process(server.process.pid).children(recursive=True)
        assert children == []
        assert heard.fileno() > 0
        code, seconds = server.end(signal.SIGTERM)
        assert heard.recv(100) == b"STOPPING=1"
        assert (code, seconds < 1 + SLACK_S) == (0, True)
        assert server.process.stderr is not None
        said = server.process.stderr.read()
    assert "INFO ready" in said
    assert "Traceback" not in said


def test_eight_streams_end_with_an_error_within_the_time_to_drain_and_a_second() -> None:
    with served(*NANO, "--drain", "3s") as server:
        server.wait_ready()
        streams = [Stream(server) for _ in range(8)]
        assert all(stream.begun.wait(60) for stream in streams)
        ended: list[tuple[int, float]] = []
        ending = threading.Thread(target=lambda: ended.append(server.end(signal.SIGTERM)))
        ending.start()
        while (ready := server.get("/readyz"))[0] == 200:
            time.sleep(0.02)
        status, text = ready
        assert (status, json.loads(text)["error"]["code"]) == (503, "draining")
        with server.post("/v1/chat/completions", long_chat()) as refused:
            assert (refused.status, json.loads(refused.read())["error"]["code"]) == (503, "draining")
            assert refused.headers["Retry-After"] == "5"
        ending.join()
        for stream in streams:
            stream.join()
        ((code, seconds),) = ended
    assert code == 0
    assert 3 < seconds < 4 + SLACK_S
    assert [json.loads(stream.events[-1].removeprefix("data: "))["error"]["code"] for stream in streams] == [
        "draining"
    ] * 8


def test_a_second_signal_ends_at_once() -> None:
    with served(*NANO, "--drain", "1h") as server:
        server.wait_ready()
        stream = Stream(server)
        assert stream.begun.wait(60)
        code, seconds = server.end(signal.SIGTERM, signal.SIGINT)
        stream.join()
    assert code == 128 + signal.SIGINT
    assert seconds < 1 + SLACK_S


def test_a_thread_that_does_not_end_does_not_hold_up_the_process() -> None:
    with served(program=("-c", DEAF)) as server:
        server.wait_ready()
        answered: list[int] = []

        def ask() -> None:
            with server.post("/v1/tasks/ask", {"image": picture(), "question": "Why?"}) as answer:
                answered.append(answer.status)

        client = threading.Thread(target=ask)
        client.start()
        while json.loads(server.get("/v1/info")[1])["queue"]["active"] < 1:
            time.sleep(0.02)
        code, seconds = server.end(signal.SIGINT)
        client.join()
    assert (code, answered) == (0, [503])
    assert seconds < 1.2 + SLACK_S


def test_a_server_that_still_loads_ends_at_once() -> None:
    with served(program=("-c", SLOW_TO_LOAD)) as server:
        status, text = server.get("/readyz")
        assert (status, json.loads(text)["error"]["code"]) == (503, "loading")
        assert server.get("/healthz")[0] == 200
        code, seconds = server.end(signal.SIGTERM)
    assert code == 0
    assert seconds < 1 + SLACK_S


def command(*options: str, program: tuple[str, ...] = ("-m", "youtu_gguf")) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *program, "serve", *options], capture_output=True, text=True, timeout=60, check=False
    )


def test_a_model_that_cannot_be_loaded_ends_the_server_with_its_exit_code(tmp_path: Path) -> None:
    done = command("--port", "0", "-m", str(tmp_path / "missing.gguf"))
    assert done.returncode == 3
    assert "the model cannot be loaded: " in done.stderr
    assert "missing.gguf" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_in_use_is_an_error_before_anything_is_loaded() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = command("--port", port, *NANO)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"127.0.0.1:{port} cannot be used: another program listens there. Name another with --port" in done.stderr


def test_without_the_extra_the_error_names_it() -> None:
    without = "import sys; sys.modules['uvicorn'] = None; from youtu_gguf.__main__ import main; main()"
    done = command(*NANO, program=("-c", without))
    assert (done.returncode, done.stdout) == (4, "")
    assert 'pip install "youtu_gguf[serve]"' in done.stderr
