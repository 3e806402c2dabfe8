"""Batches on an engine that works on several images at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import youtu_gguf as yg
from tests.pictures import write_images
from tests.unit.test_batch import ANSWERS, run
from tests.unit.test_batch import results as lines_of
from youtu_gguf.batch.run import MOST_ENGINE_ERRORS
from youtu_gguf.config import Sampling
from youtu_gguf.engines.base import Piece
from youtu_gguf.engines.prefix import Prefix
from youtu_gguf.testing import FakeEngine, FakeSession

N_PARALLEL = 3


class ParallelEngine(FakeEngine):
    """Answers only when as many questions are asked at once as it has slots.

    With no `gate`, answers do not wait for each other. Each question takes one of the `errors` until none is left.
    """

    n_parallel = N_PARALLEL

    def __init__(self, *errors: yg.YoutuError, gate: threading.Barrier | None = None) -> None:
        super().__init__(ANSWERS)
        self.gate, self.errors = gate, list(errors)

    def open(self, prefix: Prefix) -> FakeSession:
        return _Session(self, prefix)


class _Session(FakeSession):
    def generate(self, question: str, sampling: Sampling, cancel: threading.Event | None = None) -> Iterator[Piece]:
        engine = self._engine
        assert isinstance(engine, ParallelEngine)
        if engine.gate is not None:
            engine.gate.wait(10)
        if engine.errors:
            raise engine.errors.pop()
        yield from super().generate(question, sampling, cancel)


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    return write_images(tmp_path / "images", range(0, 240, 40))


def test_as_many_images_are_asked_about_at_a_time_as_there_are_slots(tmp_path: Path, images: list[Path]) -> None:
    batch = run(tmp_path / "out", images, ParallelEngine(gate=threading.Barrier(N_PARALLEL)))
    assert batch.tally.done == len(images)
    assert {line["image"] for line in lines_of(tmp_path / "out")} == {path.as_posix() for path in images}


def test_results_are_those_of_one_after_the_other(tmp_path: Path, images: list[Path]) -> None:
    run(tmp_path / "one", images, FakeEngine(ANSWERS))
    run(tmp_path / "many", images, ParallelEngine())
    one, many = (
        {line["image"]: [result["raw"] for result in line["results"]] for line in lines_of(tmp_path / name)}
        for name in ("one", "many")
    )
    assert one == many


def test_a_broken_image_is_recorded_and_the_others_go_on(tmp_path: Path, images: list[Path]) -> None:
    images[2].write_bytes(b"nothing")
    batch = run(tmp_path / "out", images, ParallelEngine())
    assert (batch.tally.done, batch.tally.broken) == (6, 1)


def test_finished_images_are_skipped(tmp_path: Path, images: list[Path]) -> None:
    run(tmp_path / "out", images[:4], ParallelEngine())
    batch = run(tmp_path / "out", images, ParallelEngine())
    assert (batch.tally.done, batch.tally.skipped) == (2, 4)


def test_what_may_be_asked_again_is_once(tmp_path: Path, images: list[Path]) -> None:
    again = yg.ServerError("the server ended", retry=True)
    assert run(tmp_path / "out", images, ParallelEngine(again)).tally.broken == 0
    never = yg.ServerError("no such model")
    assert run(tmp_path / "other", images, ParallelEngine(never)).tally.broken == 1


def test_a_server_that_fails_on_every_image_ends_the_batch(tmp_path: Path, images: list[Path]) -> None:
    errors = [yg.ServerError("it is gone") for _ in range(100)]
    with pytest.raises(yg.EngineError, match=f"failed on {max(MOST_ENGINE_ERRORS, N_PARALLEL)} images in a row"):
        run(tmp_path / "out", images, ParallelEngine(*errors))
