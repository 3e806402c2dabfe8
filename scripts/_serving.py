"""A `youtu-gguf serve` of its own process, for benchmarks and soaks: started, watched from outside, and stopped."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from scripts._asking import Client

START_S, STOP_S = 120.0, 60.0

_SAMPLE = re.compile(r"^([a-z_]+(?:\{[^}]*\})?) (\S+)$", re.MULTILINE)


class Server:
    """The running process.

    Attributes:
        port: Where it listens on 127.0.0.1.
        process: The process.
        log: The file of its output.
    """

    def __init__(self, port: int, process: subprocess.Popen[bytes], log: Path) -> None:
        self.port, self.process, self.log = port, process, log
        self._watched = psutil.Process(process.pid)

    def client(self) -> Client:
        """Return a new connection."""
        return Client(self.port)

    def wait_ready(self) -> None:
        """Wait until it takes requests.

        Raises:
            RuntimeError: It ended, or takes none after `START_S`.
        """
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                with self.client() as client:
                    if client.send("GET", "/readyz").status == 200:
                        return
            except OSError:
                pass
            time.sleep(0.05)
        raise RuntimeError(f"the server is not ready (exit code {self.process.poll()}): {self.tail()}")

    def tail(self) -> str:
        """Return the end of its output."""
        return self.log.read_text(errors="replace")[-2000:]

    def metrics(self) -> dict[str, float]:
        """Return the samples of /metrics by name, labels included."""
        with self.client() as client:
            text = client.send("GET", "/metrics").body.decode()
        return {name: float(value) for name, value in _SAMPLE.findall(text)}

    def decodes(self) -> int:
        """Return how many batches llama.cpp has decoded since the start."""
        return int(self.metrics()["youtu_decodes_total"])

    def n_busy(self, client: Client) -> int:
        """Return the requests that wait or are answered, asked by `client`."""
        queue = client.send("GET", "/v1/info").json()["queue"]
        return int(queue["waiting"] + queue["active"])

    def memory_bytes(self) -> int:
        """Return its resident memory."""
        return int(self._watched.memory_info().rss)

    def n_threads(self) -> int:
        """Return its threads."""
        return int(self._watched.num_threads())

    def n_children(self) -> int:
        """Return the processes below it."""
        return len(self._watched.children(recursive=True))

    def stop(self) -> int:
        """Send SIGTERM; return the exit code.

        Raises:
            subprocess.TimeoutExpired: It still runs after `STOP_S`.
        """
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_S)


def free_port() -> int:
    """Return a port of 127.0.0.1 that was free just now."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


@contextmanager
def serving(
    model: str | Path = "nano", *flags: str, folder: Path | None = None, port: int | None = None
) -> Iterator[Server]:
    """Run `youtu-gguf serve` for the `with` block; give the server once it is ready.

    Args:
        model: What is served.
        flags: Further options of the command.
        folder: Where it is run. A package that lies there, such as an unpacked wheel, is the one that runs.
        port: Where it listens; None takes a free one.
    """
    port = free_port() if port is None else port
    words = ("-m", "youtu_gguf", "serve", "--model", str(model), "--port", str(port), *flags)
    with running(words, port, folder) as server:
        yield server


@contextmanager
def running(words: Sequence[str], port: int, folder: Path | None = None) -> Iterator[Server]:
    """Run a server that another Python program starts, as `serving` does.

    Args:
        words: What follows `python` on its command line.
        port: Where it listens.
        folder: Where it is run.
    """
    with tempfile.TemporaryDirectory() as temporary:
        log = Path(temporary, "log")
        with log.open("wb") as output:
            process = subprocess.Popen([sys.executable, *words], stdout=output, stderr=subprocess.STDOUT, cwd=folder)
        server = Server(port, process, log)
        try:
            server.wait_ready()
            yield server
        finally:
            try:
                server.stop()
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
