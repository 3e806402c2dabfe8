"""What the machines of a cluster say of themselves, asked by a small task on each."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import youtu_gguf as yg
from youtu_gguf.cluster.machines import Gpu, Machine, Needs
from youtu_gguf.cluster.pool import FREE_CPUS, Node
from youtu_gguf.cluster.weights import SAME_WEIGHTS, Found, Wanted
from youtu_gguf.errors import EngineError, YoutuError
from youtu_gguf.hub.local import as_spec
from youtu_gguf.machine import usable_cores, usable_memory

ANSWER_S = 120.0
"""Longest wait for what a machine says of itself. A Ray worker that has to start, and import this package from a disk
that many machines share, may take a minute."""


@dataclass(frozen=True)
class Question:
    """What machines are asked: themselves, and what a model takes there.

    Attributes:
        wanted: The model; None asks about the machines alone.
        encoding: As for `weights.plan`.
        settings: As for `weights.plan`.
    """

    wanted: Wanted | None = None
    encoding: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    def needs(self) -> Needs | None:
        """Return what the model takes, as far as it is known on this machine; a repository is asked.

        Raises:
            YoutuError: The model or a setting cannot be used.
        """
        if self.wanted is None:
            return None
        return Needs.of(yg.weights.plan(self.wanted.model, self.wanted.mmproj, self.encoding, **self.settings))

    def answer(self, node: Node) -> Machine:
        """Return what this machine says of itself, which Ray calls `node`."""
        memory = usable_memory()
        needs, problem = None, ""
        devices: tuple[Gpu, ...] = ()
        try:
            devices = tuple(Gpu(gpu.name, gpu.description, gpu.free, gpu.total) for gpu in yg.weights.gpus())
            if self.wanted is not None and self.wanted.is_here:
                needs = self.needs()
            elif self.wanted is not None and as_spec(self.wanted.model) is None:
                problem = f"no {self.wanted.model} there"
        except YoutuError as exc:
            problem = str(exc)
        return Machine(node.name, node.cpus, node.gpus, node.id, usable_cores(), *memory, devices, needs, problem)


def this_machine(question: Question) -> list[Machine]:
    """Return the machine that a Ray of our own would be, without starting one."""
    cores = usable_cores()
    machine = question.answer(Node(socket.gethostname(), cores + FREE_CPUS))
    return [replace(machine, gpus=float(len(machine.devices)))]


def survey(question: Question, nodes: Sequence[Node]) -> list[Machine]:
    """Return what each machine of the cluster says of itself; one that does not answer has that as its problem."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    # a process of its own for each: llama.cpp takes memory of a GPU that it looks at, as long as the process lives
    task = ray.remote(num_cpus=0, max_calls=1, max_retries=0)(_answer)
    asked = {
        task.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node.id, soft=False)).remote(
            question, node
        ): node
        for node in nodes
    }
    ray.wait([*asked], num_returns=len(asked), timeout=ANSWER_S)
    return [_told(answer, node) for answer, node in asked.items()]


def ask_a_node(cpus: int, gpus: float) -> Callable[[Wanted], Found]:
    """Return a function that looks for a model's files on a machine where actors of a size can be."""

    def ask(wanted: Wanted) -> Found:
        import ray
        from ray.exceptions import RayError

        task = ray.remote(num_cpus=cpus, num_gpus=gpus, max_calls=1)(_look_up)
        try:
            found: Found | YoutuError = ray.get(task.remote(wanted))
        except RayError as exc:
            raise EngineError(f"no machine of the cluster could look for {wanted.model}: {_first_line(exc)}") from exc
        if isinstance(found, YoutuError):
            raise found
        return found

    return ask


def assigned_gpus() -> list[str]:
    """Return the GPUs that Ray has assigned to this actor or task."""
    import ray

    return [*map(str, ray.get_runtime_context().get_accelerator_ids().get("GPU", ()))]


def _answer(question: Question, node: Node) -> Machine:
    return question.answer(node)


def _told(answer: Any, node: Node) -> Machine:
    import ray
    from ray.exceptions import GetTimeoutError, RayError

    try:
        machine: Machine = ray.get(answer, timeout=0)
    except GetTimeoutError:
        ray.cancel(answer, force=True)
        problem = f"no answer within {ANSWER_S:g} s"
    except RayError as exc:
        problem = f"a task there failed: {_first_line(exc)}"
    else:
        return machine
    return Machine(node.name, node.cpus, node.gpus, node.id, problem=problem)


def _first_line(exc: Exception) -> str:
    cause = getattr(exc, "cause", None) or exc
    return f"{type(cause).__name__}: {str(cause).strip().splitlines()[0] if str(cause).strip() else ''}"


def _look_up(wanted: Wanted) -> Found | YoutuError:
    try:
        return wanted.look_up()
    except YoutuError as exc:
        return type(exc)(f"on {socket.gethostname()}: {exc} {SAME_WEIGHTS}")
