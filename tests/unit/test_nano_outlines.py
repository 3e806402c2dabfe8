"""Outlines of masks: how well their filling gives the mask again, and where the points lie."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from scripts.nano.outlines import OUTLINE_POINTS, outline
from scripts.nano.scenes import draw
from youtu_gguf.decode.polygons import fill_outlines
from youtu_gguf.types import Size

SHAPES = {
    "square": [(20, 20), (90, 20), (90, 80), (20, 80)],
    "triangle": [(60, 10), (100, 90), (15, 70)],
    "cross": [(40, 10), (70, 10), (70, 40), (100, 40), (100, 70), (70, 70), (70, 100), (40, 100), (40, 70), (10, 70),
              (10, 40), (40, 40)],
}  # fmt: skip


def filled(points: np.ndarray, mask: np.ndarray) -> np.ndarray:
    return fill_outlines([[points]], Size(mask.shape[1], mask.shape[0]))


def iou(mask: np.ndarray) -> float:
    again = filled(outline(mask), mask)
    return float((mask & again).sum() / (mask | again).sum())


def polygon(corners: list[tuple[int, int]]) -> np.ndarray:
    canvas = np.zeros((110, 120), np.uint8)
    cv2.fillPoly(canvas, [np.array(corners, np.int32)], 1)
    return canvas.astype(bool)


def circle(radius: int) -> np.ndarray:
    canvas = np.zeros((110, 120), np.uint8)
    cv2.circle(canvas, (60, 55), radius, 1, -1)
    return canvas.astype(bool)


def turned_back(mask: np.ndarray, degrees: float) -> np.ndarray:
    """Return the outline of a mask that is turned about its middle, turned back."""
    size = mask.shape[::-1]
    turn = cv2.getRotationMatrix2D((size[0] / 2, size[1] / 2), degrees, 1.0)
    turned = cv2.warpAffine(mask.astype(np.float32), turn, size) > 0.5
    back = cv2.invertAffineTransform(turn)
    return outline(turned) @ back[:, :2].T + back[:, 2]


@pytest.mark.parametrize("shape", SHAPES)
def test_outline_keeps_every_corner(shape: str) -> None:
    points = outline(polygon(SHAPES[shape]))
    for corner in SHAPES[shape]:
        assert np.hypot(*(points - np.add(corner, 0.5)).T).min() < 2.5


@pytest.mark.parametrize("radius", [12, 25, 45])
def test_filled_outline_of_a_circle_is_the_circle(radius: int) -> None:
    assert iou(circle(radius)) > 0.96


def test_filled_outlines_of_drawn_things_are_the_things() -> None:
    ious: dict[str, list[float]] = {"person": [], "other": []}
    for seed in range(12):
        for thing in draw(seed).things:
            ious["person" if thing.kind == "person" else "other"].append(iou(thing.mask))
    assert np.mean(ious["other"]) > 0.96
    assert np.mean(ious["person"]) > 0.8  # limbs have more corners than an outline has points


def test_points_run_clockwise_from_above_the_middle() -> None:
    points = outline(circle(40))
    assert points.shape == (OUTLINE_POINTS, 2)
    turns = np.degrees(np.arctan2(points[:, 0] - 60.5, 55.5 - points[:, 1])) % 360
    assert turns == pytest.approx(np.arange(OUTLINE_POINTS) * 360 / OUTLINE_POINTS, abs=4)


def test_outline_moves_with_the_mask() -> None:
    mask = polygon(SHAPES["cross"])
    moved = np.roll(mask, (4, 7), axis=(0, 1))
    assert outline(moved) == pytest.approx(outline(mask) + np.array((7, 4)))


def test_points_turn_with_the_mask() -> None:
    things = [thing for seed in range(6) for thing in draw(seed).things]
    away = [np.abs(turned_back(thing.mask, 3.0) - outline(thing.mask)).mean() for thing in things]
    assert np.median(away) < 2.0
    assert np.mean(away) < 3.0


def test_outline_follows_the_largest_part() -> None:
    mask = circle(30)
    mask[2:8, 2:8] = True
    assert outline(mask) == pytest.approx(outline(circle(30)))


def test_one_pixel_has_an_outline() -> None:
    mask = np.zeros((9, 9), bool)
    mask[4, 5] = True
    assert outline(mask) == pytest.approx(np.full((OUTLINE_POINTS, 2), (5.5, 4.5)))
