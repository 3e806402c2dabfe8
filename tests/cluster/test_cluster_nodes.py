"""What the machines of a cluster say of themselves, and what Ray leaves for an actor to see to."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import youtu_gguf as yg
from scripts.soak._ray_nodes import RayNodes
from youtu_gguf.cluster.connect import nodes_of_cluster
from youtu_gguf.cluster.nodes import Question, ask_a_node, assigned_gpus, survey
from youtu_gguf.cluster.weights import Loading, Wanted
from youtu_gguf.environment import NO_GPU, share_of_machine

NANO = Wanted("nano")


class Unknown(Question):
    """A question that machines cannot read, as they lack this module: as without the package."""


def test_every_machine_says_what_it_has_and_what_the_model_takes_there(connected: RayNodes) -> None:
    machines = survey(Question(NANO), nodes_of_cluster())
    assert [machine.cpus for machine in machines] == [1, 1, 1]
    assert len({machine.id for machine in machines}) == 3
    assert all(machine.cores and machine.free and machine.needs and not machine.problem for machine in machines)
    assert [machine.room(1, 0) for machine in machines] == [1, 1, 1]


def test_machines_without_the_files_and_machines_that_fail_are_told_apart(connected: RayNodes) -> None:
    nodes = nodes_of_cluster()
    (missing, *_) = survey(Question(Wanted("/no/such.gguf")), nodes[:1])
    (failed, *_) = survey(Unknown(), nodes[:1])
    assert (missing.problem, missing.room(1, 0)) == ("no /no/such.gguf there", 0)
    assert failed.problem.startswith("a task there failed: ")
    assert "No module named 'test_cluster_nodes'" in failed.problem
    assert failed.room(1, 0) == 0


def test_a_driver_without_the_files_asks_a_machine_that_has_them(connected: RayNodes, tmp_path: Path) -> None:
    ask = ask_a_node(1, 0)
    assert ask(NANO).fingerprint == Loading.of("nano").identity["model"]["fingerprint"]
    with pytest.raises(yg.ModelFileError, match=r"on .*no.gguf does not exist.*Give every node the same files"):
        ask(Wanted(str(tmp_path / "no.gguf")))


def test_an_actor_without_gpus_must_hide_them_and_count_its_processors_itself(connected: RayNodes) -> None:
    """Ray does neither: if one of the first two assertions fails, Ray has learned it."""
    import ray

    def seen() -> tuple[str | None, int, list[str]]:
        return os.environ.get("CUDA_VISIBLE_DEVICES"), len(os.sched_getaffinity(0)), assigned_gpus()

    options = {"num_cpus": 1, "num_gpus": 0, "runtime_env": {"env_vars": {"CUDA_VISIBLE_DEVICES": "0,1"}}}
    visible, n_cores, assigned = ray.get(ray.remote(**options)(seen).remote())
    assert visible == "0,1"
    assert n_cores == len(os.sched_getaffinity(0))
    assert assigned == []
    assert share_of_machine(1, assigned)["CUDA_VISIBLE_DEVICES"] == NO_GPU
