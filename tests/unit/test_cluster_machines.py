"""How many actors machines have room for: hand-made machines, sizes in round numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

import youtu_gguf as yg
from youtu_gguf.cluster.machines import COMFORT, Fit, Gpu, Machine, Needs, recommended
from youtu_gguf.cluster.pool import Pool, size_of

GB = 1_000_000_000
NEEDS = Needs(shared=6 * GB, private=2 * GB, gpu=8 * GB)


def machine(cpus: int = 16, gb: float = 1000.0, gpus: Sequence[float] = (), **others: Any) -> Machine:
    """Return a machine with comfortably free memory of `gb`, and of `gpus` GB on its GPUs."""
    free = round(gb * GB / COMFORT)
    devices = tuple(Gpu(f"CUDA{n}", "a GPU", round(each * GB / COMFORT), 100 * GB) for n, each in enumerate(gpus))
    made = Machine("m", cpus, len(gpus), "id", cpus, free, 2 * free, devices, NEEDS)
    return replace(made, **others)


@pytest.mark.parametrize(
    ("there", "cpus", "gpus", "fit"),
    [
        (machine(16), 4, 0, Fit(4, "CPUs")),
        (machine(15), 4, 0, Fit(3, "CPUs")),
        (machine(3), 4, 0, Fit(0, "CPUs")),
        (machine(16, cores=8), 4, 0, Fit(2, "CPUs")),  # a container's quota, of which Ray knows nothing
        (machine(8, cores=16), 4, 0, Fit(2, "CPUs")),  # what Ray was told to use
        (machine(16, gb=11), 4, 0, Fit(2, "memory")),  # 6 shared, and twice 2
        (machine(16, gb=7.9), 4, 0, Fit(0, "memory")),
        (machine(16, gb=3), 4, 0, Fit(0, "memory")),
        (machine(16, gb=3, needs=None), 4, 0, Fit(4, "CPUs")),  # an engine without files
        (machine(16, gpus=[80, 80]), 4, 1, Fit(2, "GPUs")),
        (machine(16, gpus=[80, 80]), 2, 0.5, Fit(4, "GPUs")),
        (machine(16, gpus=[80, 80]), 2, 0.4, Fit(4, "GPUs")),  # Ray does not put an actor on parts of two GPUs
        (machine(16, gpus=[80, 80]), 8, 2, Fit(1, "GPUs")),
        (machine(16, gpus=[15, 15]), 2, 0.5, Fit(2, "GPU memory")),  # 16 GB for two on each
        (machine(16, gpus=[16, 15]), 2, 0.5, Fit(3, "GPU memory")),
        (machine(16, gpus=[7, 80]), 2, 1, Fit(1, "GPU memory")),
        (machine(16, gpus=[4, 5]), 2, 2, Fit(1, "GPUs")),  # together they have room
        (machine(16, gpus=[3, 4]), 2, 2, Fit(0, "GPU memory")),
        (machine(16), 2, 1, Fit(0, "GPUs")),
        (replace(machine(16, gpus=[80] * 4), devices=()), 2, 1, Fit(0, "GPUs")),  # llama.cpp was built without them
        (replace(machine(16, gpus=[80]), devices=(Gpu("Vulkan0", "", 0, 0),)), 2, 1, Fit(1, "GPUs")),  # tells no memory
        (machine(16, problem="no files"), 4, 0, Fit(0, "a problem")),
    ],
)  # fmt: skip
def test_actors_that_fit(there: Any, cpus: int, gpus: float, fit: Fit) -> None:
    assert there.fit(cpus, gpus) == fit
    assert there.room(cpus, gpus) == fit.actors


def test_a_pool_counts_the_memory_of_machines() -> None:
    machines = [machine(16, gb=11), machine(16, gb=11)]
    assert size_of(Pool("auto", cpus_per_actor=4), machines).most == 4
    with pytest.raises(yg.InputError, match=r"5 actors of 4 CPUs do not fit.*16 CPUs, 12\.2 GB free.*Use --actors 4"):
        size_of(Pool("auto", 5, 4), machines)


@pytest.mark.parametrize(
    ("machines", "actors", "cpus"),
    [
        ([machine(16)], 7, 2),  # as small as sensible, and a CPU stays free
        ([machine(16, gb=18)], 5, 3),  # six fit, which would leave four CPUs idle with two threads
        ([machine(16, gb=8)], 1, 14),  # one fits: it gets nearly all
        ([machine(2)], 1, 1),  # one of them stays free
        ([machine(1), machine(1), machine(1)], 2, 1),
        ([machine(8), machine(8)], 7, 2),
        ([machine(8), machine(8, problem="no files")], 4, 2),
    ],
)
def test_actors_that_are_recommended(machines: Any, actors: int, cpus: int) -> None:
    size = recommended(machines, Pool("auto"))
    assert (size.least, size.most, size.cpus) == (actors, actors, cpus)


def test_what_a_pool_says_is_kept() -> None:
    machines = [machine(16)]
    assert recommended(machines, Pool("auto", cpus_per_actor=5)).cpus == 5
    assert recommended(machines, Pool("auto", (1, 3))).most == 3
    assert recommended([machine(16, gpus=[80, 80])], Pool("auto", gpus_per_actor=1)).most == 2


def test_without_room_the_machines_are_named_with_what_they_have() -> None:
    with pytest.raises(yg.InputError, match=r"m: 16 CPUs, 3\.3 GB free; m: 4 CPUs, 1111\.1 GB free \(no files\)"):
        recommended([machine(16, gb=3), machine(4, problem="no files")], Pool("auto"))
