"""Boxes of several answers about one picture, or of one that repeats itself, as one set."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from youtu_gguf.types import F32

MERGE_IOU = 0.7
"""Boxes of one label that overlap by more are the same object (facts: dense maps, 8)."""


def distinct_boxes(xyxy: F32, labels: Sequence[str], iou: float = MERGE_IOU) -> npt.NDArray[np.intp]:
    """Return the indices of the boxes that remain after non-maximum suppression in every label, the largest box first.

    A box's area is its confidence: of boxes with one label whose intersection over union exceeds `iou` the largest
    remains, of equal ones the earliest. A box without area overlaps nothing; it comes last and always remains.

    Args:
        xyxy: (n, 4) left, top, right, bottom in one frame, with left <= right and top <= bottom.
        labels: n names.
        iou: Most overlap of two objects, 0 to 1.

    Source: the evaluation on COCO in the Youtu-VL report, arXiv 2601.19798 (facts: dense maps, 8).
    """
    boxes = np.nan_to_num(np.asarray(xyxy, np.float64).reshape(-1, 4))
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    order = np.argsort(-areas, kind="stable")
    numbers: dict[str, int] = {}
    names = np.array([numbers.setdefault(label, len(numbers)) for label in labels], np.intp)
    remains = np.ones(len(boxes), np.bool_)
    for place, index in enumerate(order):
        if remains[index]:
            rest = order[place + 1 :]
            same = rest[names[rest] == names[index]]
            remains[same[_overlaps(boxes[index], boxes[same], areas[index], areas[same]) > iou]] = False
    distinct: npt.NDArray[np.intp] = order[remains[order]]
    return distinct


def _overlaps(
    box: npt.NDArray[np.float64], others: npt.NDArray[np.float64], area: float, areas: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return the intersection over union of `box` with each of `others` (n, 4); 0 where both have no area."""
    sides = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    both = np.prod(np.maximum(sides, 0), axis=1)
    union = area + areas - both
    overlaps: npt.NDArray[np.float64] = np.divide(both, union, out=np.zeros_like(both), where=union > 0)
    return overlaps
