"""Whether a model fits into a cluster: how many actors each machine has room for, and what limits them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from os import PathLike
from typing import Unpack

from youtu_gguf.cluster.connect import connected, nodes_of_cluster
from youtu_gguf.cluster.machines import Machine, Needs, recommended
from youtu_gguf.cluster.nodes import Question, survey, this_machine
from youtu_gguf.cluster.pool import Pool, Size
from youtu_gguf.cluster.weights import Wanted
from youtu_gguf.config import LoadSettings
from youtu_gguf.environment import default_model, hub_cache
from youtu_gguf.errors import InputError
from youtu_gguf.facts import REPOSITORY
from youtu_gguf.hub.local import find_pulled
from youtu_gguf.hub.spec import DEFAULT_SPEC, Spec


@dataclass(frozen=True)
class ClusterPlan:
    """What a model takes of a cluster.

    Attributes:
        model: What was asked about.
        needs: What it takes.
        machines: The cluster's.
        size: The actors to run; None where there is no room for any.
        refusal: Why there is none; "" otherwise.
    """

    model: str
    needs: Needs
    machines: tuple[Machine, ...]
    size: Size | None
    refusal: str = ""


def plan(
    pool: Pool,
    model: str | PathLike[str] | None = None,
    mmproj: str | PathLike[str] | None = None,
    encoding: str | None = None,
    *,
    gpus_per_actor: float | None = None,
    **settings: Unpack[LoadSettings],
) -> ClusterPlan:
    """Ask the machines of a cluster what they have, and say how many actors to run on them.

    Args:
        pool: The cluster, and what is decided about the actors.
        model: As for `load`.
        mmproj: As for `load`.
        encoding: As for `weights.plan`.
        gpus_per_actor: GPUs of each actor; None gives each one where there are any.
        settings: As for `weights.plan`.

    Raises:
        InputError: An argument is invalid, or there is no such cluster.
        ModelFileError: No machine knows the model.
        EngineError: The cluster cannot be used.
    """
    wanted = _wanted(model, mmproj)
    question = Question(wanted, encoding, settings)
    if pool.cluster == "local":
        machines = this_machine(question)
    else:
        with connected(pool.cluster):
            machines = survey(question, nodes_of_cluster())
    needs = next((machine.needs for machine in machines if machine.needs is not None), None) or question.needs()
    assert needs is not None
    machines = [replace(machine, needs=needs) for machine in machines]
    if gpus_per_actor is None:
        gpus_per_actor = 1.0 if any(machine.gpus and machine.devices for machine in machines) else 0.0
    try:
        size = recommended(machines, replace(pool, gpus_per_actor=gpus_per_actor))
    except InputError as exc:
        return ClusterPlan(wanted.model, needs, tuple(machines), None, str(exc))
    return ClusterPlan(wanted.model, needs, tuple(machines), size)


def _wanted(model: str | PathLike[str] | None, mmproj: str | PathLike[str] | None) -> Wanted:
    """Return the model, which need not be here: the published one where none is named."""
    if model is None and default_model() is None and find_pulled(Spec(REPOSITORY), hub_cache()) is None:
        return Wanted.of(str(DEFAULT_SPEC), mmproj)
    return Wanted.of(model, mmproj)
