"""Phrases asked of the small model, on drawn scenes in RefCOCO's layout."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import youtu_gguf as yg
from scripts.layouts import refcoco
from youtu_gguf import evaluate

N = 8


@pytest.fixture(scope="module")
def nano() -> Iterator[yg.Model]:
    with yg.load("nano", threads=1, max_tokens=100) as model:
        yield model


@pytest.mark.parametrize(
    ("name", "changed", "figure", "least"),
    [
        ("refcoco", {}, "accuracy", 0.7),
        ("refcoco-masks", {"found": "ground", "crop_size": 224, "refine": "none"}, "ciou", 0.5),
        ("refcoco-masks", {"found": "polygon", "crop_size": 224, "refine": "none"}, "ciou", 0.6),
    ],
    ids=["boxes", "masks in boxes", "masks in outlines"],
)
def test_the_small_model_finds_what_phrases_mean(
    nano: yg.Model, tmp_path: Path, name: str, changed: Mapping[str, Any], figure: str, least: float
) -> None:
    refcoco.export(tmp_path / "data", N)
    exam = evaluate.prepare(name, tmp_path / "data", changed=changed)
    scores = evaluate.run(nano, exam, tmp_path / "run")
    value = scores.figures[figure].value
    assert value is not None
    assert value >= least
    assert value > 3 * max(others[figure] or 0.0 for others in scores.baselines.values())
