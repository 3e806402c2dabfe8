"""A guided filter: smooths maps over an image, but not across its edges. One map at a time, as many as there are.

Written from He, Sun and Tang, "Guided Image Filtering" (IEEE TPAMI 35(6), 2013), equations 14 and 19: within every
window the filtered map is an affine function of the image's colour, fitted to the map by ridge regression.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from youtu_gguf.errors import InputError
from youtu_gguf.types import F32, U8

EPSILON = 1e-3
"""Ridge of the regression, as a variance of colours from 0 to 1: differences well below its root, 0.03, are not edges.
Our choice: scripts/bench/refine.py --settings finds no difference down to 1e-4, and a loss at 1e-2."""


class Fit(NamedTuple):
    """An affine function of the colour at every pixel of a window of the reduced image: a slope per colour, and an
    offset. `top` and `left` are where the window begins there."""

    slopes: list[F32]
    offset: F32
    top: int = 0
    left: int = 0


class GuidedFilter:
    """A filter for any number of maps over one image; what depends on the image alone is computed once.

    With a `step`, the functions are fitted to an image and maps reduced by so much, and applied to the whole image:
    the functions are smooth, and the edges come with the colours. A pixel of the result depends on the image and the
    map up to `reach` pixels away. Beyond the border, both are mirrored.

    Attributes:
        step: As given.

    Args:
        rgb: (H, W, 3) uint8, the guide.
        radius: Windows are squares of 2 x radius + 1 pixels.
        epsilon: The larger, the smoother.
        step: Pixels per side of the squares whose mean is a pixel of the reduced image.

    Raises:
        InputError: The radius is below 1, or epsilon is not positive.

    Source of the step: He and Sun, "Fast Guided Filter" (arXiv 1505.00996).
    """

    def __init__(self, rgb: U8, radius: int, epsilon: float = EPSILON, step: int = 1) -> None:
        if radius < 1 or step < 1 or not 0 < epsilon < math.inf:
            raise InputError(
                f"a guided filter needs radius >= 1, step >= 1 and epsilon > 0; got {radius}, {step} and {epsilon}."
            )
        self._side = 2 * _reduced(radius, step) + 1
        self.step = step
        self._full = _planes(rgb)
        self._colours = self._full if step == 1 else _planes(_shrink(rgb, step))
        self._means = [self._mean(colour) for colour in self._colours]
        self._inverse = self._inverse_covariance(np.float32(epsilon))

    @staticmethod
    def reach(radius: int, step: int = 1) -> int:
        """Return how far away a pixel can change the result: it is the mean of fits that are means themselves."""
        return (2 * _reduced(radius, step) + (step > 1)) * step

    def __call__(self, values: F32) -> F32:
        """Return the filtered map, (H, W) float32, of a map on the reduced image."""
        height, width = self._full[0].shape
        return self.at(self.fit(values), slice(0, height), slice(0, width))

    def fit(self, values: F32, rows: slice | None = None, columns: slice | None = None) -> Fit:
        """Return the functions, averaged over windows, that fit a map on the reduced image.

        With `rows` and `columns` they are those for this window of the whole image alone.
        """
        near = self._side  # two means, each over half of it to either side, and a pixel to interpolate
        top, left = (0 if part is None else max(0, part.start // self.step - near) for part in (rows, columns))
        bottom, right = (None if part is None else -(-part.stop // self.step) + near for part in (rows, columns))
        window = np.s_[top:bottom, left:right]
        values, colours = values[window], [colour[window] for colour in self._colours]
        means, mean = [colour_mean[window] for colour_mean in self._means], self._mean(values)
        both = list(zip(colours, means, strict=True))
        covariance = [self._mean(colour * values) - colour_mean * mean for colour, colour_mean in both]
        slopes = [sum_of_products([entry[window] for entry in row], covariance) for row in self._inverse]
        offset = mean - sum_of_products(slopes, means)
        return Fit([self._mean(slope) for slope in slopes], self._mean(offset), top, left)

    def at(self, fit: Fit, rows: slice, columns: slice) -> F32:
        """Return the filtered map in a window of the whole image that begins at multiples of the step."""
        result = self._enlarged(fit.offset, fit, rows, columns)
        for slope, colour in zip(fit.slopes, self._full, strict=True):
            product = self._enlarged(slope, fit, rows, columns)
            product *= colour[rows, columns]
            result += product
        return result

    def _enlarged(self, values: F32, fit: Fit, rows: slice, columns: slice) -> F32:
        """Return values of a fit at the pixels of a window of the whole image, bilinearly; a copy."""
        import cv2

        step = self.step
        y, x = rows.start - fit.top * step, columns.start - fit.left * step
        height, width = rows.stop - rows.start, columns.stop - columns.start
        if step == 1:
            return values[y : y + height, x : x + width].copy()
        top, left = max(0, y // step - 1), max(0, x // step - 1)
        part = values[top : -(-(y + height) // step) + 1, left : -(-(x + width) // step) + 1]
        large = cv2.resize(part, (part.shape[1] * step, part.shape[0] * step), interpolation=cv2.INTER_LINEAR)
        y, x = y - top * step, x - left * step
        return np.asarray(large[y : y + height, x : x + width], np.float32)

    def _mean(self, values: F32) -> F32:
        """Return the mean over the window around every pixel."""
        import cv2

        window = (self._side, self._side)
        return np.asarray(cv2.boxFilter(values, cv2.CV_32F, window, borderType=cv2.BORDER_REFLECT), np.float32)

    def _inverse_covariance(self, epsilon: np.float32) -> list[list[F32]]:
        """Return the inverse of each window's 3x3 covariance of colours with the ridge, as rows of (H, W) entries."""
        colours, means = self._colours, self._means

        def covariance(i: int, j: int) -> F32:
            return self._mean(colours[i] * colours[j]) - means[i] * means[j]

        rr, gg, bb = (covariance(i, i) + epsilon for i in range(3))
        rg, rb, gb = covariance(0, 1), covariance(0, 2), covariance(1, 2)
        c_rr, c_rg, c_rb = gg * bb - gb * gb, rb * gb - rg * bb, rg * gb - rb * gg
        c_gg, c_gb, c_bb = rr * bb - rb * rb, rg * rb - rr * gb, rr * gg - rg * rg
        scale = 1 / (rr * c_rr + rg * c_rg + rb * c_rb)
        inverse = {"rr": c_rr * scale, "rg": c_rg * scale, "rb": c_rb * scale}
        inverse |= {"gg": c_gg * scale, "gb": c_gb * scale, "bb": c_bb * scale}
        return [
            [inverse[entry] for entry in row] for row in (("rr", "rg", "rb"), ("rg", "gg", "gb"), ("rb", "gb", "bb"))
        ]


def limit_threads(n: int) -> None:
    """Let OpenCV use at most `n` threads: it counts processors, and does not know the quota of a container."""
    import cv2

    if cv2.getNumThreads() > n:
        cv2.setNumThreads(n)


def _reduced(radius: int, step: int) -> int:
    return max(1, round(radius / step))


def _planes(rgb: U8) -> list[F32]:
    """Return three (H, W) maps of colours from 0 to 1."""
    import cv2

    fractions = (np.arange(256) / 255).astype(np.float32)
    return [np.asarray(cv2.LUT(plane, fractions), np.float32) for plane in cv2.split(rgb)]


def _shrink(rgb: U8, step: int) -> U8:
    """Return the means of squares of `step` pixels; the last ones are filled up with the border's colours."""
    import cv2

    height, width = rgb.shape[:2]
    filled = cv2.copyMakeBorder(rgb, 0, -height % step, 0, -width % step, cv2.BORDER_REPLICATE)
    size = filled.shape[1] // step, filled.shape[0] // step
    return np.asarray(cv2.resize(filled, size, interpolation=cv2.INTER_AREA), np.uint8)


def sum_of_products(left: list[F32], right: list[F32]) -> F32:
    """Return the sum of `left[i] * right[i]` per pixel."""
    result = left[0] * right[0]
    for a, b in zip(left[1:], right[1:], strict=True):
        result += a * b
    return result
