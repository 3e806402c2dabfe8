"""Figures that are means over samples: shares of right answers, and mean errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from youtu_gguf.evaluate.base import F64, Measure, Prediction, Sample


class Mean(Measure):
    """Means over samples.

    Args:
        judge: Returns the numbers of one sample by figure; a figure that it leaves out, or that is NaN, does not count
            for the sample. It is given None where the question failed.
    """

    def __init__(self, judge: Callable[[Sample, Prediction | None], Mapping[str, float]]) -> None:
        super().__init__()
        self._judge = judge
        self._of_images: dict[str, list[tuple[float, int]]] = {}
        self._stacked: dict[str, F64] = {}  # the same, made when figures are

    def add(self, sample: Sample, said: Prediction | None) -> None:
        """Judge a sample."""
        number = self.image_number(sample)
        self._stacked.clear()
        for name, value in self._judge(sample, said).items():
            of_images = self._of_images.setdefault(name, [])
            of_images += [(0.0, 0)] * (self.n_images - len(of_images))
            if not np.isnan(value):
                total, n = of_images[number]
                of_images[number] = (total + float(value), n + 1)

    def figures(self, weights: F64 | None = None) -> dict[str, float]:
        """Return the means."""
        counts = np.ones(self.n_images) if weights is None else weights
        if not self._stacked:
            self._stacked = {name: np.array(numbers, np.float64) for name, numbers in self._of_images.items()}
        found = {}
        for name, of_images in self._stacked.items():
            total, n = (counts[: len(of_images)] @ of_images).tolist()
            found[name] = total / n if n else float("nan")
        return found
