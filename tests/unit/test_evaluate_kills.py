"""Evaluations that are killed: what is resumed gives the answers and figures of an undisturbed run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests import fragile
from tests.squares_benchmark import SQUARES, write_squares
from youtu_gguf.batch import Worker
from youtu_gguf.evaluate import Scores, prepare, run

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals")

FATAL = 60
"""Red value of the image that the tests are about: the third of six."""

SCRIPT = """
import sys
from pathlib import Path
from tests.unit.test_evaluate_kills import evaluate
evaluate(Path("data"), Path("out"), {60: sys.argv[1]}, Path("mark") if sys.argv[2] else None)
"""


def evaluate(data: Path, out: Path, ends: dict[int, str], mark: Path | None = None) -> Scores:
    with Worker(partial(fragile.load, ends, mark=mark)) as worker:
        return run(worker, prepare(SQUARES, data), out)


def start(folder: Path, end: str, *, once: bool) -> subprocess.Popen[bytes]:
    path = os.pathsep.join(filter(None, sys.path))
    command = [sys.executable, "-c", SCRIPT, end, "once" if once else ""]
    return subprocess.Popen(command, cwd=folder, env={**os.environ, "PYTHONPATH": path}, stderr=subprocess.DEVNULL)


def kept(out: Path) -> dict[str, Any]:
    """Return all that a run has left, apart from times."""
    found: dict[str, Any] = {}
    for path in sorted(path for path in out.rglob("*") if path.is_file()):
        data = path.read_bytes()
        if path.suffix in (".json", ".jsonl"):
            found[str(path.relative_to(out))] = [timeless(json.loads(text)) for text in lines_of(path, data)]
        else:
            found[str(path.relative_to(out))] = data
    return found


def lines_of(path: Path, data: bytes) -> list[bytes]:
    return data.splitlines() if path.suffix == ".jsonl" else [data]


def timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: timeless(item) for name, item in value.items() if name != "seconds"}
    return [timeless(item) for item in value] if isinstance(value, list) else value


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_squares(tmp_path / "data")


@pytest.fixture
def undisturbed(data: Path, tmp_path: Path) -> dict[str, Any]:
    with fragile.load({}) as model:
        run(model, prepare(SQUARES, data), tmp_path / "undisturbed")
    return kept(tmp_path / "undisturbed")


def test_a_worker_that_is_killed_once_changes_nothing(data: Path, tmp_path: Path, undisturbed: dict[str, Any]) -> None:
    evaluate(data, tmp_path / "out", {FATAL: "killed"}, tmp_path / "mark")
    assert (tmp_path / "mark").exists()
    assert kept(tmp_path / "out") == undisturbed


def test_all_processes_killed_at_once_and_resumed_change_nothing(
    data: Path, tmp_path: Path, undisturbed: dict[str, Any]
) -> None:
    assert start(tmp_path, "with its parent", once=True).wait(60) == -signal.SIGKILL
    assert len(kept(tmp_path / "out")["results.jsonl"]) == 2
    assert start(tmp_path, "with its parent", once=True).wait(60) == 0
    assert kept(tmp_path / "out") == undisturbed


def test_ctrl_c_in_the_middle_of_an_image_leaves_no_process_and_changes_nothing(
    data: Path, tmp_path: Path, undisturbed: dict[str, Any]
) -> None:
    parent = start(tmp_path, "hang", once=False)
    mark, deadline = tmp_path / "hanging", time.monotonic() + 60
    while not (mark.exists() and mark.read_text("utf-8")) and time.monotonic() < deadline:
        time.sleep(0.01)
    worker = psutil.Process(int(mark.read_text("utf-8")))
    parent.send_signal(signal.SIGINT)
    parent.wait(60)
    assert psutil.wait_procs([worker], 60)[1] == []
    with fragile.load({}) as model:
        run(model, prepare(SQUARES, data), tmp_path / "out")
    assert kept(tmp_path / "out") == undisturbed
