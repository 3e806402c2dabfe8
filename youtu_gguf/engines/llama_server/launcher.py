"""Starts a program so that it cannot outlive who asked for it. Run as a script, by `llama_server.process` only.

    python _launch.py signal PARENT PROGRAM ...   becomes PROGRAM; the kernel kills it when PARENT dies (Linux)
    python _launch.py pipe PARENT PROGRAM ...     runs PROGRAM, kills it when stdin ends, which PARENT holds (macOS)

It imports nothing of ours: it starts in a bare interpreter, in a few milliseconds.
"""

import os
import signal
import subprocess
import sys
import threading

PR_SET_PDEATHSIG = 1
"""Number of the request in Linux's prctl (linux/prctl.h)."""

PARENT_IS_GONE = 113
"""Exit code where there was nobody left to work for."""


def become(parent: int, command: list[str]) -> None:
    """Become `command`, to be killed with the parent: the setting survives the change of program."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    if os.getppid() != parent:  # it died before the kernel knew
        sys.exit(PARENT_IS_GONE)
    os.execv(command[0], command)


def watch(command: list[str]) -> int:
    """Run `command` until it ends, or stdin does; pass on what would end us. Return its exit code."""
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    signal.signal(signal.SIGTERM, lambda number, _: child.send_signal(number))

    def kill_at_end() -> None:
        while os.read(0, 1024):
            pass
        child.kill()

    threading.Thread(target=kill_at_end, daemon=True).start()
    return child.wait()


if __name__ == "__main__":
    way, parent, *command = sys.argv[1:]
    if way == "signal":
        become(int(parent), command)
    sys.exit(watch(command))
