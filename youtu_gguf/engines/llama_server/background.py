"""llama-servers that outlive the command that started them: a process in the background supervises each.

A server that a program starts with `load(engine="server")` belongs to that program: it is listed here, and cannot be
stopped here.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import psutil

from youtu_gguf.arguments import checked_path
from youtu_gguf.config import LoadSettings, make_settings
from youtu_gguf.engines.llama_server.registry import Record, end, running
from youtu_gguf.engines.llama_server.supervisor import Supervisor, free_port, is_well
from youtu_gguf.errors import EngineError, InputError
from youtu_gguf.hub.models import fetch_missing
from youtu_gguf.types import ProgressFn, no_progress

if TYPE_CHECKING:
    from os import PathLike

POLL_S = 0.1
HIGHEST_PORT = 65_535


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
    """Start a server in the background and wait until it answers.

    Args:
        arguments: Of the command `youtu-gguf server start`, which the background process runs.
        start_s: Longest wait.
        progress: Called repeatedly while waiting.

    Raises:
        EngineError: It does not start; gives the reason that its process printed.
    """
    command = [sys.executable, "-m", "youtu_gguf", "server", "start", "--foreground", *arguments]
    with tempfile.TemporaryFile() as messages:
        owner = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=messages, start_new_session=True
        )
        deadline = time.monotonic() + start_s
        while owner.poll() is None and time.monotonic() < deadline:
            progress("load", 0, 0)
            for server in list_running():
                if server.owner_pid == owner.pid and server.ready:
                    return server
            time.sleep(POLL_S)
        if owner.poll() is None:
            owner.terminate()
            owner.wait()
            raise EngineError(f"the server is not ready after {start_s:g} s. Raise --start-seconds, or see its log.")
        messages.seek(0)
        words = messages.read().decode("utf-8", "replace").strip().removeprefix("error: ")
        raise EngineError(words or f"the background process ended with exit code {owner.returncode}.")


def run(
    model: str | PathLike[str] | None,
    mmproj: str | PathLike[str] | None,
    stop: threading.Event,
    *,
    port: int | None = None,
    progress: ProgressFn = no_progress,
    **settings: Unpack[LoadSettings],
) -> None:
    """Run a server until `stop` is set.

    Args:
        model: As for `load`.
        mmproj: As for `load`.
        stop: Ends it.
        port: Where to listen; None takes a free one.
        progress: Called while pulling and loading.
        settings: As for `load`.

    Raises:
        ModelFileError: A file is missing, broken, or not one of the pair.
        InputError: The port or a setting is invalid.
        EngineError: It does not start, or ends too often.
    """
    from youtu_gguf.engines.llama_server.engine import program
    from youtu_gguf.gguf.pair import check_pair

    if port is not None and not (type(port) is int and 1 <= port <= HIGHEST_PORT):
        raise InputError(f"port must be a whole number from 1 to {HIGHEST_PORT}; got {port!r}.")
    chosen = make_settings(**settings)
    pair = check_pair(fetch_missing(model, progress), checked_path("mmproj", mmproj) if mmproj else None)
    find_port = free_port if port is None else lambda: port
    supervisor = Supervisor(program(pair, chosen), chosen.server, background=True, find_port=find_port)
    try:
        while not stop.wait(POLL_S):
            supervisor.check()
    finally:
        supervisor.close()


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
