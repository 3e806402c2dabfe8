"""A short form of each script under scripts/soak."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import youtu_gguf as yg

SOAK = Path(__file__).parents[2] / "scripts" / "soak"


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, SOAK / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def test_no_damaged_file_kills_the_process(tmp_path: Path) -> None:
    outcomes = script("broken_files").run(300, seed=1, folder=tmp_path)
    assert sum(outcomes.values()) == 300
    assert set(outcomes) <= {"ran", "ModelFileError", "EngineError"}
    assert outcomes["ModelFileError"] > 200


def test_a_killed_batch_ends_as_an_undisturbed_one(tmp_path: Path) -> None:
    assert script("batch_kill").check(tmp_path, n=7, kills=2, seed=3) == []


def test_no_mutated_header_is_misread(tmp_path: Path) -> None:
    outcomes = script("mutated_headers").run(25, seed=2, folder=tmp_path)
    assert sum(outcomes.values()) == 25
    assert set(outcomes) <= {"ModelFileError", "read, as the other reader does", "read; the other reader fails"}
    assert outcomes["read, as the other reader does"] > 2


def test_a_pull_that_is_killed_again_and_again_goes_on(tmp_path: Path) -> None:
    pull = script("pull")
    pair = yg.weights.write_synthetic_pair(tmp_path, "tiny")
    files = {name: path.read_bytes() for name, path in zip((pull.MODEL, pull.PROJECTOR), pair, strict=True)}
    with pull.hubs.serving(pull.Hub(files)) as hub:
        assert pull.kill_again_and_again(hub, tmp_path / "cache", 3, seed=1) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
def test_forked_processes_are_refused_and_do_not_hang() -> None:
    command = [sys.executable, str(SOAK / "forks.py"), "--forks", "4", "--seed", "1"]
    ended = subprocess.run(command, capture_output=True, check=False, text=True, timeout=300)
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.skipif(os.name == "nt", reason="SIGINT cannot be sent to one process there")
def test_an_interrupted_command_ends_with_130_and_leaves_nothing(tmp_path: Path) -> None:
    found = script("interrupts").run(tmp_path / "bench", 3, seed=4, names=("detect",))
    assert found["fault"] == 0


def test_no_damaged_answer_is_misread() -> None:
    outcomes, fault = script("answers").run(1200, seed=7)
    assert fault == ""
    assert outcomes.total() == 1200
    assert len(outcomes) == 14


def test_images_of_several_sizes_are_encoded_as_they_were_the_first_time() -> None:
    soak = script("encode_sizes")
    with yg.load("nano", n_ctx=512, threads=1) as model:
        worst = soak.run(model, ["96x64", "64x64", "128x96"], 30, seed=0)
    assert worst.keys() == {"96x64", "64x64", "128x96"}
    assert max(worst.values()) <= soak.MAX_DIFFERENCE


def test_no_conversation_among_many_is_answered_as_another() -> None:
    tally = script("conversations").run("nano", n_threads=3, seconds=1.5)
    assert set(tally) <= {"right", "tie", "the context is full"}
    assert tally["right"] > 0
