"""Ctrl-C while llama.cpp computes: its handler waits until llama.cpp has returned, and then runs.

Python runs the handler of a signal between any two instructions of the main thread. Within a callback that llama.cpp
calls, ctypes would print the KeyboardInterrupt and drop it; within the bookkeeping after a decode, it would leave a
sequence or a lock taken for ever.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable

    from youtu_gguf.types import ProgressFn


class Deferral:
    """Holds SIGINT's handler back within a `with` block, and runs it at the end of that if SIGINT has come.

    Does nothing in other threads than the main one, which alone handles signals, and where SIGINT is ignored or ends
    the process.
    """

    def __init__(self) -> None:
        self._handler: Callable[[int, Any], object] | None = None
        self._came = False

    def begin(self) -> None:
        """Hold the handler back from now on."""
        if threading.current_thread() is not threading.main_thread():
            return
        handler = signal.getsignal(signal.SIGINT)
        if callable(handler):
            self._came, self._handler = False, handler
            _active.append(self)
            signal.signal(signal.SIGINT, self._note)

    def end(self) -> None:
        """Give the handler back, and run it if SIGINT has come. Safe to call twice."""
        handler = self.restore()
        if handler is not None and self._came:
            self._came = False
            handler(signal.SIGINT, None)

    def restore(self) -> Callable[[int, Any], object] | None:
        """Give the handler back without running it; return it, or None if it is not held back."""
        handler, self._handler = self._handler, None
        if handler is not None:
            _active.remove(self)
            signal.signal(signal.SIGINT, handler)
        return handler

    def _note(self, _signal: int, _frame: object) -> None:
        self._came = True

    @contextmanager
    def lifted(self) -> Iterator[None]:
        """Let the handler run within a `with` block: first for what has come, then at any time."""
        held = self._handler is not None and threading.current_thread() is threading.main_thread()
        try:
            if held:
                self.end()
            yield
        finally:
            if held:
                self.begin()

    def lifting(self, progress: ProgressFn) -> ProgressFn:
        """Return `progress` with the handler free to run while it is called."""

        def report(stage: str, done: int, total: int) -> None:
            with self.lifted():
                progress(stage, done, total)

        return report

    def __enter__(self) -> Self:
        self.begin()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()


_active: list[Deferral] = []
"""Those that hold a handler back, the outermost first."""


@contextmanager
def open_to_interrupts() -> Iterator[None]:
    """Let Ctrl-C end what the main thread does within a `with` block, whatever holds its handler back."""
    held = _active.copy() if threading.current_thread() is threading.main_thread() else []
    try:
        for deferral in reversed(held):
            deferral.end()  # one within another hands the signal to that one
        yield
    finally:
        for deferral in held:
            deferral.begin()


def _restore_all() -> None:
    """Give a forked process its handler back: the thread that would have done so is not there."""
    for deferral in reversed(_active.copy()):
        deferral.restore()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_restore_all)
