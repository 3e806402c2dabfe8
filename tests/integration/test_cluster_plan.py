"""`plan --cluster local`: what this machine has room for, as it would be asked on every machine of a cluster."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner, Result

import youtu_gguf as yg
from youtu_gguf.cli.main import app
from youtu_gguf.cluster.machines import Needs
from youtu_gguf.machine import UsableMemory

GB = 1_000_000_000


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A machine whose size a test sets."""
    box = SimpleNamespace(free=100 * GB, cores=16)
    monkeypatch.setattr("youtu_gguf.machine.usable_memory", lambda: UsableMemory(box.free, 2 * box.free))
    monkeypatch.setattr("youtu_gguf.machine.usable_cores", lambda: box.cores)
    return box


def plan(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["plan", *arguments, "--cluster", "local"])


def test_needs_are_those_of_a_plan() -> None:
    found = yg.weights.plan("nano")
    needs = Needs.of(found)
    assert needs.shared == found.wanted.memory.weights + found.wanted.memory.projector
    assert needs.gpu == found.gpu_memory
    assert needs.private > found.wanted.memory.total - needs.shared
    assert Needs.of(yg.weights.plan("nano", vision="mtmd")).shared == found.wanted.memory.weights  # mtmd copies
    assert Needs.of(yg.weights.plan("nano", repack=True)).shared == 0


def test_a_table_ends_with_the_options_to_use(machine: SimpleNamespace) -> None:
    outcome = plan("nano")
    assert outcome.exit_code == 0, outcome.output
    lines = outcome.stdout.splitlines()
    assert [line.split("  ")[-1].strip() for line in lines if line.endswith(("CPUs", "limited by"))] == [
        "limited by",
        "CPUs",
    ]
    assert lines[-1].endswith("--cluster local --actors 8 --cpus-per-actor 2")


def test_memory_makes_actors_fewer_and_larger(machine: SimpleNamespace) -> None:
    machine.free = 4 * GB
    form = json.loads(plan("nano", "--json").stdout)
    assert form["size"]["most"] * form["needs"]["private"] < machine.free
    assert form["size"]["cpus"] > 2
    assert form["options"][-2:] == ["--cpus-per-actor", str(form["size"]["cpus"])]


def test_a_machine_with_too_little_memory_is_named(machine: SimpleNamespace) -> None:
    machine.free = GB // 2
    outcome = plan("nano")
    assert outcome.exit_code == 4
    assert "memory: not one fits" in outcome.stdout
    assert "0.5 GB free" in outcome.stderr


def test_gpus_that_are_not_there_are_refused(machine: SimpleNamespace) -> None:
    if yg.weights.gpus():
        pytest.skip("this machine has some")
    outcome = plan("nano", "--gpus-per-actor", "1")
    assert outcome.exit_code == 4
    assert "GPUs: not one fits" in outcome.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nano", "--device", "CUDA0"), "expected no device for a cluster"),
        (("nano", "--gpus-per-actor", "1.5"), "a part of one such as 0.5, or a whole number; got 1.5"),
    ],
)
def test_options_that_make_no_sense_there_are_refused(
    machine: SimpleNamespace, arguments: tuple[str, ...], words: str
) -> None:
    outcome = plan(*arguments)
    assert outcome.exit_code == 2
    assert words in outcome.stderr


def test_a_pool_without_a_cluster_is_refused() -> None:
    outcome = CliRunner().invoke(app, ["plan", "nano", "--cpus-per-actor", "2"])
    assert outcome.exit_code == 2
    assert "--cpus-per-actor needs a cluster" in outcome.stderr
