"""Benchmarks of words and numbers with the small model, on drawn scenes in the layout of each data set."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

import youtu_gguf as yg
from scripts.layouts import countbench, imagenet_real, tallyqa
from youtu_gguf.evaluate import BENCHMARKS


@pytest.fixture(scope="module")
def nano() -> Iterator[yg.Model]:
    with yg.load("nano", threads=1, max_tokens=60) as model:
        yield model


@pytest.mark.parametrize(
    ("export", "name", "split", "least"),
    [
        (tallyqa.export, "tallyqa", "simple", 0.6),
        (countbench.export, "countbench", "test", 0.6),
        (imagenet_real.export, "imagenet-real", "val", 0.6),
    ],
)
def test_the_small_model_is_better_than_a_constant(
    nano: yg.Model, tmp_path: Path, export: Callable[[Path, int], None], name: str, split: str, least: float
) -> None:
    benchmark = BENCHMARKS[name]
    kind, options = benchmark.kind, benchmark.options()
    export(tmp_path, 12)  # the counts of five are too few to beat "always 1"
    data = benchmark.read(tmp_path, split)
    asked, constant = kind.measure(data, options), kind.measure(data, options)
    ((_, always),) = kind.baselines(data, options).items()
    for sample in data.samples:
        with closing(nano.open(sample.image)) as scene:
            asked.add(sample, kind.ask(scene, sample, options))
        constant.add(sample, always(sample))
    main = kind.figures[0].name
    assert asked.figures()[main] >= least
    assert asked.figures()[main] > constant.figures()[main]
