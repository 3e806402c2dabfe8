"""How far figures may be off because other images could have been drawn: 95 % intervals by bootstrap over images."""

from __future__ import annotations

import numpy as np

from youtu_gguf.evaluate.base import Measure

PERCENTILES = (2.5, 97.5)
"""What leaves 95 % of the draws between."""

FEWEST_IMAGES = 2
"""One image says nothing about how images differ."""


def intervals(measure: Measure, draws: int | None = None, seed: int = 0) -> dict[str, tuple[float, float]]:
    """Return the lower and upper end of each figure's 95 % interval; NaN where it has none.

    Images are drawn with repetition, as many as there are, and the figures are made again; the ends are percentiles of
    these. Images are drawn, not samples, since samples of one image are not independent of each other. Where every
    answer is right, or none, all draws are equal and the interval has no width, which does not mean certainty.

    Args:
        measure: What has compared the answers.
        draws: How often; the measure's own number by default.
        seed: Of the draws.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13 (percentile intervals).
    """
    n = measure.n_images
    names = measure.figures()
    if n < FEWEST_IMAGES:
        return dict.fromkeys(names, (float("nan"), float("nan")))
    rng = np.random.default_rng(seed)
    found: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(measure.draws if draws is None else draws):
        weights = np.bincount(rng.integers(0, n, n), minlength=n).astype(np.float64)
        for name, value in measure.figures(weights).items():
            if not np.isnan(value):
                found[name].append(value)
    return {name: _ends(values) for name, values in found.items()}


def _ends(values: list[float]) -> tuple[float, float]:
    if not values:
        return float("nan"), float("nan")
    low, high = np.percentile(values, PERCENTILES)
    return float(low), float(high)
