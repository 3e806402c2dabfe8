"""Intervals by bootstrap: against the binomial, and where images have several samples."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from youtu_gguf.evaluate import Sample
from youtu_gguf.evaluate.intervals import intervals
from youtu_gguf.evaluate.mean import Mean


def measured(right: list[bool], each: int = 1) -> Mean:
    """Return a measure of images with `each` samples that are right or wrong together."""
    measure = Mean(lambda sample, _said: {"right": float(sample.truth)})
    for number, value in enumerate(right):
        for k in range(each):
            measure.add(Sample(f"{number}/{k}", Path(f"{number}.png"), truth=value), None)
    return measure


@pytest.mark.parametrize(("n", "half_width"), [(200, 0.042), (500, 0.026), (1000, 0.019)])
def test_at_90_percent_the_interval_is_that_of_the_binomial(n: int, half_width: float) -> None:
    low, high = intervals(measured([i % 10 != 0 for i in range(n)]))["right"]
    assert 1.96 * math.sqrt(0.9 * 0.1 / n) == pytest.approx(half_width, abs=0.0006)
    assert (high - low) / 2 == pytest.approx(half_width, rel=0.1)  # 1,000 draws give the ends to some 5 %
    assert low < 0.9 < high


def test_it_covers_the_true_share_in_19_of_20_cases() -> None:
    rng = np.random.default_rng(5)
    ends = [intervals(measured((rng.random(150) < 0.8).tolist()), draws=100)["right"] for _ in range(120)]
    covered = sum(low <= 0.8 <= high for low, high in ends) / len(ends)
    assert 0.88 <= covered <= 0.99  # 3 standard deviations of 120 cases about 0.95 are 0.06


def test_samples_of_one_image_do_not_count_as_independent() -> None:
    right = [i % 10 != 0 for i in range(200)]
    alone, several = (intervals(measured(right, each))["right"] for each in (1, 5))
    assert several == alone


def test_it_is_the_same_in_every_run_and_another_with_another_seed() -> None:
    right = [i % 3 != 0 for i in range(50)]
    first, again, other = (intervals(measured(right), seed=seed)["right"] for seed in (0, 0, 1))
    assert first == again != other


def test_one_image_has_no_interval_and_what_no_image_has_has_none() -> None:
    assert all(map(math.isnan, intervals(measured([True]))["right"]))
    measure = Mean(lambda _sample, _said: {"off": float("nan")})
    for number in range(3):
        measure.add(Sample(str(number), Path(f"{number}.png")), None)
    assert all(map(math.isnan, intervals(measure)["off"]))
