"""Records of running servers and their owners, by which servers without an owner are found and ended.

A pid is used again, after a reboot at the latest, so a record also has the time at which its process started.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil

from youtu_gguf.atomic import write_bytes, writing
from youtu_gguf.engines.llama_server.process import STOP_S, wait_ended
from youtu_gguf.environment import state_folder
from youtu_gguf.errors import InputError, OutputError
from youtu_gguf.machine import start_of

CLOCK_S = 2.0
"""Largest difference between two readings of the start of one process: they move when the clock is set."""


KEPT_LOGS = 20
"""Logs kept of servers that have ended."""

PROBE_BYTES = 4096
"""Room that a record needs, and more."""


@dataclass(frozen=True)
class Who:
    """A process: its pid, and when it started."""

    pid: int
    started: float

    def __post_init__(self) -> None:
        if type(self.pid) is not int or not 0 < self.pid < 1 << 31 or type(self.started) not in (int, float):
            raise ValueError(f"not a process: {self.pid!r}, {self.started!r}")

    @classmethod
    def of(cls, pid: int) -> Who:
        """Return the process that has this pid now."""
        return cls(pid, start_of(pid) or 0.0)

    @property
    def is_running(self) -> bool:
        """Whether this process still runs; another one with its pid does not count."""
        started = start_of(self.pid)
        return started is not None and abs(started - self.started) <= CLOCK_S


@dataclass(frozen=True)
class Record:
    """A server that this package has started.

    Attributes:
        server: Its process.
        owner: The process that supervises it.
        url: Its address, with "/v1".
        model: Path of its model.
        log: Path of its log.
        version: As the program reports it.
        background: Whether its owner does nothing else (`youtu-gguf server start`).
        api_key: None unless it is in the background: other commands of the same user need the key then.
    """

    server: Who
    owner: Who
    url: str
    model: str
    log: str
    version: str
    background: bool = False
    api_key: str | None = field(default=None, repr=False)

    @property
    def path(self) -> Path:
        """The file of this record."""
        return folder() / f"{self.server.pid}.json"

    def write(self) -> None:
        """Write the file, readable for this user only.

        Raises:
            OutputError: It cannot be written.
        """
        with writing(self.path):
            folder().mkdir(parents=True, exist_ok=True, mode=0o700)
        write_bytes(self.path, json.dumps(asdict(self)).encode(), private=True)

    def remove(self) -> None:
        """Delete the file, where that is allowed; without its server it does no harm."""
        _remove(self.path)


def log_folder() -> Path:
    """Return the folder of the logs, unless `server_log` names a file."""
    return state_folder() / "logs"


def tidy() -> None:
    """End servers whose owner has died, and delete the oldest logs of servers that have ended.

    Does nothing where the records cannot be read: a program's server needs none.
    """
    try:
        in_use = {record.log for record in running()}
    except InputError:
        return
    with suppress(OSError):  # another process may do the same now
        logs = sorted(log_folder().glob("*.log"), key=lambda path: path.stat().st_mtime)
        for path in logs[:-KEPT_LOGS]:
            if str(path) not in in_use:
                path.unlink()


def folder() -> Path:
    """Return the folder of the records."""
    return state_folder() / "servers"


def _files() -> list[Path]:
    try:
        return sorted(path for path in folder().iterdir() if path.suffix == ".json")
    except FileNotFoundError:
        return []
    except OSError as exc:
        raise InputError(
            f"expected to read the records of servers in {folder()}; got: {exc.strerror}. Set XDG_STATE_HOME to a "
            "folder of your own."
        ) from exc


def running() -> Iterator[Record]:
    """Yield all running servers; delete the records of those that have ended, and end those whose owner has died."""
    for path in _files():
        record = _read(path)
        if record is None or not record.server.is_running:
            _remove(path)
        elif not record.owner.is_running:
            end(record.server)
            _remove(path)
        else:
            yield record


def check_folder() -> None:
    """Check that records can be written.

    Raises:
        OutputError: They cannot.
    """
    probe = folder() / f".{os.getpid()}.probe"
    try:
        with writing(folder()):
            folder().mkdir(parents=True, exist_ok=True, mode=0o700)
        write_bytes(probe, bytes(PROBE_BYTES), private=True)
    except OutputError as exc:
        raise OutputError(
            f"a server in the background needs a record, or no command could find and stop it: {exc} On Linux, the "
            "environment variable XDG_STATE_HOME names another folder for it."
        ) from exc
    _remove(probe)


def _remove(path: Path) -> None:
    with suppress(OSError):  # the disk is read-only, or another process has removed it
        path.unlink(missing_ok=True)


def _read(path: Path) -> Record | None:
    with suppress(OSError, ValueError, TypeError, KeyError):
        known = json.loads(path.read_text(encoding="utf-8"))
        return Record(**known | {"server": Who(**known["server"]), "owner": Who(**known["owner"])})
    return None


def end(who: Who, seconds: float = STOP_S) -> bool:
    """Ask a process to end, and kill it after `seconds`; return whether it is gone. Another with its pid is safe."""
    try:
        process = psutil.Process(who.pid)
        if not who.is_running:
            return True
        process.terminate()
        if not wait_ended([process], seconds):
            process.kill()
        return wait_ended([process], seconds)
    except psutil.NoSuchProcess:
        return True
    except psutil.AccessDenied:
        return False
