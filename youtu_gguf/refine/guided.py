"""A guided filter: smooths maps over a picture, but not across its edges. One map at a time, as many as there are.

Written from He, Sun and Tang, "Guided Image Filtering" (IEEE TPAMI 35(6), 2013), equations 14 and 19: within every
window the filtered map is an affine function of the picture's colour, fitted to the map by ridge regression.
"""

from __future__ import annotations

import math

import numpy as np

from youtu_gguf.errors import InputError
from youtu_gguf.types import F32, U8

EPSILON = 1e-3
"""Ridge of the regression, as a variance of colours from 0 to 1: differences well below its root, 0.03, are no edges.
Ours: scripts/bench/refinement.py finds no difference down to 1e-4, and a loss at 1e-2."""


class GuidedFilter:
    """A filter for any number of maps over one picture; what depends on the picture alone is computed once.

    A pixel of the result depends on the picture and the map up to `reach` pixels away. Beyond the border, both are
    mirrored.

    Args:
        rgb: (H, W, 3) uint8, the guide.
        radius: Windows are squares of 2 x radius + 1 pixels.
        epsilon: The larger, the smoother.

    Raises:
        InputError: The radius is below 1, or epsilon is not positive.
    """

    def __init__(self, rgb: U8, radius: int, epsilon: float = EPSILON) -> None:
        if radius < 1 or not 0 < epsilon < math.inf:
            raise InputError(f"a guided filter needs radius >= 1 and epsilon > 0; got {radius} and {epsilon}.")
        self._side = 2 * radius + 1
        self._colours = [np.ascontiguousarray(rgb[..., c], np.float32) / np.float32(255) for c in range(3)]
        self._means = [self._mean(colour) for colour in self._colours]
        self._inverse = self._inverse_covariance(np.float32(epsilon))

    @staticmethod
    def reach(radius: int) -> int:
        """Return how far away a pixel can change the result: it is the mean of fits that are means themselves."""
        return 2 * radius

    def __call__(self, values: F32) -> F32:
        """Return the filtered (H, W) map, float32."""
        mean = self._mean(values)
        both = list(zip(self._colours, self._means, strict=True))
        covariance = [self._mean(colour * values) - colour_mean * mean for colour, colour_mean in both]
        slopes = [sum_of_products(row, covariance) for row in self._inverse]
        offset = mean - sum_of_products(slopes, self._means)
        smooth_slopes = [self._mean(slope) for slope in slopes]
        return self._mean(offset) + sum_of_products(smooth_slopes, self._colours)

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


def sum_of_products(left: list[F32], right: list[F32]) -> F32:
    """Return the sum of `left[i] * right[i]` per pixel."""
    result = left[0] * right[0]
    for a, b in zip(left[1:], right[1:], strict=True):
        result += a * b
    return result
