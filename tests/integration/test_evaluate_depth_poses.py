"""The small model measures distances and finds joints in drawn scenes, laid out as NYUv2 and MPII."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import youtu_gguf as yg
from scripts.layouts.export import export
from scripts.layouts.nyuv2 import FOCAL_PX
from youtu_gguf.evaluate import prepare, run, score_files


@pytest.fixture(scope="module")
def nano() -> Iterator[yg.Model]:
    with yg.load("nano", threads=1, max_tokens=600) as model:
        yield model


@pytest.mark.parametrize(
    ("name", "changed", "least"),
    [
        ("nyuv2", {"scale": "open", "focal_px": FOCAL_PX}, 0.8),
        ("mpii", {}, 0.5),
    ],
)
def test_drawn_scenes_are_answered_better_than_without_looking(
    name: str, changed: dict[str, Any], least: float, nano: yg.Model, tmp_path: Path
) -> None:
    export(name, tmp_path / "data", 3)
    exam = prepare(name, tmp_path / "data", preset="fast", changed=changed)
    scores = run(nano, exam, tmp_path / "results")
    main = exam.benchmark.kind.figures[0].name
    value = scores.figures[main].value
    assert value is not None
    assert value > least
    for baseline in scores.baselines.values():
        assert (baseline[main] or 0) < value - 0.1
    assert score_files(exam, tmp_path / "results").figures == scores.figures
