"""Semantic segmentation of drawn scenes by the small model that ships, from the data set on disk to the figures."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import youtu_gguf as yg
from scripts.layouts import ade20k
from youtu_gguf.evaluate import BENCHMARKS

BENCHMARK = BENCHMARKS["ade20k"]
OPTIONS = BENCHMARK.options("fast", {"present": "all"})  # nano's lessons name four classes at most, not 150


def test_nano_tells_what_was_drawn_from_150_classes(tmp_path: Path) -> None:
    ade20k.export(tmp_path, 3)
    data = BENCHMARK.read(tmp_path, "validation")
    measure, everywhere = (BENCHMARK.kind.measure(data, OPTIONS) for _ in range(2))
    (baseline,) = BENCHMARK.kind.baselines(data, OPTIONS).values()
    with yg.load("nano", threads=1) as model:
        for sample in data.samples:
            everywhere.add(sample, baseline(sample))
            with closing(model.open(sample.image)) as scene:
                measure.add(sample, BENCHMARK.kind.ask(scene, sample, OPTIONS))
    assert measure.figures()["miou"] > 0.7
    assert everywhere.figures()["miou"] < 0.2
