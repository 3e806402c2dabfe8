"""Connects this process to a Ray: one of its own, the one that runs here, or a cluster's."""

from __future__ import annotations

import logging
import re
import shutil
import signal
import socket
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from youtu_gguf.cluster.pool import FREE_CPUS, Node
from youtu_gguf.environment import ray_environment, ray_folder
from youtu_gguf.errors import EngineError, InputError
from youtu_gguf.machine import usable_cores

STORE_BYTES = 512 << 20
"""Object store of a Ray of our own: it holds names of images, 10 KB for a shard. Ray would take 30 % of the memory."""

ANSWER_S = 5.0
"""How long a Ray may take to accept a connection."""

TOKEN = (
    "Give this user the cluster's token: in ~/.ray/auth_token, or in a file that $RAY_AUTH_TOKEN_PATH names, with "
    "RAY_AUTH_MODE=token"
)


def required_ray() -> Any:
    """Return the module `ray`, with `ray.data` imported.

    Raises:
        InputError: It is not installed.
    """
    try:
        import ray
        import ray.data
    except ImportError as exc:
        raise InputError(
            f'a run on a cluster needs Ray, and it is missing ({exc}). Install it: pip install "youtu_gguf[ray]".'
        ) from exc
    return ray


@contextmanager
def connected(cluster: str) -> Iterator[None]:
    """Connect to a Ray in a `with` block: see `Pool.cluster`. A connection that this process has already stays open.

    Raises:
        InputError: Ray is missing, or there is no such cluster.
        EngineError: It cannot be started, or refuses this process.
    """
    ray = required_ray()
    with ray_environment(own=cluster == "local"), _quiet(), ExitStack() as undo:
        if ray.is_initialized():
            if cluster != "auto":
                raise InputError(
                    f'this process is connected to a Ray already; got cluster="{cluster}". Use cluster="auto", or call '
                    "ray.shutdown() first."
                )
        else:
            if cluster == "auto":
                check_answers()
            undo.callback(_forget_token)
            options = _own_ray(undo) if cluster == "local" else {}
            undo.callback(ray.shutdown)
            with _signals_kept():  # Ray ends a process in its own way at SIGTERM
                _init(ray, cluster, options)
        yield


def check_answers() -> None:
    """Refuse a Ray at which nothing answers: Ray 2.60 would try for minutes.

    The address is that of `RAY_ADDRESS`, or what the last `ray start` on this machine has left in Ray's folder.

    Raises:
        InputError: Nothing answers there.
    """
    address: str | None = None
    with suppress(
        ImportError, AttributeError, ConnectionError, ValueError
    ):  # a name of Ray's own; `init` then says why
        from ray._private.services import canonicalize_bootstrap_address

        address = canonicalize_bootstrap_address("auto")
    host, _, port = (address or "").rpartition(":")
    if not host or not port.isdigit():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), ANSWER_S).close()
    except OSError as exc:
        raise InputError(
            f"expected a Ray at {address}, which RAY_ADDRESS or an earlier `ray start` names; got: {exc}. Start one "
            "(ray start --head), unset RAY_ADDRESS, or use the cluster local."
        ) from exc


def is_elsewhere() -> bool:
    """Return whether this process is a client of a cluster, and no part of it. Ray Data does not work in clients."""
    from ray.util.client import ray as client

    return bool(client.is_connected())


def nodes_of_cluster() -> list[Node]:
    """Return the machines of the cluster that this process is connected to, with what they have for actors."""
    import ray

    alive = sorted((node for node in ray.nodes() if node["Alive"]), key=lambda node: str(node["NodeName"]))
    return [
        Node(
            node["NodeManagerHostname"] or node["NodeManagerAddress"],
            node["Resources"].get("CPU", 0.0),
            node["Resources"].get("GPU", 0.0),
            node["NodeID"],
        )
        for node in alive
    ]


def _own_ray(undo: ExitStack) -> dict[str, Any]:
    """Return how a Ray of our own is started. Its folder goes with it."""
    folder = tempfile.mkdtemp(prefix="ray-", dir=ray_folder())
    undo.callback(shutil.rmtree, folder, ignore_errors=True)
    return {
        "num_cpus": usable_cores() + FREE_CPUS,
        "include_dashboard": False,
        "object_store_memory": STORE_BYTES,
        "_temp_dir": folder,
    }


def _init(ray: Any, cluster: str, options: dict[str, Any]) -> None:
    from ray.exceptions import AuthenticationError

    quiet = {"log_to_driver": False, "logging_level": "error"}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a connection that fails: the error says it too
            ray.init(address=cluster, **quiet, **options)
    except AuthenticationError as exc:
        raise EngineError(f"the cluster {cluster} refuses this process: {_in_short(exc)}. {TOKEN}.") from exc
    except (ConnectionError, RuntimeError, OSError, ValueError, TimeoutError) as exc:
        raise _refusal(cluster, exc) from exc


def _refusal(cluster: str, exc: Exception) -> EngineError | InputError:
    text = str(exc)
    if re.search("auth", text, re.IGNORECASE) and "token" in text.lower():
        return EngineError(f"the cluster {cluster} refuses this process: its token is missing or wrong. {TOKEN}.")
    if "ersion mismatch" in text:
        return EngineError(f"the cluster {cluster} has other versions: {_in_short(exc)}. Install the same here.")
    if cluster == "auto" and isinstance(exc, ConnectionError):
        return InputError(
            f"expected a Ray that runs on this machine; got: {_in_short(exc)}. Start one (ray start --head), or use "
            f"the cluster local. If one runs, it may refuse this process: {TOKEN[0].lower()}{TOKEN[1:]}."
        )
    remedy = "Check its logs." if cluster == "local" else f"Check the address, and that the cluster runs. {TOKEN}."
    return EngineError(f"Ray cannot be used ({cluster}): {_in_short(exc)}. {remedy}")


def _in_short(exc: Exception) -> str:
    return " ".join(str(exc).split())[:300].rstrip(". ") or type(exc).__name__


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
