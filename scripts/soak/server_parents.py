#!/usr/bin/env python3
"""Python processes that die in various ways while they use a llama-server: the server must end with them.

    python scripts/soak/server_parents.py --times 10

A server must end within two seconds after the process that started it; the server of another process must keep running.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import textwrap
import time
from contextlib import suppress
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from scripts._arguments import count

LIMIT_S = 2.0
START = """
import os, sys, time, multiprocessing
import youtu_gguf as yg
from youtu_gguf.config import make_settings
from youtu_gguf.engines.llama_server.supervisor import Supervisor
from youtu_gguf.engines.llama_server.engine import program
from youtu_gguf.gguf.pair import check_pair

def start():
    settings = make_settings(n_ctx=2048, threads=1)
    supervisor = Supervisor(
        program(check_pair(*yg.weights.find("nano")), settings), settings.server, binding={binding!r}
    )
    print(supervisor.wait_ready().url, flush=True)
    return supervisor

def die():
    sys.stdin.readline()
    {death}
"""
PARENT = (
    START
    + """
supervisor = start()
die()
"""
)
WORKER = (
    START
    + """
def work():
    sys.stdin = open(0)
    supervisor = start()
    die()

if __name__ == "__main__":
    worker = multiprocessing.get_context("fork").Process(target=work)
    worker.start()
    worker.join()
    time.sleep(60)  # the parent lives on
"""
)
FORKED = (
    START
    + """
supervisor = start()
if os.fork() == 0:  # a worker that lives on, with all handles that it has inherited
    time.sleep(60)
die()
"""
)
DEATHS = {
    "SIGKILL": (PARENT, "os.kill(os.getpid(), 9)"),
    "exception": (PARENT, "raise RuntimeError('nobody catches this')"),
    "os._exit": (PARENT, "os._exit(3)"),
    "end of the program": (PARENT, "sys.exit()"),
    "end of a program that does not close it": (PARENT.replace("supervisor = start()", "start()"), "sys.exit()"),
    "SIGKILL of a forked worker": (WORKER, "os.kill(os.getpid(), 9)"),
    "os._exit of a forked worker": (WORKER, "os._exit(3)"),
    "SIGKILL while a forked worker lives on": (FORKED, "os.kill(os.getpid(), 9)"),
}


class Parent:
    """A Python process that has started a llama-server."""

    def __init__(self, program: str, death: str, binding: str) -> None:
        code = textwrap.dedent(program).format(death=death, binding=binding)
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", code],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()
        below = psutil.Process(self.process.pid).children(recursive=True)
        self.servers = [child for child in below if "llama-server" in child.name()]

    def die(self) -> float:
        """Let the process die; return the seconds until its servers end, infinity if they do not."""
        assert self.process.stdin is not None
        self.process.stdin.write("now\n")
        self.process.stdin.flush()
        started = time.monotonic()
        while any(_is_alive(server) for server in self.servers):
            if time.monotonic() - started > 5 * LIMIT_S:
                return float("inf")
            time.sleep(0.005)
        return time.monotonic() - started

    def end(self) -> None:
        """Kill what is left of the process group."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()


def _is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def check(death: str, binding: str) -> tuple[float, str]:
    """Let one of two parents die; return the seconds until its server ends, and what is wrong, or ""."""
    neighbour, parent = Parent(PARENT, "sys.exit()", binding), Parent(*DEATHS[death], binding)
    try:
        if len(parent.servers) != 1 or len(neighbour.servers) != 1:
            return 0.0, f"expected one server each; got {len(parent.servers)} and {len(neighbour.servers)}"
        seconds = parent.die()
        if not _is_alive(neighbour.servers[0]):
            return seconds, "the neighbour's server is gone too"
        return seconds, "" if seconds <= LIMIT_S else f"its server was gone after {seconds:.1f} s"
    finally:
        parent.end()
        neighbour.end()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=count, default=10)
    args = parser.parse_args()
    failed = False
    for binding in ("signal", "pipe") if sys.platform == "linux" else ("pipe",):
        for death in DEATHS:
            outcomes = [check(death, binding) for _ in range(args.times)]
            wrong = [what for _, what in outcomes if what]
            print(
                f"{binding:6}  {death:40} {len(outcomes) - len(wrong)} of {len(outcomes)}, "
                f"gone after {max(seconds for seconds, _ in outcomes):.2f} s at most  {'; '.join(wrong)}",
                flush=True,
            )
            failed |= bool(wrong)
    sys.exit(failed)


if __name__ == "__main__":
    main()
