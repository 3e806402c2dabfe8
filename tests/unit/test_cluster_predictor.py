"""The class for pipelines on Ray Data, without Ray: what it takes, what it returns, and what an image may do to it."""

from __future__ import annotations

import io
import json
import os
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import youtu_gguf as yg
from tests import fragile
from youtu_gguf.batch import Worker
from youtu_gguf.batch.image import Done, ImageWork, Questions
from youtu_gguf.batch.messages import Died
from youtu_gguf.cluster.predictor import Answers, Columns, Share, asked_of
from youtu_gguf.machine import usable_cores

DESCRIBE = [yg.Question("describe")]
FATAL = 80
"""Red value of the image that ends the process."""

posix = pytest.mark.skipif(os.name == "nt", reason="signals")


def pixels(red: int, height: int = 40, width: int = 60) -> np.ndarray:
    return np.full((height, width, 3), red, np.uint8)


def file_of(rgb: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "PNG")
    return buffer.getvalue()


def ragged(*images: Any) -> np.ndarray:
    """Return a column of images of several sizes, as Ray Data makes it."""
    column = np.empty(len(images), object)
    column[:] = images
    return column


def answers(*batches: Any) -> list[list[dict[str, Any]]]:
    with fragile.load({}) as model:
        asking = Answers(model, Questions(asked_of(DESCRIBE), ()))
        return [asking.of(batch) for batch in batches]


class Dying:
    """A process that every image kills."""

    n_parallel = 1

    def prepare(self, work: ImageWork) -> None:
        pass

    def make_ready(self, path: Path) -> None:
        pass

    def start(self, path: Path) -> None:
        pass

    def wait(self) -> Done | Died:
        return Died("by SIGSEGV.")

    def stop(self) -> None:
        pass


def test_files_and_pixels_of_an_image_are_answered_alike_and_in_their_order() -> None:
    shown = [pixels(0), pixels(40, 64, 48), pixels(120)]
    of_files, of_pixels = answers(ragged(*map(file_of, shown)), ragged(*shown))
    assert [line["size"] for line in of_files] == [line["size"] for line in of_pixels] == [[60, 40], [48, 64], [60, 40]]
    assert [line["results"][0]["text"] for line in (*of_files, *of_pixels)] == ["A square."] * 6


def test_images_of_one_size_may_be_one_array() -> None:
    ((first, second),) = answers(np.stack([pixels(0), pixels(40)]))
    assert first["size"] == second["size"] == [60, 40]


@posix
def test_an_image_that_kills_the_process_twice_costs_one_row_and_later_batches_go_on() -> None:
    with Worker(partial(fragile.load, {FATAL: "killed"})) as worker:
        asking = Answers(worker, Questions(asked_of(DESCRIBE), ()))
        lines = [*asking.of([pixels(FATAL), pixels(120)]), *asking.of([pixels(0)])]
    assert ["error" in line for line in lines] == [True, False, False]
    assert "ended 2 times" in lines[0]["error"]["message"]


def test_a_process_that_dies_with_three_images_in_a_row_ends_the_pipeline_whatever_the_size_of_batches() -> None:
    asking = Answers(Dying(), Questions(asked_of(DESCRIBE), ()))
    assert ["error" in line for line in (*asking.of([pixels(0)]), *asking.of([pixels(40)]))] == [True, True]
    with pytest.raises(yg.EngineError, match="3 images in a row"):
        asking.of([pixels(80)])


def test_what_is_no_image_is_an_error_of_its_row() -> None:
    broken = [b"no image", None, np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32)]
    (lines,) = answers(ragged(*broken, pixels(0)))
    assert [line["error"]["class"] for line in lines[:-1]] == ["InputError"] * 4
    for line, message in zip(
        lines,
        [
            "the image (8 bytes) is not one that Pillow can read",
            "expected bytes of an image file or an array; got NoneType",
            "(H, W, 3) uint8 RGB; got (4, 4) uint8",
            "Convert values in 0..1",
        ],
        strict=False,
    ):
        assert message in line["error"]["message"]
    assert lines[-1]["results"][0]["text"] == "A square."


@pytest.mark.parametrize(("column", "keep", "left"), [("bytes", False, ["id"]), ("image", True, ["id", "image"])])
def test_all_columns_but_the_images_are_kept(column: str, keep: bool, left: list[str]) -> None:
    images, others = Columns(None, keep).split({"id": [7], column: [b"..."]})
    assert (images, [*others]) == ([b"..."], left)


def test_a_column_is_named_where_it_has_another_name() -> None:
    assert Columns("photo", keep=False).split({"photo": [b"1"], "bytes": [b"2"]}) == ([b"1"], {"bytes": [b"2"]})


@pytest.mark.parametrize(
    ("named", "batch", "message"),
    [
        (None, {"path": ["a"]}, "expected a column bytes or image with the images; got path"),
        ("photo", {"path": ["a"], "bytes": [b""]}, "expected a column photo with the images; got path, bytes"),
        (None, {"bytes": [b""], "error": [""]}, "without a column error"),
        (None, [b""], r"got list. Leave batch_format out"),
    ],
)
def test_a_batch_that_cannot_be_used_is_refused_with_what_is_there(named: str | None, batch: Any, message: str) -> None:
    with pytest.raises(yg.InputError, match=message):
        Columns(named, keep=False).split(batch)


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        ([], "expected tasks as a list"),
        (yg.Question("depth"), "expected tasks as a list"),
        (["depth"], r"expected a task such as Question\("),
        ([yg.Question("detekt")], "expected a task among ask, describe.*; got 'detekt'"),
        ([yg.Question("depth", options={"zum": 2})], "do not fit the task depth"),
        ([yg.Question("detect", ({1, 2},))], "arguments that JSON has a form for"),
    ],
)
def test_tasks_are_checked_before_a_model_is_loaded(tasks: Any, message: str) -> None:
    with pytest.raises(yg.InputError, match=message):
        asked_of(tasks)


def test_arguments_are_told_by_name_and_without_the_options_of_the_run() -> None:
    box = np.array([1.0, 2.0, 30.0, 40.0])
    (asked,) = asked_of([yg.Question("refer", (), {"box": box, "max_tokens": 9})])
    assert asked.words == "refer"
    assert json.dumps(asked.context) == '{"arguments": {"box": [1.0, 2.0, 30.0, 40.0]}}'


def test_outside_of_an_actor_it_has_all_processors_and_no_gpu() -> None:
    assert Share.of_this_actor() == Share(usable_cores())
