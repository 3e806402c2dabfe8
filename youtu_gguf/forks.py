"""What becomes of objects in a forked process: they are copied, and the threads that worked on them are not."""

from __future__ import annotations

import os
import threading
from weakref import WeakKeyDictionary

from youtu_gguf.errors import EngineError


class Owner:
    """The process that made something which does not work in a process forked from it.

    Args:
        what: Names the thing at the beginning of a message.
    """

    def __init__(self, what: str) -> None:
        self._what, self._pid = what, os.getpid()

    @property
    def is_here(self) -> bool:
        """Whether this is that process."""
        return os.getpid() == self._pid

    def check(self) -> None:
        """Check that this is that process.

        Raises:
            EngineError: It was forked from it.
        """
        if not self.is_here:
            raise EngineError(
                f"{self._what} belongs to process {self._pid}; this process was forked from that one, without its "
                "threads. Load the model in the child, and start the child before any model is loaded, or with "
                'multiprocessing\'s "spawn" or "forkserver".'
            )


def forkable_lock(owner: object, name: str) -> threading.Lock:
    """Return a lock for the attribute `name` of `owner`; in a forked process `owner` gets a new one.

    The old one may be held by a thread that does not exist there.
    """
    _names[owner] = name
    return threading.Lock()


_names: WeakKeyDictionary[object, str] = WeakKeyDictionary()


def _renew_locks() -> None:
    for owner, name in list(_names.items()):
        setattr(owner, name, threading.Lock())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_locks)
