"""A server in a process of its own, as the command starts it."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

LONGEST_S = 60.0
"""Longest wait for a process to start or end."""

NANO = ("-m", "nano", "--threads", "1")


@dataclass
class Served:
    """A running server.

    Attributes:
        process: Its process.
        host: Its address and port.
    """

    process: subprocess.Popen[str]
    host: str

    def get(self, path: str) -> tuple[int, str]:
        """Return the status and the body of what is at `path`."""
        with closing(http.client.HTTPConnection(self.host, timeout=LONGEST_S)) as connection:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    @contextmanager
    def post(self, path: str, body: object) -> Iterator[http.client.HTTPResponse]:
        """Give the answer to JSON, as soon as it begins."""
        with closing(http.client.HTTPConnection(self.host, timeout=LONGEST_S)) as connection:
            connection.request("POST", path, json.dumps(body), {"content-type": "application/json"})
            with closing(connection.getresponse()) as answer:
                yield answer

    def wait_ready(self) -> None:
        """Wait until the model is loaded."""
        deadline = time.monotonic() + LONGEST_S
        while self.get("/readyz")[0] != 200:
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def end(self, *signals: int) -> tuple[int, float]:
        """Send signals; return the exit code, and the seconds until the end."""
        began = time.perf_counter()
        for number in signals:
            self.process.send_signal(number)
            time.sleep(0.05)
        return self.process.wait(LONGEST_S), time.perf_counter() - began


@contextmanager
def served(*options: str, program: tuple[str, ...] = ("-m", "youtu_gguf"), **variables: str) -> Iterator[Served]:
    """Give a server that listens; it is killed at the end of the block if it still runs."""
    command = [sys.executable, *program, "serve", "--port", "0", *options]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **variables}
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line.startswith("listening at http://"):
            process.wait(LONGEST_S)
            assert process.stderr is not None
            raise AssertionError(f"{line!r} {process.stderr.read()}")
        yield Served(process, line.removeprefix("listening at http://").strip())
    finally:
        process.kill()
        process.communicate()
