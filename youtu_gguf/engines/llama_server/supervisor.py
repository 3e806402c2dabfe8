"""Keeps one llama-server running: starts it, checks its health, restarts it, and gives its address.

It knows processes and health, nothing of questions.
"""

from __future__ import annotations

import os
import secrets
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from youtu_gguf import machine
from youtu_gguf.backoff import Backoff
from youtu_gguf.engines.http.transport import Address, Hangup, NotSentError, RefusedError, get_json
from youtu_gguf.engines.llama_server.process import BINDING, STOP_S, Binding, ChildProcess, check_log
from youtu_gguf.engines.llama_server.registry import Record, Who, log_folder, tidy
from youtu_gguf.environment import server_environment
from youtu_gguf.errors import EngineError, OutputError, ServerError
from youtu_gguf.forks import Owner
from youtu_gguf.types import ProgressFn, no_progress

if TYPE_CHECKING:
    from youtu_gguf.config import ServerSettings

POLL_S = 1.0
"""How often the server's health is checked; its end is noticed at once."""

HEALTH_S = 5.0
"""Longest wait for the answer to a health check."""

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0
"""Pauses before restarts in a row, from the second on; the first restart is immediate."""

PORT_TRIES = 5
"""Free ports tried in a row: another program may take one between our finding and using it."""

PORT_TAKEN = "couldn't bind"
"""llama-server's message in that case (server-http.cpp)."""

HOST = "127.0.0.1"

KILLED = -9
OUT_OF_MEMORY = " (perhaps because memory ran out: see `youtu-gguf plan`)"
"""The exit code of a killed process, and what is then likely where nobody has killed it."""


@dataclass(frozen=True)
class Program:
    """What to run: `command` without host and port; model and version are for its records."""

    command: Sequence[str]
    model: str
    version: str
    cuda_graphs: bool = False


def free_port() -> int:
    """Return a port that is free at the moment."""
    with socket.socket() as sock:
        sock.bind((HOST, 0))
        return int(sock.getsockname()[1])


class Supervisor:
    """Runs a llama-server until closed. Safe to use from many threads, but not in a forked process.

    Args:
        program: What to run.
        settings: Limits.
        background: Whether this process does nothing else.
        api_key: The server's key; a random one by default.
        find_port: Gives the port for a start.
        binding: What kills the server when this process dies.

    Raises:
        OutputError: `settings.server_log` cannot be written.

    Attributes:
        n_starts: How often it was started, restarts for memory included.
        log: File of its output.
    """

    def __init__(
        self,
        program: Program,
        settings: ServerSettings,
        *,
        background: bool = False,
        api_key: str | None = None,
        find_port: Callable[[], int] = free_port,
        binding: Binding = BINDING,
    ) -> None:
        self._program, self._settings, self._background = program, settings, background
        self._find_port = find_port
        self._binding = binding
        self._key = api_key or secrets.token_urlsafe(24)
        self._owner, self._pid = Owner("this server"), os.getpid()
        tidy()
        if settings.server_log is not None:
            check_log(settings.server_log)
        self.log = settings.server_log or log_folder() / f"llama-server-{self._pid}-{id(self):x}.log"
        self._changed = threading.Condition()
        self._wake, self._closing = threading.Event(), threading.Event()
        self._address: Address | None = None
        self._process: ChildProcess | None = None
        self._record: Record | None = None
        self._failed: EngineError | None = None
        self._users = self.n_starts = 0
        self._backoff = Backoff(
            FIRST_PAUSE_S, LONGEST_PAUSE_S, self._closing.wait, retries=settings.restarts, at_once=1
        )
        self._answered = self._hung = False
        # The kernel kills the server with the thread that started it, so one thread starts it, every time.
        self._thread = threading.Thread(target=self._run, name="youtu-gguf supervisor", daemon=True)
        self._thread.start()

    def wait_ready(self, progress: ProgressFn = no_progress) -> Address:
        """Wait until the server answers, calling `progress` repeatedly.

        Raises:
            EngineError: It does not start.
        """
        hangup = Hangup()
        while True:
            progress("load", 0, 0)
            address = self._wait(hangup, POLL_S / 4)
            if address is not None:
                return address

    def _wait(self, hangup: Hangup, seconds: float) -> Address | None:
        """Return the server's address; None if it is not ready after `seconds`, or `hangup` is hung up."""
        self._owner.check()
        with self._changed:
            self._changed.wait_for(
                lambda: self._address or self._failed or self._closing.is_set() or hangup.gone.is_set(), seconds
            )
            if self._closing.is_set():
                raise EngineError("this model is closed. Load it again.")
            if self._failed is not None:
                raise self._failed
            return self._address

    @property
    def record(self) -> Record | None:
        """The record of the server while it is ready."""
        return self._record if self._address is not None else None

    def check(self) -> None:
        """Do nothing unless the server has failed for good.

        Raises:
            EngineError: It has; says why.
        """
        if self._failed is not None:
            raise self._failed

    @contextmanager
    def using(self, hangup: Hangup) -> Iterator[Address]:
        """Give the address once the server is ready, and count as its user until left.

        Raises:
            ServerError: It ended during the call; says whether to ask again.
            EngineError: It will not be ready.
        """
        self._owner.check()
        with self._changed:
            self._users += 1  # before the address is known, so that the server is not replaced in between
        process = None
        try:
            address = self._wait_in_time(hangup)
            process = self._process
            yield address
            if not hangup.gone.is_set():
                self._answered = True
                self._backoff.reset()
        except (NotSentError, RefusedError):  # it has received nothing of the request, or has answered it
            raise
        except ServerError as exc:
            raise self._explained(exc, process) from exc
        finally:
            with self._changed:
                self._users -= 1

    def _wait_in_time(self, hangup: Hangup) -> Address:
        """Return the server's address; an empty one once `hangup` is hung up."""
        deadline = time.monotonic() + self._settings.start_s
        while not hangup.gone.is_set():
            if time.monotonic() > deadline:
                raise ServerError("llama-server is not ready in time. Ask again, or raise start_s.", retry=True)
            address = self._wait(hangup, POLL_S / 4)
            if address is not None:
                return address
        return Address("")

    def _explained(self, error: ServerError, process: ChildProcess | None) -> ServerError:
        """Return `error` with how the process ended, if it has."""
        code = process.wait(POLL_S / 2) if process is not None else None
        if process is None or code is None:
            return error
        if self._failed is not None:
            return ServerError(str(self._failed))
        words = f"llama-server ended in the middle of an answer, {self._how(code)}. It is restarting: ask again."
        return ServerError(words + ("" if code < 0 else process.tail()), retry=True)

    def _how(self, code: int | None) -> str:
        if code is None:
            return f"still not ready after {self._settings.start_s:.0f} s"
        if self._hung:
            return f"after {self._settings.hang_s:g} s of silence"
        if code < 0:
            with suppress(ValueError):
                return f"by {signal.Signals(-code).name}" + (OUT_OF_MEMORY if code == KILLED else "")
        return f"with exit code {code}"

    def _run(self) -> None:
        """Start and watch the server until closed or given up. Runs in one thread only."""
        ready_once = False
        try:
            while not self._closing.is_set():
                reason = self._start()
                if not reason:
                    ready_once = True
                    reason = self._watch()
                self._stop()
                if reason and not self._closing.is_set():
                    self._count(reason, give_up=not ready_once)
        except EngineError as exc:
            self._give_up(exc)
        except BaseException as exc:
            self._give_up(EngineError(f"supervising llama-server failed: {exc!r}."))
            raise
        finally:
            self._stop()

    def _count(self, reason: str, *, give_up: bool) -> None:
        """Count an end of the server that we did not cause, and pause before it is restarted.

        Raises:
            EngineError: It has ended too often.
        """
        if give_up:
            raise EngineError(f"llama-server does not start: it ended {reason} Its log is {self.log}.")
        if not self._backoff.pause():
            raise EngineError(
                f"llama-server ended {self._backoff.failures} times in a row without an answer in between, last "
                f"{reason} Fix that, then load the model again. Its log is {self.log}."
            )

    def _give_up(self, error: EngineError) -> None:
        with self._changed:
            self._failed = error
            self._changed.notify_all()

    def _start(self) -> str:
        """Start the server and wait until it answers; return why it does not, or "".

        Raises:
            EngineError: The program cannot be run.
        """
        for _ in range(PORT_TRIES):
            self._wake.clear()
            self._hung = False
            port = self._find_port()
            command = [*self._program.command, "--host", HOST, "--port", str(port), *self._settings.server_flags]
            environment = server_environment(self._key, cuda_graphs=self._program.cuda_graphs)
            process = self._process = ChildProcess(
                command, environment, self.log, on_end=self._wake.set, binding=self._binding
            )
            self.n_starts += 1
            self._answered = False
            self._note(process, port)
            if self._until_ready(process, f"http://{HOST}:{port}") or self._closing.is_set():
                return ""
            code = process.wait()
            self._stop()
            if not any(PORT_TAKEN in line for line in process.last_lines):
                break
        return f"{self._how(code)}.{process.tail()}"

    def _note(self, process: ChildProcess, port: int) -> None:
        """Write the server's record. A server of a program does without: it dies with this process anyway.

        Raises:
            EngineError: The record of a server in the background cannot be written at its first start.
        """
        self._record = Record(
            Who(process.pid, process.started),
            Who.of(self._pid),
            f"http://{HOST}:{port}/v1",
            self._program.model,
            str(self.log),
            self._program.version,
            self._background,
            self._key if self._background else None,
        )
        try:
            self._record.write()
        except OutputError as exc:
            if self._background and self.n_starts == 1:
                raise EngineError(f"the server's record cannot be written: {exc}") from exc

    def _until_ready(self, process: ChildProcess, url: str) -> bool:
        deadline = time.monotonic() + self._settings.start_s
        while not self._closing.is_set() and time.monotonic() < deadline and process.wait() is None:
            if is_well(url) and self._is_ours(url):
                with self._changed:
                    self._address = Address(f"{url}/v1", self._key)
                    self._changed.notify_all()
                return True
            self._wake.wait(POLL_S / 20)
        return False

    def _is_ours(self, url: str) -> bool:
        """Whether the server at `url` requires our key: another program on the same port does not."""
        accepted = False
        try:
            get_json(Address(url, self._key), "/props", HEALTH_S)
            accepted = True
            get_json(Address(url), "/props", HEALTH_S)
        except RefusedError as exc:
            return exc.status == HTTPStatus.UNAUTHORIZED and accepted
        except ServerError:
            return False
        return False

    def _watch(self) -> str:
        """Check the server until it ends; return why it did, or "" if we have ended it on purpose."""
        process, address = self._process, self._address
        if process is None or address is None:  # closed in the meantime
            return ""
        root = address.url.removesuffix("/v1")
        last_well = time.monotonic()
        pause = min(POLL_S, self._settings.hang_s / 4)
        while not self._closing.is_set():
            self._wake.wait(pause)
            code = process.wait()
            if code is not None:
                return f"{self._how(code)}.{process.tail()}"
            if is_well(root, min(HEALTH_S, self._settings.hang_s)):
                last_well = time.monotonic()
            elif time.monotonic() - last_well > self._settings.hang_s:
                self._hung = True
                self._withdraw()
                process.kill()
                return f"{self._how(0)}.{process.tail()}"
            if self._is_too_large(process):
                return ""
        return ""

    def _is_too_large(self, process: ChildProcess) -> bool:
        """Whether the server is idle and has grown beyond its limit; its address is withdrawn in that case."""
        limit = self._settings.max_server_bytes or machine.usable_memory().total // 2
        if not self._answered or process.private_bytes() <= limit:
            return False
        with self._changed:
            if self._users:
                return False
            self._address = None
            return True

    def _withdraw(self) -> None:
        with self._changed:
            self._address = None

    def _stop(self) -> None:
        self._withdraw()
        if self._process is not None:
            self._process.close()
        if self._record is not None:
            self._record.remove()
            self._record = None

    def close(self) -> None:
        """Stop the server; it is killed if it does not end. Safe to call twice. Does nothing in a forked process."""
        if not self._owner.is_here:
            return
        self._closing.set()
        self._wake.set()
        with self._changed:
            self._changed.notify_all()
        if threading.current_thread() is not self._thread:
            self._thread.join(4 * STOP_S)


def is_well(url: str, seconds: float = HEALTH_S) -> bool:
    """Whether a server reports that it is ready."""
    try:
        return bool(get_json(Address(url), "/health", seconds)["status"] == "ok")
    except (ServerError, TypeError, LookupError):
        return False
