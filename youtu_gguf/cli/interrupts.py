"""Ctrl-C on the command line: exit code 130, "interrupted" and no traceback, from our first instruction to our last.

Imports nothing large: it must be in force before anything else is imported.
"""

from __future__ import annotations

import _thread
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

INTERRUPTED = 130
"""The shell's exit code for Ctrl-C."""

AGAIN_S = 0.02
"""When Ctrl-C is raised again that came within a callback, where Python drops exceptions."""


class _State:
    came = False


def leave_at_once() -> None:
    """Let Ctrl-C end the process where nothing has to be cleaned up: while modules are imported, and at exit."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else the shell or our caller has other plans
        signal.signal(signal.SIGINT, _leave)


def handled() -> None:
    """Note that Ctrl-C was dealt with: the command goes on, or ends as it wants."""
    _State.came = False


@contextmanager
def raising() -> Iterator[None]:
    """Let Ctrl-C raise `KeyboardInterrupt` within the block, so that everything is cleaned up.

    Raises:
        KeyboardInterrupt: At the end, if Ctrl-C has come, also where another library has turned it into an error.
    """
    before = signal.getsignal(signal.SIGINT)
    if before not in (_leave, signal.default_int_handler) or threading.current_thread() is not threading.main_thread():
        yield
        return
    hook = sys.unraisablehook
    _State.came = False
    try:
        sys.unraisablehook = _raise_again
        signal.signal(signal.SIGINT, _interrupt)
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        sys.unraisablehook = hook
        if _State.came:
            raise KeyboardInterrupt


def _leave(_signal: int, _frame: object) -> None:
    os.write(2, b"interrupted\n")
    os._exit(INTERRUPTED)


def _interrupt(_signal: int, _frame: object) -> None:
    _State.came = True
    raise KeyboardInterrupt


def _press() -> None:
    main = threading.main_thread().ident
    if hasattr(signal, "pthread_kill") and main is not None:
        signal.pthread_kill(main, signal.SIGINT)  # also ends what the main thread waits for
    else:
        _thread.interrupt_main()


def _raise_again(unraisable: sys.UnraisableHookArgs) -> None:
    """Raise Ctrl-C a little later, if it came where Python can only report an exception, such as in a destructor."""
    if not issubclass(unraisable.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(unraisable)
        return
    timer = threading.Timer(AGAIN_S, _press)
    timer.daemon = True
    timer.start()
