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
        self._values: dict[str, list[float]] = {}
        self._of_image: dict[str, list[int]] = {}

    def add(self, sample: Sample, said: Prediction | None) -> None:
        """Judge a sample."""
        number = self.image_number(sample)
        for name, value in self._judge(sample, said).items():
            self._values.setdefault(name, [])
            self._of_image.setdefault(name, [])
            if not np.isnan(value):
                self._values[name].append(float(value))
                self._of_image[name].append(number)

    def figures(self, weights: F64 | None = None) -> dict[str, float]:
        """Return the means."""
        counts = np.ones(self.n_images) if weights is None else weights
        found = {}
        for name, values in self._values.items():
            times = counts[np.array(self._of_image[name], np.int64)]
            total = float(times.sum())
            found[name] = float(np.dot(times, np.array(values, np.float64)) / total) if total else float("nan")
        return found
