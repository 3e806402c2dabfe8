"""Shards that end their actors: what the next attempts know, and what the next run does."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import youtu_gguf as yg
from tests.mortal import QUESTIONS, Actor, Here, MortalStore, rows_of, shard_of
from tests.pictures import write_images
from youtu_gguf.batch import attempts
from youtu_gguf.batch.parts import Parts
from youtu_gguf.batch.run import TRIES
from youtu_gguf.batch.shard import REDONE, run_shard
from youtu_gguf.batch.shards import Shard, cut, pending
from youtu_gguf.batch.store import Store

FATAL = 20
"""Grey value of the third of the images."""


@pytest.fixture
def shard(tmp_path: Path) -> Shard:
    write_images(tmp_path / "images", range(0, 50, 10))
    return shard_of([str(tmp_path / "images")])


def errors(out: str) -> dict[str, str]:
    lines = [json.loads(row.line) for row in rows_of(out)]
    return {Path(line["image"]).name: line["error"]["message"] for line in lines if "error" in line}


def test_an_image_that_ends_its_actor_is_known_by_that_and_the_others_are_done(tmp_path: Path, shard: Shard) -> None:
    actor = Actor(str(tmp_path / "out"), [FATAL])
    done = actor.finish(shard)
    assert (done.n_images, len(done.broken), done.attempt) == (5, 1, 4)
    ((name, message),) = errors(actor.out).items()
    assert name == "2.png"
    assert message == "the process that worked on this image ended 2 times, last together with the batch."
    assert sorted(row.image for row in rows_of(actor.out)) == [item.name for item in shard.items]
    assert [row.sha256 for row in rows_of(actor.out) if row.n_errors] != [None]
    assert list(Store(actor.out).files("attempts")) == []


def test_an_image_that_ended_an_actor_comes_first_so_that_it_does_not_lose_the_others_again(
    tmp_path: Path, shard: Shard
) -> None:
    actor = Actor(str(tmp_path / "out"), [FATAL])
    actor.finish(shard)
    assert actor.asked == [
        ["0.png", "1.png", "2.png"],
        ["0.png", "1.png", "2.png"],
        ["2.png"],
        ["0.png", "1.png", "3.png", "4.png"],
    ]


def test_what_ends_an_actor_once_is_asked_again(tmp_path: Path, shard: Shard) -> None:
    out = str(tmp_path / "out")
    assert Actor(out, [FATAL]).attempt(shard) is None
    done = Actor(out).attempt(shard)
    assert done is not None
    assert (done.broken, done.attempt) == ([], 2)
    assert len(rows_of(out)) == 5


def test_actors_that_end_before_any_image_end_the_run(tmp_path: Path, shard: Shard) -> None:
    class NoMemoryError(BaseException):
        pass

    def load(store: MortalStore) -> Here:
        store.is_dead = True
        raise NoMemoryError

    out = str(tmp_path / "out")
    for _ in range(attempts.MOST_SILENT):
        store = MortalStore(out)
        with pytest.raises(NoMemoryError):
            run_shard(lambda store=store: load(store), shard, QUESTIONS, store)  # type: ignore[misc]
    with pytest.raises(yg.EngineError, match=rf"the last 3 before they began an image, last on {socket.gethostname()}"):
        run_shard(Here, shard, QUESTIONS, Store(out))


def test_a_shard_that_is_done_again_keeps_what_it_had_written(tmp_path: Path) -> None:
    n = REDONE + 3
    write_images(tmp_path / "images", range(n))
    shard = shard_of([str(tmp_path / "images" / f"{i}.png") for i in range(n)])
    actor = Actor(str(tmp_path / "out"), [n - 1])
    done = actor.finish(shard)
    assert [name for name, _ in done.broken] == [shard.items[-1].name]
    assert [len(asked) for asked in actor.asked] == [n, n, 1, n - REDONE - 1]
    assert done.n_images == len(rows_of(actor.out)) == n
    assert len(Parts(Store(actor.out)).names()) == 2


def test_a_shard_whose_parts_are_written_is_not_asked_again(tmp_path: Path, shard: Shard) -> None:
    actor = Actor(str(tmp_path / "out"))
    store = MortalStore(actor.out)
    store.remove = lambda _name: None  # type: ignore[method-assign]  # it dies just before
    run_shard(Here, shard, QUESTIONS, store)
    done = actor.attempt(shard)
    assert done is not None
    assert (actor.asked, done.n_images, done.attempt) == ([[]], 5, 2)


def test_a_fault_keeps_what_is_finished_and_blames_no_image(tmp_path: Path, shard: Shard) -> None:
    def fail() -> str:
        raise yg.ModelFileError("no such token")

    out = str(tmp_path / "out")
    with pytest.raises(yg.ModelFileError):
        run_shard(lambda: Here({FATAL: fail}), shard, QUESTIONS, Store(out))
    assert [Path(row.image).name for row in rows_of(out)] == ["0.png", "1.png"]
    assert list(Store(out).files("attempts")) == []


def test_a_child_that_dies_is_counted_as_in_batch(tmp_path: Path, shard: Shard) -> None:
    out = str(tmp_path / "out")
    done = run_shard(lambda: Here({FATAL: lambda: "by SIGSEGV."}), shard, QUESTIONS, Store(out))
    assert done.attempt == 1
    assert errors(out) == {"2.png": f"the process that worked on this image ended {TRIES} times, last by SIGSEGV."}


def test_a_new_run_knows_what_a_killed_one_had_in_progress(tmp_path: Path, shard: Shard) -> None:
    actor = Actor(str(tmp_path / "out"), [FATAL])
    assert [actor.attempt(shard) for _ in range(2)] == [None, None]  # with it, its driver
    store = Store(actor.out)
    lost = attempts.take_over(store, "000002-0000")
    assert lost == {shard.items[2].name: 1}
    assert list(store.files("attempts")) == ["attempts/000002-0000.json"]
    (again,) = cut(pending(shard.items, Parts(store).index()).items, 64, "000002-0000", lost)
    assert actor.finish(again).attempt == 2
    assert actor.asked[2:] == [["2.png"], ["0.png", "1.png", "3.png", "4.png"]]
    attempts.clear(store)
    assert list(store.files("attempts")) == []


def test_a_run_that_ends_in_order_blames_only_what_ended_an_actor(tmp_path: Path, shard: Shard) -> None:
    actor = Actor(str(tmp_path / "out"), [FATAL])
    store = Store(actor.out)
    for n_deaths, known in ((2, {}), (3, {shard.items[2].name: 1})):
        while len(actor.asked) < n_deaths:
            actor.attempt(shard)  # the last of them is ended by its driver
        attempts.let_go(store, "000001-0000")
        assert attempts.take_over(store, "000002-0000") == known
        actor.asked.clear()


@pytest.mark.parametrize("told", [b"{", b"[]", b'{"attempt": 1, "in_progress": [], "other": 1}'])
def test_a_note_of_another_program_is_named(tmp_path: Path, shard: Shard, told: bytes) -> None:
    store = Store(str(tmp_path))
    store.write(f"attempts/{shard.name}.json", told)
    with pytest.raises(yg.InputError, match=rf"attempts/{shard.name}\.json.*Delete that file"):
        run_shard(Here, shard, QUESTIONS, store)


SCRIPT = """
import sys
from functools import partial
from pathlib import Path
from tests import fragile
from tests.mortal import QUESTIONS, shard_of
from youtu_gguf.batch import Worker
from youtu_gguf.batch.shard import run_shard
from youtu_gguf.batch.store import Store
with Worker(partial(fragile.load, {20: "with its parent"})) as worker:
    run_shard(lambda: worker, shard_of(["images"]), QUESTIONS, Store("out"))
"""


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_an_image_that_ends_a_process_with_its_child_is_recorded_by_the_fourth(tmp_path: Path, shard: Shard) -> None:
    path = os.pathsep.join(filter(None, sys.path))
    for expected in (-signal.SIGKILL, -signal.SIGKILL, -signal.SIGKILL, 0):
        command, environment = [sys.executable, "-c", SCRIPT], {**os.environ, "PYTHONPATH": path}
        ended = subprocess.run(
            command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True, timeout=60, check=False
        )
        assert ended.returncode == expected, ended.stderr
    out = str(tmp_path / "out")
    assert list(errors(out)) == ["2.png"]
    assert len(rows_of(out)) == len(shard.items)
    assert list(Store(out).files("attempts")) == []
