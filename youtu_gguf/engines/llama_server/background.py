"""llama-servers that outlive the command that started them: a process in the background supervises each.

A server that a program starts with `load(engine="server")` belongs to that program: it is listed here, and cannot be
stopped here.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Unpack

import psutil

from youtu_gguf.arguments import checked_path
from youtu_gguf.config import LoadSettings, make_settings
from youtu_gguf.engines.llama_server.process import STOP_S
from youtu_gguf.engines.llama_server.registry import Record, check_folder, end, running
from youtu_gguf.engines.llama_server.supervisor import Supervisor, free_port, is_well
from youtu_gguf.errors import EngineError, InputError
from youtu_gguf.hub.models import fetch_missing
from youtu_gguf.types import ProgressFn, no_progress

if TYPE_CHECKING:
    from os import PathLike

POLL_S = 0.1
HIGHEST_PORT = 65_535

STAY = b"s"
"""What tells the process that keeps a server that its starter has heard of it."""


@dataclass(frozen=True)
class RunningServer:
    """A running llama-server on this machine that this package has started.

    Attributes:
        pid: Of the server.
        owner_pid: Of the process that supervises it.
        url: Where it answers, for `load(engine=...)`.
        model: Path of its model file.
        log: File of its output.
        version: As the program reports it.
        background: Whether `start` started it; any other belongs to the program that did, and ends with it.
        ready: Whether it answers: not while it loads, nor while it hangs.
        since: When it started, in seconds since the epoch.
        memory: Bytes in memory, including the mapped parts of the model file.
        api_key: For `load(api_key=...)`; None unless it is in the background.
    """

    pid: int
    owner_pid: int
    url: str
    model: str
    log: str
    version: str
    background: bool
    ready: bool
    since: float
    memory: int
    api_key: str | None = None

    def __repr__(self) -> str:
        return f"RunningServer(pid={self.pid}, url={self.url!r}, model={self.model!r}, ready={self.ready})"


def list_running() -> list[RunningServer]:
    """Return this user's running servers. Servers whose owner has died are ended first."""
    return [_running(record) for record in running()]


def start(arguments: Sequence[str], *, start_s: float, progress: ProgressFn = no_progress) -> RunningServer:
    """Start a server in the background and wait until it answers. Nothing is left of one that does not.

    Args:
        arguments: Of the command `youtu-gguf server start`, which the background process runs.
        start_s: Longest wait.
        progress: Called repeatedly while waiting.

    Raises:
        OutputError: Its record cannot be written.
        EngineError: It does not start; gives the reason that its process printed.
    """
    check_folder()
    owner = _Owner([sys.executable, "-m", "youtu_gguf", "server", "start", "--foreground", "--started", *arguments])
    try:
        return owner.wait(start_s, progress)
    except BaseException:
        owner.end()
        raise


class _Owner:
    """The process that is to keep a server, as the one that starts it sees it.

    It says on its stdout when the server answers. It ends when its stdin does, unless it was told to stay before: so
    however its starter ends, nothing is left of a server that nobody has been told of.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._popen = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self._said: dict[str, bytes] = {}
        self._readers = [
            threading.Thread(target=self._read, args=(name, pipe, until), daemon=True)
            for name, pipe, until in (("out", self._popen.stdout, 1), ("error", self._popen.stderr, -1))
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, name: str, pipe: IO[bytes], n_lines: int) -> None:
        with pipe:
            self._said[name] = b"".join(islice(pipe, n_lines) if n_lines > 0 else pipe)

    def wait(self, start_s: float, progress: ProgressFn) -> RunningServer:
        """Return the server once it answers, and let its process stay.

        Raises:
            EngineError: It does not.
        """
        deadline = time.monotonic() + start_s
        while "out" not in self._said and time.monotonic() < deadline:
            progress("load", 0, 0)
            self._readers[0].join(POLL_S)
        if "out" not in self._said:
            raise EngineError(f"the server is not ready after {start_s:g} s. Raise --start-seconds, or see its log.")
        if self._said["out"]:
            server = RunningServer(**json.loads(self._said["out"]))
            self._tell(STAY)
            return server
        code = self._popen.wait(STOP_S)
        self._readers[1].join(STOP_S)
        words = self._said.get("error", b"").decode("utf-8", "replace").strip().removeprefix("error: ")
        raise EngineError(words or f"the background process ended with exit code {code}.")

    def _tell(self, word: bytes) -> None:
        assert self._popen.stdin is not None
        with suppress(OSError), self._popen.stdin as pipe:
            pipe.write(word)

    def end(self) -> None:
        """End it, and with it the server."""
        self._tell(b"")
        self._popen.terminate()
        try:
            self._popen.wait(2 * STOP_S)
        except BaseException as exc:
            self._popen.kill()  # the system kills the server with it
            self._popen.wait()
            if not isinstance(exc, subprocess.TimeoutExpired):
                raise


class _Starter:
    """The process that has started this one, as this one sees it. See `_Owner`."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self.closed = threading.Event()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        if os.read(0, len(STAY)) != STAY:
            self._stop.set()
            if not self.closed.wait(2 * STOP_S):
                os._exit(1)

    def tell(self, server: RunningServer) -> None:
        """Say that the server answers, and keep nothing of the starter's open."""
        with suppress(OSError):
            os.write(1, json.dumps(asdict(server)).encode() + b"\n")
        with open(os.devnull, "r+b") as nothing:  # noqa: PTH123
            for standard in (1, 2):
                os.dup2(nothing.fileno(), standard)


def run(
    model: str | PathLike[str] | None,
    mmproj: str | PathLike[str] | None,
    stop: threading.Event,
    /,
    *,
    port: int | None = None,
    started: bool = False,
    progress: ProgressFn = no_progress,
    **settings: Unpack[LoadSettings],
) -> None:
    """Run a server until `stop` is set.

    Args:
        model: As for `load`.
        mmproj: As for `load`.
        stop: Ends it.
        port: Where to listen; None takes a free one.
        started: Whether `start` has started this process: it is told on stdout when the server answers, and if it ends
            before that, which this process notices by its stdin, `stop` is set.
        progress: Called while pulling and loading.
        settings: As for `load`.

    Raises:
        ModelFileError: A file is missing, broken, or not one of the pair.
        InputError: The port or a setting is invalid.
        OutputError: The server's record or its log cannot be written.
        EngineError: It does not start, or ends too often.
        KeyboardInterrupt: `stop` was set while a model was being pulled.
    """
    from youtu_gguf.engines.llama_server.engine import program
    from youtu_gguf.gguf.pair import check_pair

    def report(stage: str, done: int, total: int) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        progress(stage, done, total)

    if port is not None and not (type(port) is int and 1 <= port <= HIGHEST_PORT):
        raise InputError(f"port must be a whole number from 1 to {HIGHEST_PORT}; got {port!r}.")
    check_folder()
    starter = _Starter(stop) if started else None
    chosen = make_settings(**settings)
    pair = check_pair(fetch_missing(model, report), checked_path("mmproj", mmproj) if mmproj else None)
    find_port = free_port if port is None else lambda: port
    supervisor = Supervisor(program(pair, chosen), chosen.server, background=True, find_port=find_port)
    told = starter is None
    try:
        while not stop.wait(POLL_S):
            supervisor.check()
            record = supervisor.record
            if starter is not None and not told and record is not None:
                starter.tell(_running(record))
                told = True
    finally:
        supervisor.close()
        if starter is not None:
            starter.closed.set()


def stop(server: RunningServer) -> bool:
    """End a server in the background and the process that supervises it; return whether both are gone.

    Raises:
        InputError: It belongs to a program, which ends it.
    """
    if not server.background:
        raise InputError(
            f"server {server.pid} belongs to process {server.owner_pid}, which would start it again. Close it there."
        )
    for record in running():
        if record.server.pid == server.pid:
            return end(record.owner) and end(record.server)
    return True


def _running(record: Record) -> RunningServer:
    memory = 0
    with suppress(psutil.Error):
        memory = int(psutil.Process(record.server.pid).memory_info().rss)
    return RunningServer(
        record.server.pid,
        record.owner.pid,
        record.url,
        record.model,
        record.log,
        record.version,
        record.background,
        is_well(record.url),
        record.server.started,
        memory,
        record.api_key,
    )


def log_lines(server: RunningServer, n: int) -> list[str]:
    """Return the last `n` lines of a server's log.

    Raises:
        EngineError: It cannot be read.
    """
    try:
        return Path(server.log).read_text(encoding="utf-8", errors="replace").splitlines()[-n:]
    except OSError as exc:
        raise EngineError(f"the log {server.log} cannot be read: {exc.strerror}.") from exc
