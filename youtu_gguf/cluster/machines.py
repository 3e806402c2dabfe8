"""How many actors a machine has room for: by its processors, its memory, its GPUs, and their memory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, Self

from youtu_gguf.cluster.pool import Node, Pool, Size, gpu_actors, size_of
from youtu_gguf.errors import InputError
from youtu_gguf.weights.plan import COMFORT

if TYPE_CHECKING:
    from youtu_gguf.weights import Plan

ACTOR_BYTES = 150_000_000
"""An actor's own process, beside its child with the model: Python, Ray, pyarrow, and parts on their way. Measured: 70
MB of its own without parts (scripts/bench/cluster_memory.py)."""

LEAST_CPUS = 2
"""Processors of an actor where there are more. Actors of fewer threads lose nothing to waiting for each other, but each
takes memory, and a shard takes longer."""

NEARLY = 0.9
"""Share of the processors that count as all of them, where the choice is between actors of fewer and more threads."""

Limit = Literal["CPUs", "memory", "GPUs", "GPU memory"]
"""What limits the actors of a machine."""


@dataclass(frozen=True)
class Gpu:
    """A GPU as llama.cpp sees it; bytes of its memory, 0 where it does not tell."""

    name: str
    description: str
    free: int
    total: int


@dataclass(frozen=True)
class Needs:
    """What a model takes, in bytes.

    Attributes:
        shared: Files that are mapped: once on a machine, however many actors.
        private: Of each actor.
        gpu: On a GPU, with all layers, of each actor.
    """

    shared: int
    private: int
    gpu: int

    @classmethod
    def of(cls, plan: Plan) -> Self:
        """Return what a plan says of a model."""
        memory = plan.wanted.memory
        return cls(plan.wanted.shared, memory.total - plan.wanted.shared + ACTOR_BYTES, plan.gpu_memory)


@dataclass(frozen=True)
class Fit:
    """How many actors there is room for, and what limits them."""

    actors: int
    limit: Limit


@dataclass(frozen=True)
class Machine(Node):
    """A machine of a cluster, as it sees itself.

    Attributes:
        cores: Processors that a process may use there; Ray may count others.
        free: Bytes of memory that are free; a container's limit counts.
        total: Bytes of memory in all.
        devices: GPUs.
        needs: What the model takes; None where that is not known.
        problem: Why no actor can work there; "" if nothing is known against it.
    """

    cores: int = 0
    free: int = 0
    total: int = 0
    devices: tuple[Gpu, ...] = ()
    needs: Needs | None = field(default=None, repr=False)
    problem: str = ""

    def fit(self, cpus: int, gpus: float) -> Fit:
        """Return how many actors of a size it has room for."""
        fits = [Fit(math.floor(min(self.cpus, self.cores) / cpus), "CPUs")]
        if self.needs is not None:
            fits.append(
                Fit(max(0, math.floor((COMFORT * self.free - self.needs.shared) / self.needs.private)), "memory")
            )
        if gpus:
            fits.append(Fit(gpu_actors(min(self.gpus, len(self.devices)), gpus), "GPUs"))
            if self.needs is not None and all(device.total for device in self.devices):
                fits.append(Fit(self._by_gpu_memory(gpus, self.needs.gpu), "GPU memory"))
        return min(fits, key=lambda fit: fit.actors)

    def room(self, cpus: int, gpus: float) -> int:
        """Return how many actors of a size it has room for; none where there is a problem."""
        return 0 if self.problem else self.fit(cpus, gpus).actors

    def _by_gpu_memory(self, gpus: float, needed: int) -> int:
        if gpus > 1:  # the layers are spread over several
            free = sorted((device.free for device in self.devices), reverse=True)
            whole = int(gpus)
            return sum(COMFORT * sum(free[i : i + whole]) >= needed for i in range(0, len(free) - whole + 1, whole))
        most = math.floor(1 / gpus + 1e-9)
        return sum(min(most, math.floor(COMFORT * device.free / needed)) for device in self.devices)


def recommended(machines: Sequence[Machine], pool: Pool) -> Size:
    """Return the actors that make the most of machines, as far as `pool` leaves that open.

    On processors alone they have as few threads each as memory allows, and `LEAST_CPUS` at least; with GPUs, the
    processors of a machine are shared out.

    Raises:
        InputError: There is no room for any.
    """
    if pool.cpus_per_actor is not None or pool.gpus_per_actor:
        return size_of(pool, machines)
    sizes = []
    for cpus in range(1, _most_cpus(machines) + 1):
        try:
            sizes.append(size_of(replace(pool, cpus_per_actor=cpus), machines))
        except InputError:  # such actors do not fit
            continue
    if not sizes:
        return size_of(pool, machines)
    used = [min(size.most, _room(machines, size)) * size.cpus for size in sizes]
    good = [size for size, cpus in zip(sizes, used, strict=True) if cpus >= NEARLY * max(used)]
    return next((size for size in good if size.cpus >= LEAST_CPUS), good[-1])


def _most_cpus(machines: Sequence[Machine]) -> int:
    return max((math.floor(machine.cpus) for machine in machines), default=0)


def _room(machines: Sequence[Machine], size: Size) -> int:
    return sum(machine.room(size.cpus, size.gpus) for machine in machines)
