"""Batches in a process of their own: what an image does to that process, and what ends with what."""

from __future__ import annotations

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

import youtu_gguf as yg
from tests import fragile
from tests.pictures import write_images
from tests.unit.test_batch import results, timeless
from youtu_gguf.batch import Asked, Batch, Journal, Worker
from youtu_gguf.batch.run import TRIES

ASKED = (Asked("describe", yg.Question("describe")),)
FATAL = 80
"""Red value of the image that the tests are about: the third of six."""

posix = pytest.mark.skipif(os.name == "nt", reason="signals")


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    return write_images(tmp_path / "images", range(0, 240, 40))


def run(out: Path, images: list[Path], load: Any, **options: Any) -> Batch:
    with Worker(load) as worker, Journal(out, worker.identity) as journal:
        batch = Batch(worker, ASKED, journal)
        assert sorted(batch.run(images, **options)) == images
    assert not (out / "begun.json").exists()
    return batch


def errors(out: Path) -> dict[str, str]:
    return {Path(line["image"]).name: line["error"]["message"] for line in results(out) if "error" in line}


@posix
@pytest.mark.parametrize(
    ("end", "words"), [("killed", "by SIGKILL"), ("crash", "by SIGSEGV"), ("exception", "RuntimeError: a bug of ours")]
)
def test_an_image_that_kills_the_process_twice_is_recorded_and_the_others_go_on(
    tmp_path: Path, images: list[Path], end: str, words: str
) -> None:
    batch = run(tmp_path / "out", images, partial(fragile.load, {FATAL: end}))
    assert (batch.tally.done, batch.tally.broken, batch.tally.named) == (6, 1, [images[2].as_posix()])
    ((name, message),) = errors(tmp_path / "out").items()
    assert name == "2.png"
    assert f"ended {TRIES} times" in message
    assert words in message
    assert [line["sha256"] for line in results(tmp_path / "out") if "error" in line] != [None]


@posix
def test_what_kills_the_process_once_is_asked_again(tmp_path: Path, images: list[Path]) -> None:
    batch = run(tmp_path / "out", images, partial(fragile.load, {FATAL: "killed"}, mark=tmp_path / "mark"))
    assert (batch.tally.done, batch.tally.broken) == (6, 0)


@posix
def test_a_worker_whose_process_died_at_the_last_image_does_another_batch(tmp_path: Path, images: list[Path]) -> None:
    asked = [Asked("describe", yg.Question("describe"))]
    with Worker(partial(fragile.load, {FATAL: "killed"})) as worker:
        for name, some in (("first", images[:3]), ("second", images[3:])):
            with Journal(tmp_path / name, {}) as journal:
                for _ in Batch(worker, asked, journal, formats=()).run(some):
                    pass
    assert (list(errors(tmp_path / "first")), errors(tmp_path / "second")) == (["2.png"], {})


@posix
def test_the_others_in_progress_are_not_blamed(tmp_path: Path, images: list[Path]) -> None:
    run(tmp_path / "out", images, partial(fragile.load, {FATAL: "killed"}, n_parallel=3))
    assert list(errors(tmp_path / "out")) == ["2.png"]


@posix
def test_images_that_all_kill_the_process_end_the_batch(tmp_path: Path, images: list[Path]) -> None:
    with pytest.raises(yg.EngineError, match=r"3 images in a row.*by SIGKILL"):
        run(tmp_path / "out", images, partial(fragile.load, {40 * i: "killed" for i in range(6)}))
    assert len(results(tmp_path / "out")) == 3


SCRIPT = """
import sys
from functools import partial
from pathlib import Path
from tests import fragile
from tests.unit.test_batch_worker import run
run(Path("out"), sorted(Path("images").iterdir()), partial(fragile.load, {80: sys.argv[1]}))
"""


def start(folder: Path, end: str) -> subprocess.Popen[bytes]:
    path = os.pathsep.join(filter(None, sys.path))
    command = [sys.executable, "-c", SCRIPT, end]
    return subprocess.Popen(command, cwd=folder, env={**os.environ, "PYTHONPATH": path}, stderr=subprocess.DEVNULL)


@posix
def test_an_image_that_kills_everything_is_known_by_the_next_runs(tmp_path: Path, images: list[Path]) -> None:
    for _ in range(TRIES):
        assert start(tmp_path, "with its parent").wait(60) == -signal.SIGKILL
    assert len(results(tmp_path / "out")) == 2
    assert start(tmp_path, "with its parent").wait(60) == 0
    ((name, message),) = errors(tmp_path / "out").items()
    assert (name, len(results(tmp_path / "out"))) == ("2.png", len(images))
    assert "together with the batch" in message


@posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_the_worker_ends_with_its_parent(tmp_path: Path, images: list[Path], number: int) -> None:
    parent = start(tmp_path, "hang")
    mark, deadline = tmp_path / "hanging", time.monotonic() + 60
    while not (mark.exists() and mark.read_text("utf-8")) and time.monotonic() < deadline:
        time.sleep(0.01)
    worker = psutil.Process(int(mark.read_text("utf-8")))
    parent.send_signal(number)
    parent.wait(60)
    assert psutil.wait_procs([worker], 60)[1] == []
    assert (tmp_path / "out" / "begun.json").exists() == (number == signal.SIGKILL)
    assert len(results(tmp_path / "out")) == 2


def test_results_are_those_of_a_model_in_this_process(tmp_path: Path, images: list[Path]) -> None:
    run(tmp_path / "worker", images, partial(fragile.load, {}))
    with fragile.load({}) as model, Journal(tmp_path / "here", {}) as journal:
        assert len(list(Batch(model, ASKED, journal).run(images))) == len(images)
    assert timeless(results(tmp_path / "worker")) == timeless(results(tmp_path / "here"))


def test_loading_reports_progress_and_its_errors_are_those_of_load() -> None:
    seen: list[tuple[str, int, int]] = []
    Worker(partial(fragile.load, {}), lambda *stage: seen.append(stage)).close()
    assert seen == [("load", 100, 100)]
    with pytest.raises(yg.ServerError, match="there is no such model"):
        Worker(fragile.refuse)


@posix
def test_a_process_that_dies_while_it_loads_is_an_engine_error() -> None:
    with pytest.raises(yg.EngineError, match=r"that loads the model ended by SIGKILL.*memory"):
        Worker(fragile.die)


def test_what_cannot_be_sent_to_another_process_is_refused() -> None:
    with pytest.raises(yg.InputError, match=r"such as partial\(yg.load"):
        Worker(lambda progress: fragile.load({}, progress=progress))


def test_an_exception_of_the_progress_callback_ends_the_process() -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Worker(partial(fragile.load, {}), interrupt)
    assert not [child for child in psutil.Process().children() if "batch.desk" in " ".join(child.cmdline())]
