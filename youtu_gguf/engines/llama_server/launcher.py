"""Starts a program so that it cannot outlive the process that asked for it. A script that `llama_server.process` runs.

    python launcher.py signal PARENT PROGRAM ...   becomes PROGRAM; the kernel kills it when PARENT dies (Linux)
    python launcher.py pipe PARENT PROGRAM ...     runs PROGRAM, ends it when stdin ends, which PARENT holds (elsewhere)

It imports nothing of this package: it starts in a bare interpreter, in a few milliseconds.
"""

import os
import signal
import subprocess
import sys
import threading
import time

PR_SET_PDEATHSIG = 1
"""Number of the request in Linux's prctl (linux/prctl.h)."""

PARENT_IS_GONE = 113
"""Exit code if the parent died before the program could start."""

GRACE_S = 1.0
"""How long the program may take to end when it is asked to, before it is killed."""


def become(parent: int, command: list[str]) -> None:
    """Become `command`, to be killed with the parent: the setting survives the change of program."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    if os.getppid() != parent:  # it died before that took effect
        sys.exit(PARENT_IS_GONE)
    os.execv(command[0], command)


def watch(command: list[str]) -> int:
    """Run `command` until it ends, or stdin does; pass on a request to end. Return its exit code."""
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    signal.signal(signal.SIGTERM, lambda number, _: child.send_signal(number))

    def end_with_stdin() -> None:
        while os.read(0, 1024):
            pass
        child.terminate()
        time.sleep(GRACE_S)
        child.kill()

    threading.Thread(target=end_with_stdin, daemon=True).start()
    return child.wait()


if __name__ == "__main__":
    way, parent, *command = sys.argv[1:]
    if way == "signal":
        become(int(parent), command)
    sys.exit(watch(command))
