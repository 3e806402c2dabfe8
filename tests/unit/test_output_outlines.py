"""Outlines of masks: along the edges of pixels, or near them with fewer points."""

import cv2
import numpy as np
import pytest

from youtu_gguf.output.outlines import mask_outlines
from youtu_gguf.types import F32, Bits


def disc(radius: float, size: int = 101) -> Bits:
    y, x = np.mgrid[:size, :size]
    return (x - size // 2) ** 2 + (y - size // 2) ** 2 < radius**2


def inside(rings: list[F32], bits: Bits) -> Bits:
    """Return which middles of pixels are within a ring."""
    y, x = np.mgrid[: bits.shape[0], : bits.shape[1]] + 0.5
    points = np.column_stack([x.ravel(), y.ravel()])
    found = [[cv2.pointPolygonTest(ring, point, measureDist=False) > 0 for point in points.tolist()] for ring in rings]
    return np.any(found, axis=0).reshape(bits.shape)


def without_holes(bits: Bits) -> Bits:
    outer, _ = cv2.findContours(bits.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros(bits.shape, np.uint8)
    cv2.drawContours(filled, outer, -1, 1, cv2.FILLED)
    return filled.astype(np.bool_)


def test_an_outline_goes_along_the_edges_of_pixels() -> None:
    bits = np.zeros((8, 9), np.bool_)
    bits[2:5, 3:7] = True
    (ring,) = mask_outlines(bits)
    assert sorted(ring.tolist()) == [[3, 2], [3, 5], [7, 2], [7, 5]]
    assert cv2.contourArea(ring) == np.count_nonzero(bits)


@pytest.mark.parametrize("seed", range(12))
def test_exact_outlines_hold_the_pixels_of_the_mask_and_no_others(seed: int) -> None:
    rng = np.random.default_rng(seed)
    bits = cv2.GaussianBlur(rng.random((24, 31)).astype(np.float32), (0, 0), 1 + seed % 3) > 0.5
    rings = mask_outlines(bits, 0)
    assert np.array_equal(inside(rings, bits), without_holes(bits))


def test_an_outline_has_few_points_and_stays_within_the_tolerance() -> None:
    bits = disc(40)
    (exact,), (few,) = mask_outlines(bits, 0), mask_outlines(bits)
    assert len(few) < len(exact) / 3
    assert max(abs(cv2.pointPolygonTest(few, point, measureDist=True)) for point in exact.tolist()) <= 1


def test_the_largest_part_comes_first_and_holes_are_not_told() -> None:
    bits = np.zeros((40, 60), np.bool_)
    bits[1:3, 1:3] = True
    bits[5:35, 20:50] = True
    bits[10:20, 30:40] = False
    large, small = mask_outlines(bits)
    assert [cv2.contourArea(ring) for ring in (large, small)] == [900, 4]


@pytest.mark.parametrize("bits", [np.ones((1, 1), np.bool_), np.ones((1, 40), np.bool_), np.eye(9, dtype=np.bool_)])
def test_thin_parts_keep_their_area(bits: Bits) -> None:
    rings = mask_outlines(bits, 3)
    assert all(len(ring) >= 3 for ring in rings)
    assert sum(cv2.contourArea(ring) for ring in rings) > 0


def test_an_empty_mask_has_no_outline() -> None:
    assert mask_outlines(np.zeros((3, 4), np.bool_)) == []
