"""The small model finds the things of drawn scenes in COCO's layout, and its answers are scored again without it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import youtu_gguf as yg
from scripts.layouts.coco import export
from youtu_gguf.evaluate import prepare, run, score_files


@pytest.fixture(scope="module")
def nano() -> Iterator[yg.Model]:
    with yg.load("nano", threads=1, max_tokens=400) as model:
        yield model


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("coco")
    export(folder, 3)
    return folder


@pytest.mark.parametrize(
    ("benchmark", "changed", "least"),
    [("coco", {"prompt": "everything"}, 0.5), ("coco-instances", {"prompt": "everything", "crop_size": 224}, 0.5)],
)
def test_things_are_found_and_scored_again(
    benchmark: str, changed: dict[str, Any], least: float, nano: yg.Model, drawn: Path, tmp_path: Path
) -> None:
    exam = prepare(benchmark, drawn, preset="fast", changed=changed)
    scores = run(nano, exam, tmp_path)
    ap50, by_scores = scores.figures["ap50"].value, scores.figures["ap_scores"].value
    assert ap50 is not None
    assert by_scores is not None
    assert min(ap50, by_scores) > least
    (baseline,) = scores.baselines.values()
    assert baseline["ap"] == 0
    assert scores.failed == 0
    again = score_files(prepare(benchmark, drawn), tmp_path)
    assert again.figures == scores.figures
