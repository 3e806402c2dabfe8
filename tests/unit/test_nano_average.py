"""The mean of the weights of several runs."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from scripts.nano.average import average
from scripts.nano.export import Checkpoint
from scripts.nano.start import read_pair
from scripts.nano.tokenizer import Tokenizer
from youtu_gguf.errors import InputError
from youtu_gguf.hub.local import find_nano
from youtu_gguf.weights.synthetic.pair import TINY

NANO = find_nano().parent
SCRIPT = Path(__file__).parents[2] / "scripts/nano/average.py"


def run(folder: Path, value: float, *, merges: list[str] | None = None, n_head: int | None = None) -> Path:
    """Write the checkpoint of a run whose only tensor holds one value."""
    language = TINY.language if n_head is None else replace(TINY.language, n_head=n_head)
    weights = {"output_norm.weight": np.full(3, value, np.float32)}
    Checkpoint(weights, language, TINY.vision, Tokenizer(merges or [])).save(folder)
    return folder


def test_each_run_has_its_share(tmp_path: Path) -> None:
    mean = average([(run(tmp_path / "a", 1.0), 0.25), (run(tmp_path / "b", 5.0), 0.75)])
    assert mean.weights["output_norm.weight"].tolist() == [4.0, 4.0, 4.0]
    assert mean.weights["output_norm.weight"].dtype == np.float32


def test_an_exported_pair_counts_as_a_run(tmp_path: Path) -> None:
    weights, merges = read_pair(NANO)
    zero = {name: np.zeros_like(value) for name, value in weights.items()}
    Checkpoint(zero, TINY.language, TINY.vision, Tokenizer(merges)).save(tmp_path / "a")
    mean = average([(NANO, 0.75), (tmp_path / "a", 0.25)])
    assert mean.language == TINY.language
    for name, value in weights.items():
        np.testing.assert_allclose(mean.weights[name], 0.75 * value, rtol=1e-6)


def test_a_mean_of_pairs_alone_is_refused() -> None:
    with pytest.raises(InputError, match="got pairs only"):
        average([(NANO, 0.5), (NANO, 0.5)])


def test_runs_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    first = run(tmp_path / "a", 1.0)
    with pytest.raises(InputError, match=r"shares that add up to 1; got 0\.9"):
        average([(first, 0.5), (first, 0.4)])
    with pytest.raises(InputError, match="same sizes"):
        average([(first, 0.5), (run(tmp_path / "b", 1.0, n_head=TINY.language.n_head * 2), 0.5)])
    with pytest.raises(InputError, match="same tokens"):
        average([(first, 0.5), (run(tmp_path / "c", 1.0, merges=["r e"]), 0.5)])


def test_runs_with_other_tensors_are_refused(tmp_path: Path) -> None:
    first, other = run(tmp_path / "a", 1.0), run(tmp_path / "b", 1.0)
    replace(Checkpoint.load(other), weights={}).save(other)
    with pytest.raises(InputError, match="same tensors"):
        average([(first, 0.5), (other, 0.5)])


def test_the_mean_replaces_none_of_its_runs(tmp_path: Path) -> None:
    first, other = run(tmp_path / "a", 1.0), run(tmp_path / "b", 3.0)
    command = [sys.executable, SCRIPT, tmp_path / "x" / ".." / "b", f"{first}=0.5", f"{other}=0.5"]
    told = subprocess.run(command, check=False, capture_output=True, text=True)
    assert told.returncode == 2
    assert "is a run, whose weights would be lost" in told.stderr
    assert Checkpoint.load(other).weights["output_norm.weight"].tolist() == [3.0, 3.0, 3.0]


def test_the_command_writes_a_run(tmp_path: Path) -> None:
    runs = [f"{run(tmp_path / 'a', 2.0)}=0.5", f"{run(tmp_path / 'b', 4.0)}=0.5"]
    subprocess.run([sys.executable, SCRIPT, tmp_path / "mean", *runs], check=True)
    assert Checkpoint.load(tmp_path / "mean").weights["output_norm.weight"].tolist() == [3.0, 3.0, 3.0]


@pytest.mark.parametrize("wrong", ["a", "=1", "a=0", "a=1.5", "a=much"])
def test_a_run_without_a_usable_share_is_refused(wrong: str, tmp_path: Path) -> None:
    command = [sys.executable, SCRIPT, tmp_path / "mean", wrong]
    told = subprocess.run(command, check=False, capture_output=True, text=True)
    assert told.returncode == 2
    assert "FOLDER=SHARE with a share above 0" in told.stderr
    assert not (tmp_path / "mean").exists()
