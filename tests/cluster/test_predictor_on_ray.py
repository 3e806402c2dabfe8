"""The class for pipelines of others, on Ray Data: what is kept, what is answered, what an image may do to an actor."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import youtu_gguf as yg
from scripts.soak._ray_nodes import RayNodes
from tests.cluster.conftest import N_BROKEN, N_CRASH, N_IMAGES
from youtu_gguf.cluster import YoutuPredictor
from youtu_gguf.cluster.predictor import Share
from youtu_gguf.output import to_json

TASKS = [yg.Question("describe", (), {"max_tokens": 8}), yg.Question("detect", (["square", "circle"],))]


def timeless(form: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in form.items() if name not in ("timings", "image", "arguments")}


@pytest.fixture
def rows(connected: RayNodes, images: Path) -> dict[int, dict[str, Any]]:
    """What a pipeline makes of the pictures, by their number."""
    import ray.data

    class Telling(YoutuPredictor):  # here, so that Ray sends it: actors cannot import this file
        """Tells beside the answers what Ray has assigned to its actor."""

        def __call__(self, batch: Mapping[str, Any]) -> dict[str, Any]:
            share = Share.of_this_actor()
            return {**super().__call__(batch), "share": [f"{share.cpus} {len(share.gpus)}"] * len(batch["path"])}

    data = ray.data.read_binary_files(str(images), include_paths=True).map_batches(
        Telling,
        fn_constructor_kwargs={"tasks": TASKS, "model": "nano"},
        batch_size=4,
        num_cpus=1,
        concurrency=1,
    )
    data.context.enable_progress_bars = False
    return dict(enumerate(sorted(data.take_all(), key=lambda row: str(row["path"]))))


def test_answers_are_those_of_the_model_and_broken_images_have_errors(
    rows: dict[int, dict[str, Any]], images: Path
) -> None:
    assert len(rows) == N_IMAGES
    assert {tuple(sorted(row)) for row in rows.values()} == {("error", "path", "results", "share")}
    assert {row["share"] for row in rows.values()} == {"1 0"}
    assert [n for n, row in rows.items() if row["error"]] == [N_CRASH, N_BROKEN]
    assert "ended 2 times" in rows[N_CRASH]["error"]
    assert "image file is truncated" in rows[N_BROKEN]["error"]
    assert rows[N_BROKEN]["results"] == "[]"
    with yg.load("nano", threads=1) as model:
        for row in (rows[0], rows[N_IMAGES - 1]):
            with model.open(row["path"]) as scene:
                expected = [to_json(scene.run(task.task, *task.arguments, **task.options)) for task in TASKS]
            found = json.loads(row["results"])
            assert [form.pop("task") for form in found] == ["describe", "detect"]
            assert [*map(timeless, found)] == [timeless(json.loads(json.dumps(form))) for form in expected]
