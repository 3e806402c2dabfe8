"""A Ray cluster of several nodes on this machine, in processes that end with the one that wanted them.

`RayNodes` is this side. The other is a process of its own (`host`), which Ray's nodes belong to: what Ray leaves open
in a process is then not open here, and nodes can be killed as machines die, all their processes at once.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

MARK = "YOUTU_GGUF_RAY_NODES"
"""A variable that every process of a cluster inherits, however it is started and whoever it belongs to by then."""

STOP_S = 10.0
START_S = 120.0


def processes_with(name: str, value: str) -> Iterator[psutil.Process]:
    """Yield the other processes that have a variable of the environment."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and process.environ().get(name) == value:
                yield process


def end_all(processes: Sequence[psutil.Process]) -> None:
    """Kill processes and wait until they are gone."""
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(processes, STOP_S)


class RayNodes:
    """A cluster. A context manager; afterwards no process and no folder of it is left.

    Args:
        cpus: Processors of each node, the head first.
        env: Variables of the environment of everything in it, besides those of this process.

    Attributes:
        address: What `ray.init(address=...)` takes.
        env: The environment of everything in it; give it to programs that use it too.
        raylets: The process that a node stands and falls with, head first.
    """

    def __init__(self, cpus: Sequence[int] = (1, 1, 1), env: Mapping[str, str] | None = None) -> None:
        self.mark = uuid.uuid4().hex
        root = Path(__file__).resolve().parents[2]
        path = os.pathsep.join(filter(None, (str(root), os.environ.get("PYTHONPATH"))))
        quiet = {"RAY_USAGE_STATS_ENABLED": "0", "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"}
        self._folder = tempfile.mkdtemp(prefix="rn-", dir="/tmp")  # a socket's path has 107 characters at most
        quiet["RAY_TMPDIR"] = self._folder  # the default also says there which Ray runs on this machine
        self.env = {**os.environ, **quiet, **(env or {}), MARK: self.mark}
        self.env.pop("RAY_ADDRESS", None)
        self._host = subprocess.Popen(
            [sys.executable, __file__, self._folder, *map(str, cpus)],
            env=self.env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C reaches this process, which then ends the cluster
        )
        try:
            reply = self._reply()
        except BaseException:
            self.close()
            raise
        self.address: str = reply["address"]
        self.raylets = [psutil.Process(pid) for pid in reply["raylets"]]
        self.env["RAY_ADDRESS"] = self.address

    def _reply(self) -> dict[str, Any]:
        assert self._host.stdout is not None
        for line in self._host.stdout:
            with contextlib.suppress(ValueError):
                reply = json.loads(line)
                if isinstance(reply, dict):
                    return reply
        raise RuntimeError(f"the host of Ray's nodes ended with exit code {self._host.wait()}")

    def add(self, cpus: int) -> None:
        """Add a node."""
        assert self._host.stdin is not None
        self._host.stdin.write(f"{cpus}\n".encode())
        self._host.stdin.flush()
        self.raylets.append(psutil.Process(self._reply()["raylet"]))

    def kill(self, index: int) -> int:
        """Kill every process of a node, as a power cut does; return how many actors with a model it had."""
        raylet = self.raylets.pop(index)
        processes = [raylet, *raylet.children(recursive=True)]
        n_actors = len({actor.pid for actor in self.actors()} & {process.pid for process in processes})
        end_all(processes)
        return n_actors

    def processes(self) -> list[psutil.Process]:
        """Return everything that runs because of the cluster, programs with its environment included."""
        return list(processes_with(MARK, self.mark))

    def actors(self) -> list[psutil.Process]:
        """Return the actors that have a model in a child."""
        parents = set()
        for child in self.children():
            with contextlib.suppress(psutil.Error):
                parents.add(child.parent())
        return [parent for parent in parents if parent is not None and parent.name().startswith("ray::")]

    def children(self) -> list[psutil.Process]:
        """Return the processes that have a model."""
        found = []
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                if any("youtu_gguf.batch.desk" in word for word in process.cmdline()):
                    found.append(process)
        return found

    def close(self) -> None:
        """End the cluster, and whatever still has its environment. Safe to call twice."""
        assert self._host.stdin is not None and self._host.stdout is not None
        with contextlib.suppress(OSError):
            self._host.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._host.wait(STOP_S)
        end_all(self.processes())
        self._host.wait()
        self._host.stdout.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def wait_until(condition: Any, what: str, seconds: float = START_S, pause_s: float = 0.02) -> Any:
    """Return the first true value of a function.

    Raises:
        TimeoutError: There was none in time.
    """
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:.0f} s in vain for {what}")
        time.sleep(pause_s)
    return value


def host(folder: str, cpus: Sequence[int]) -> None:
    """Hold the nodes until stdin ends; a number in it adds a node with as many processors."""
    import logging

    from ray.cluster_utils import Cluster

    logging.getLogger("ray").setLevel(logging.ERROR)
    (Path(folder) / "ray").mkdir()
    head = {"num_cpus": cpus[0], "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    nodes = [cluster.head_node, *(cluster.add_node(num_cpus=n) for n in cpus[1:])]
    print(json.dumps({"address": cluster.address, "raylets": [_raylet(node) for node in nodes]}), flush=True)
    for line in sys.stdin:
        print(json.dumps({"raylet": _raylet(cluster.add_node(num_cpus=int(line)))}), flush=True)
    cluster.shutdown()
    shutil.rmtree(folder, ignore_errors=True)  # the other side may have been killed


def _raylet(node: Any) -> int:
    return int(node.all_processes["raylet"][0].process.pid)


if __name__ == "__main__":
    host(sys.argv[1], [int(word) for word in sys.argv[2:]])
