"""A child process that dies with this one, its log file and its last lines."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Literal
from weakref import WeakSet

import psutil

from youtu_gguf.atomic import writing
from youtu_gguf.errors import EngineError
from youtu_gguf.machine import start_of

Binding = Literal["signal", "pipe"]
"""What kills the child when this process dies, however it dies: the kernel's signal on Linux, elsewhere a launcher that
watches a pipe. The launcher needs nothing that Python does not offer on every system; it is tested on Linux."""

BINDING: Binding = "signal" if sys.platform == "linux" else "pipe"

LAST_LINES, TAIL = 40, 8
"""Last lines of output that are kept, and how many of them a message repeats."""

LOG_BYTES = 8 << 20
"""Size at which the log is renamed; the one renamed before is deleted."""

POLL_S = 0.01

STOP_S = 5.0
"""How long a process may take to end when it is asked to, before it is killed."""


_PIPED: WeakSet[ChildProcess] = WeakSet()


def _let_go_of_all() -> None:
    for child in list(_PIPED):
        child.let_go()


if hasattr(os, "register_at_fork"):  # a forked worker that lives on must not keep the pipes open
    os.register_at_fork(after_in_child=_let_go_of_all)


class ChildProcess:
    """A running program. Close it when done; if this process dies before, it is killed.

    On Linux the kernel binds it to the thread that makes this object: that thread must live as long as the child may.

    Args:
        command: Program and arguments.
        environment: Its whole environment.
        log: File for its output, both streams.
        on_end: Called once, in another thread, at the end of its output.
        binding: How it is bound to this process.

    Attributes:
        pid: Of the program.
        started: When it started, in seconds since the epoch, by the system's clock; identifies it together with `pid`.
        last_lines: Its last lines of output.

    Raises:
        EngineError: It cannot be started.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        *,
        on_end: Callable[[], None] = lambda: None,
        binding: Binding = BINDING,
    ) -> None:
        self.last_lines: deque[str] = deque(maxlen=LAST_LINES)
        self._on_end = on_end
        launcher = [sys.executable, "-I", "-S", str(Path(__file__).with_name("launcher.py")), binding, str(os.getpid())]
        try:
            self._popen = subprocess.Popen(
                [*launcher, *command],
                env=dict(environment),
                stdin=subprocess.PIPE if binding == "pipe" else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches this process only, which then stops the child
            )
        except OSError as exc:
            raise EngineError(f"{command[0]} cannot be started: {exc}.") from exc
        if binding == "pipe":
            _PIPED.add(self)
        assert self._popen.stdout is not None
        self._reader = threading.Thread(target=self._read, args=(self._popen.stdout, log), daemon=True)
        self._reader.start()
        self.pid = self._popen.pid if binding != "pipe" else self._pid_below()
        self.started = start_of(self.pid) or time.time()
        self._processes: list[psutil.Process] = []
        for pid in dict.fromkeys((self.pid, self._popen.pid)):  # the program first, then a launcher
            with suppress(psutil.Error):  # it has ended
                self._processes.append(psutil.Process(pid))

    def let_go(self) -> None:
        """Close our end of the pipe: the launcher then ends the program."""
        if self._popen.stdin is not None:
            with suppress(OSError):
                self._popen.stdin.close()

    def _pid_below(self) -> int:
        """Return the pid of the program that the launcher runs, or the launcher's if it has ended."""
        launcher, deadline = self._popen.pid, time.monotonic() + STOP_S
        while time.monotonic() < deadline and self._popen.poll() is None:
            with suppress(psutil.Error):
                if children := psutil.Process(launcher).children():
                    return int(children[0].pid)
            time.sleep(POLL_S)
        return launcher

    def _read(self, output: IO[bytes], log: Path) -> None:
        with output, _Log(log) as file:
            for line in iter(lambda: output.readline(LOG_BYTES), b""):
                self.last_lines.append(line.decode("utf-8", "replace").rstrip())
                trouble = file.write(line)
                if trouble:
                    self.last_lines.append(trouble)
        self._on_end()

    def wait(self, seconds: float = 0.0) -> int | None:
        """Return the exit code, negative for a signal; None if it is still running after `seconds`."""
        try:
            code = self._popen.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        self._reader.join(STOP_S)  # for its last lines
        return code

    def tail(self) -> str:
        """Return its last lines of output, for the end of a message."""
        lines = list(self.last_lines)[-TAIL:]
        return "\n  " + "\n  ".join(lines) + "\n" if lines else " It wrote nothing."

    def kill(self) -> None:
        """End it at once, even if it is suspended, and wait until it and a launcher are gone."""
        for process in self._processes:
            with suppress(psutil.Error):  # it has ended, and may have left its number to another process
                process.kill()
        self.wait(STOP_S)
        wait_ended(self._processes, STOP_S)  # the program is not our child where a launcher is

    def close(self) -> None:
        """Ask it to end, and end it if it does not. Safe to call twice."""
        if self._popen.stdin is None:
            self._popen.terminate()
        else:
            self.let_go()  # what terminates the launcher on Windows does not reach the program
        self.wait(STOP_S)
        self.kill()

    def private_bytes(self) -> int:
        """Return its memory without the files that it maps, in bytes; 0 once it has ended."""
        with suppress(psutil.Error):
            memory = psutil.Process(self.pid).memory_info()
            return int(memory.rss - getattr(memory, "shared", 0))
        return 0


class _Log:
    """A file that is renamed when it is full, and given up when it cannot be written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None
        self._trouble: str | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._open()
        except OSError as exc:
            self._give_up(exc)

    def _open(self) -> None:
        self._file = os.fdopen(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab", buffering=0)

    def write(self, line: bytes) -> str | None:
        """Write a line; return the reason if the file was given up, once."""
        if self._file is not None:
            try:
                self._file.write(line)
                if self._file.tell() > LOG_BYTES:
                    self._file.close()
                    self._path.replace(self._path.with_suffix(".old" + self._path.suffix))
                    self._open()
            except OSError as exc:
                self._give_up(exc)
        trouble, self._trouble = self._trouble, None
        return trouble

    def _give_up(self, exc: OSError) -> None:
        self._trouble = f"(the log {self._path} is no longer written: {exc.strerror})"
        self.__exit__()

    def __enter__(self) -> _Log:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def check_log(path: Path) -> None:
    """Check that a log can be written to.

    Raises:
        OutputError: It cannot.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))


def wait_ended(processes: Sequence[psutil.Process], seconds: float) -> bool:
    """Wait until none of `processes` runs; return whether that was so within `seconds`.

    A zombie counts as ended: where the first process of a container does not wait for those it inherits, they stay.
    """
    deadline = time.monotonic() + seconds
    while any(map(_runs, processes)):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True


def _runs(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False
