"""A function run in a forked process, which must end in time."""

from __future__ import annotations

import os
import select
import signal
import warnings
from collections.abc import Callable

PATIENCE_S = 60.0


def in_fork(function: Callable[[], object]) -> str:
    """Return what `function` returns or raises in a forked process, as "value" or "Error: message", or "hung"."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # forking beside threads
        pid = os.fork()
    if pid == 0:
        try:
            said = str(function())
        except BaseException as exc:  # noqa: BLE001 - told to the parent
            said = f"{type(exc).__name__}: {exc}"
        os.write(writing, said.encode() or b" ")
        os._exit(0)
    os.close(writing)
    try:
        if not select.select([reading], [], [], PATIENCE_S)[0]:
            os.kill(pid, signal.SIGKILL)
            return "hung"
        return os.read(reading, 10_000).decode()
    finally:
        os.close(reading)
        os.waitpid(pid, 0)
