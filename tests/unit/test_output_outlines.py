"""Outlines of masks: along the edges of pixels, or near them with fewer points."""

import cv2
import numpy as np
import pytest

from youtu_gguf.output.outlines import filled_outlines, joined, mask_outlines
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


def noise(seed: int) -> Bits:
    values = np.random.default_rng(seed).standard_normal((120, 150)).astype(np.float32)
    return cv2.GaussianBlur(values, (0, 0), 2.0 + seed) > -0.02


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning")
@pytest.mark.parametrize("bits", [disc(40), disc(40) & ~disc(15), np.eye(6, dtype=np.bool_), *map(noise, range(4))])
def test_filled_outlines_give_the_mask_back_to_pycocotools_and_to_opencv(bits: Bits) -> None:
    coco = pytest.importorskip("pycocotools.mask")
    rings = filled_outlines(bits)
    parts, _ = cv2.connectedComponents(bits.astype(np.uint8), connectivity=8)
    assert len(rings) == parts - 1
    texts = coco.frPyObjects([ring.ravel().tolist() for ring in rings], *bits.shape)
    assert np.array_equal(np.asarray(coco.decode(coco.merge(texts)), np.bool_), bits)
    drawn = np.zeros(bits.shape, np.uint8)
    for ring in rings:
        cv2.fillPoly(drawn, [ring.astype(np.int32)], 1)
    wrong = np.count_nonzero(drawn.astype(np.bool_) != bits)  # a line to a hole that leads over another one is drawn
    assert wrong <= 0.001 * np.count_nonzero(bits)


def test_a_mask_without_pixels_has_no_outlines_to_fill() -> None:
    assert filled_outlines(np.zeros((3, 3), np.bool_)) == []


def test_outlines_are_joined_where_they_are_closest() -> None:
    square = np.array([[0, 0], [4, 0], [4, 4], [0, 4]])
    joint = joined(square, [square + np.array([6, 0]), square + np.array([0, 9])])
    assert joint.tolist() == [
        [0, 0], [4, 0], [6, 0], [10, 0], [10, 4], [6, 4], [6, 0], [4, 0],
        [4, 4], [0, 4], [0, 9], [4, 9], [4, 13], [0, 13], [0, 9], [0, 4],
    ]  # fmt: skip
    assert cv2.contourArea(joint.astype(np.float32)) == 3 * 16
