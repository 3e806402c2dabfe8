"""Connects this process to a Ray: one of its own, the one that runs here, or a cluster's."""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from youtu_gguf.cluster.pool import FREE_CPUS, Node
from youtu_gguf.environment import ray_environment
from youtu_gguf.errors import EngineError, InputError
from youtu_gguf.machine import usable_cores

INSTALL = 'pip install "youtu_gguf[ray]"'

STORE_BYTES = 512 << 20
"""Object store of a Ray of our own. It holds names of images, some 10 KB for a shard; Ray would take 30 % of memory."""


def required_ray() -> Any:
    """Return the module `ray`, with `ray.data` imported.

    Raises:
        InputError: It is not installed.
    """
    try:
        import ray
        import ray.data
    except ImportError as exc:
        raise InputError(f"a run on a cluster needs Ray, which is missing: {exc}. Install it: {INSTALL}.") from exc
    return ray


@contextmanager
def connected(cluster: str) -> Iterator[None]:
    """Connect to a Ray in a `with` block: see `Pool.cluster`. One that was connected before stays so.

    Raises:
        InputError: Ray is missing, or there is no such cluster.
        EngineError: It cannot be started, or refuses this process.
    """
    ray = required_ray()
    with ray_environment(own=cluster == "local"), _quiet(), _signals_kept():
        if ray.is_initialized():
            if cluster != "auto":
                raise InputError(
                    f'this process is connected to a Ray already; got cluster="{cluster}". Use cluster="auto", or call '
                    "ray.shutdown() first."
                )
            yield
            return
        try:
            with _signals_kept():  # Ray ends the process in its own way at SIGTERM
                _init(ray, cluster)
            yield
        finally:
            ray.shutdown()
            _forget_token()


def nodes_of_cluster() -> list[Node]:
    """Return the machines of the cluster that this process is connected to, with what they have for actors."""
    import ray

    alive = [node for node in ray.nodes() if node["Alive"]]
    return [
        Node(
            node["NodeManagerHostname"] or node["NodeManagerAddress"],
            node["Resources"].get("CPU", 0.0),
            node["Resources"].get("GPU", 0.0),
        )
        for node in sorted(alive, key=lambda node: (node["NodeManagerHostname"], node["NodeID"]))
    ]


def _init(ray: Any, cluster: str) -> None:
    quiet = {"log_to_driver": False, "logging_level": "error"}
    if cluster == "local":
        more: dict[str, Any] = {
            "num_cpus": usable_cores() + FREE_CPUS,
            "include_dashboard": False,
            "object_store_memory": STORE_BYTES,
        }
    else:
        more = {}
    try:
        ray.init(address=cluster, **quiet, **more)
    except ConnectionError as exc:
        if cluster == "auto":
            raise InputError(
                "expected a Ray that runs on this machine; found none. Start it (`ray start --head`), or use the "
                "cluster local."
            ) from exc
        raise EngineError(f"the cluster {cluster} cannot be reached: {exc}. Check the address.") from exc
    except (RuntimeError, OSError, ValueError) as exc:
        raise EngineError(f"Ray cannot be used at {cluster}: {exc}.") from exc


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what Ray logs off the terminal; its own log files have it."""
    loggers = [logging.getLogger("ray"), logging.getLogger("ray.data")]
    handlers = [handler for log in loggers for handler in log.handlers if type(handler).__name__ == "PlainRayHandler"]
    before = [(handler, handler.level) for handler in handlers]
    for handler in handlers:
        handler.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for handler, level in before:
            handler.setLevel(level)


def _forget_token() -> None:
    """Let the next connection of this process read its token again; Ray's core keeps the first one."""
    with suppress(ImportError, AttributeError):  # names of Ray's own, which it may change
        from ray import _raylet

        core: Any = _raylet
        core.AuthenticationTokenLoader.instance().reset_cache()
        core.Config.initialize("")


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Put back how this process ends at SIGTERM, which a `with` block may change."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        with suppress(ValueError):  # another thread than the main one, where Ray changes nothing
            signal.signal(signal.SIGTERM, before)
