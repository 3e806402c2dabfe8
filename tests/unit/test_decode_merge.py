"""Non-maximum suppression on boxes whose overlaps are known by hand."""

from __future__ import annotations

import numpy as np
import pytest

from youtu_gguf.decode.merge import distinct_boxes
from youtu_gguf.facts import MERGE_IOU

SQUARE = (0, 0, 10, 10)  # area 100


def distinct(boxes: list[tuple[float, ...]], labels: str | None = None, **options: float) -> list[int]:
    return distinct_boxes(np.array(boxes, np.float32), tuple(labels or "a" * len(boxes)), **options).tolist()


@pytest.mark.parametrize(
    ("other", "remaining"),
    [
        ((0, 0, 10, 8), [0]),  # 80 of 100
        ((0, 0, 10, 7), [0, 1]),  # 70 of 100: not more than 0.7
        ((0, 0, 10, 7.1), [0]),
        ((1, 1, 11, 11), [0, 1]),  # 81 of 119
        ((0, 1, 10, 11), [0]),  # 90 of 110
        ((10, 0, 20, 10), [0, 1]),  # they touch
        ((40, 40, 44, 44), [0, 1]),
        (SQUARE, [0]),
    ],
)
def test_boxes_of_one_label_are_one_where_they_overlap_by_more_than_the_limit(
    other: tuple[float, ...], remaining: list[int]
) -> None:
    assert distinct([SQUARE, other]) == remaining


def test_the_larger_box_remains_wherever_it_stands_and_comes_first() -> None:
    assert distinct([(0, 0, 10, 8), SQUARE, (50, 50, 80, 80)]) == [2, 1]


def test_of_equal_boxes_the_earliest_remains() -> None:
    assert distinct([(30, 30, 31, 31), SQUARE, SQUARE, SQUARE]) == [1, 0]


def test_a_box_that_is_gone_suppresses_nothing() -> None:
    # 12 high and 8 high overlap by 0.67; the one between them, by more than 0.7 with either, goes to the largest.
    assert distinct([(0, 0, 10, 12), (0, 0, 10, 10), (0, 0, 10, 8)]) == [0, 2]


def test_labels_are_kept_apart() -> None:
    assert distinct([SQUARE, SQUARE, (0, 0, 10, 9)], "aba") == [0, 1]


def test_a_box_without_area_remains_last_and_takes_nothing_with_it() -> None:
    point, line = (5, 5, 5, 5), (0, 5, 10, 5)
    assert distinct([point, line, SQUARE, point]) == [2, 0, 1, 3]


def test_no_number_is_no_area() -> None:
    assert distinct([(np.nan,) * 4, SQUARE, (0, 0, 10, 9)]) == [1, 0]


def test_no_boxes_are_no_boxes() -> None:
    assert distinct_boxes(np.zeros((0, 4), np.float32), ()).tolist() == []


def test_it_agrees_with_comparing_every_pair_on_many_boxes() -> None:
    rng = np.random.default_rng(3)
    corners = rng.integers(0, 40, (60, 2))
    boxes = np.concatenate([corners, corners + rng.integers(0, 20, (60, 2))], axis=1).astype(np.float32)
    labels = tuple(rng.choice(["cup", "pen"], 60))
    kept: list[int] = []
    for i in sorted(range(60), key=lambda i: -float(np.prod(boxes[i, 2:] - boxes[i, :2]))):
        if all(labels[i] != labels[k] or overlap(boxes[i], boxes[k]) <= MERGE_IOU for k in kept):
            kept.append(i)
    assert distinct_boxes(boxes, labels).tolist() == kept


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    inside = [(x, y) for x in range(60) for y in range(60) if a[0] <= x < a[2] and a[1] <= y < a[3]]
    both = sum(b[0] <= x < b[2] and b[1] <= y < b[3] for x, y in inside)
    union = len(inside) + float(np.prod(b[2:] - b[:2])) - both
    return both / union if union else 0.0
