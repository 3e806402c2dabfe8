"""What a run takes of a cluster: how many actors, of what size, and whether the cluster has room for them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from youtu_gguf.arguments import LARGEST, apply_rules, as_float, as_int, short_repr, whole
from youtu_gguf.batch.shards import SHARD_SIZE
from youtu_gguf.errors import InputError

FREE_CPUS = 1
"""Processors of a cluster that stay free for Ray's own tasks, wherever they are."""

MOST_IMAGES = 10_000
"""In a shard. One part holds its results, and an actor that dies does up to two shards again."""

MOST_ACTORS = 100_000

SHOWN = 8
"""Machines that a message names."""


def _actors(_name: str, value: Any) -> tuple[int, int]:
    """Return the least and the most number of actors; a number alone is both."""
    match value:
        case [first, last]:
            least, most = as_int(first), as_int(last)
        case _:
            least = most = as_int(value)
    if least is None or most is None or not 1 <= least <= most <= MOST_ACTORS:
        raise InputError(
            f"expected a number of actors of at least 1, or the least and the most, as 2:8; got {short_repr(value)}."
        )
    return least, most


def _gpus(_name: str, value: Any) -> float:
    """Return a number of GPUs that Ray can give to an actor: a part of one, or whole ones."""
    gpus = as_float(value)
    if gpus is None or not 0 <= gpus <= LARGEST or (gpus > 1 and gpus != int(gpus)):
        raise InputError(
            f"expected GPUs for each actor: 0, a part of one such as 0.5, or a whole number; got {short_repr(value)}."
        )
    return gpus


@dataclass(frozen=True)
class Pool:
    """What a run takes of a cluster. Numbers are checked here, and against the cluster when the run begins.

    Attributes:
        cluster: "local", a Ray of this run on this machine; "auto", the Ray that this process or this machine is part
            of; or `ray://HOST:PORT`, the Ray client server of a cluster.
        actors: How many, or the least and the most. Each holds a model. By default as many as there is room for.
        cpus_per_actor: Processors of each, which are its threads too. By default an actor takes those of a machine.
        gpus_per_actor: GPUs of each; a part of one, such as 0.5, where several share it.
        shard_size: Images that are done and written together.

    Raises:
        InputError: A value is invalid.
    """

    cluster: str = "local"
    actors: Annotated[int | tuple[int, int] | None, _actors] = None
    cpus_per_actor: Annotated[int | None, whole(1)] = None
    gpus_per_actor: Annotated[float, _gpus] = 0.0
    shard_size: Annotated[int, whole(1, MOST_IMAGES)] = SHARD_SIZE

    def __post_init__(self) -> None:
        if self.cluster not in ("local", "auto") and not str(self.cluster).startswith("ray://"):
            raise InputError(f"expected a cluster, local, auto or ray://HOST:PORT; got {short_repr(self.cluster)}.")
        apply_rules(self)


@dataclass(frozen=True)
class Node:
    """A machine of a cluster, as Ray counts it.

    Attributes:
        name: Its host's name or address.
        cpus: Processors.
        gpus: GPUs.
        id: Ray's name for it.
    """

    name: str
    cpus: float
    gpus: float = 0.0
    id: str = ""

    def room(self, cpus: int, gpus: float) -> int:
        """Return how many actors of a size it has room for."""
        by_cpus = math.floor(self.cpus / cpus)
        return min(by_cpus, gpu_actors(self.gpus, gpus)) if gpus else by_cpus

    def __str__(self) -> str:
        gpus = f", {self.gpus:g} GPUs" if self.gpus else ""
        return f"{self.name}: {self.cpus:g} CPUs{gpus}"


@dataclass(frozen=True)
class Size:
    """The actors of a run: the least and the most of them, and what each takes."""

    least: int
    most: int
    cpus: int
    gpus: float


def size_of(pool: Pool, nodes: Sequence[Node]) -> Size:
    """Return the actors that a run has on a cluster.

    The most may be more than there is room for: a cluster may grow while it runs.

    Raises:
        InputError: There is no room for them.
    """
    gpus = pool.gpus_per_actor
    cpus = pool.cpus_per_actor or _usual_cpus(nodes, gpus)
    more = len(nodes) - SHOWN
    there = "; ".join(map(str, nodes[:SHOWN])) + (f"; and {more} more" if more > 0 else "")
    room = sum(node.room(cpus, gpus) for node in nodes)
    size = f"{cpus} CPUs" + (f" and {gpus:g} GPUs" if gpus else "")
    if not room:
        raise InputError(
            f"expected a machine with room for an actor of {size}; the cluster has {there}. Lower --cpus-per-actor or "
            "--gpus-per-actor."
        )
    total = math.floor(sum(node.cpus for node in nodes))
    most = min(room, (total - FREE_CPUS) // cpus)
    if most < 1:
        raise InputError(
            f"an actor of {size} would take every CPU of the cluster ({there}), and Ray needs {FREE_CPUS} for itself. "
            f"Use --cpus-per-actor {total - FREE_CPUS}."
            if total > FREE_CPUS
            else f"expected a cluster of at least {FREE_CPUS + 1} CPUs, of which Ray needs {FREE_CPUS} for itself; it "
            f"has {there}."
        )
    if pool.actors is None:
        return Size(most, most, cpus, gpus)
    least, wanted = _actors("actors", pool.actors)
    if least > most:
        why = f"would take every CPU, and Ray needs {FREE_CPUS} for itself" if least <= room else "do not fit"
        raise InputError(f"{least} actors of {size} {why}; the cluster has {there}. Use --actors {most}.")
    return Size(least, wanted, cpus, gpus)


def _usual_cpus(nodes: Sequence[Node], gpus: float) -> int:
    """Return the processors of an actor: those of most machines, shared by the actors that the GPUs there allow.

    One stays free on each. All actors are alike, since maps depend on the number of threads.
    """
    able = [node for node in nodes if node.cpus >= 1 and (not gpus or node.gpus >= gpus)]
    if not able:
        return 1
    shares = Counter(
        max(1, int((node.cpus - FREE_CPUS) // (gpu_actors(node.gpus, gpus) if gpus else 1))) for node in able
    )
    most = max(shares.values())
    return min(share for share, n in shares.items() if n == most)


def gpu_actors(there: float, gpus: float) -> int:
    """Return how many actors GPUs allow. A part of a GPU is always a part of one and the same."""
    return math.floor(there) * math.floor(1 / gpus + 1e-9) if gpus < 1 else math.floor(there / gpus)
