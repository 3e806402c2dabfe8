"""Lock files: one process, or thread, at a time may do the work."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def locked(lock: Path, busy: Callable[[], object], wait_s: float = 0.0) -> Iterator[None]:
    """Hold the file `lock` while this lasts; the system releases it if this process dies. It is removed afterwards.

    Args:
        lock: A file for this purpose only, in a folder that exists.
        busy: Called if another holder has it after `wait_s`: raises, or returns to wait for as long as it takes.
        wait_s: Longest wait before `busy` is called.

    Raises:
        OSError: The file cannot be written.
    """
    from filelock import FileLock, Timeout

    held = FileLock(lock)
    try:
        held.acquire(timeout=wait_s)
    except Timeout:
        busy()
        held.acquire()
    try:
        yield
    finally:
        with suppress(OSError):  # Windows does not remove a file that is open
            lock.unlink()  # while it is held: another that waits for it notices, and makes a new one
        held.release()
