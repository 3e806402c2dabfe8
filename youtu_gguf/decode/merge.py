"""Boxes of several answers about one image, or of one that repeats itself, as one set."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from youtu_gguf.facts import MERGE_IOU
from youtu_gguf.types import F32, Bits

_ROUNDING = 1e-9


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
    names = np.array([numbers.setdefault(label, len(numbers)) for label in labels], np.intp)[order]
    remains = np.empty(len(boxes), np.bool_)
    for number in range(len(numbers)):
        places = np.flatnonzero(names == number)
        remains[places] = _remaining(boxes[order[places]], areas[order[places]], iou)
    distinct: npt.NDArray[np.intp] = order[remains]
    return distinct


def _remaining(boxes: npt.NDArray[np.float64], areas: npt.NDArray[np.float64], iou: float) -> Bits:
    """Return which of (n, 4) boxes of one label remain, given with the largest first."""
    remains = np.ones(len(boxes), np.bool_)
    columns = np.ascontiguousarray(boxes.T)
    # Two boxes overlap by no more than the smaller area over the larger; the margin is for rounding.
    stops = np.searchsorted(-areas, -areas * iou * (1 - _ROUNDING), side="right")
    for place, stop in enumerate(stops.tolist()):
        if remains[place] and place + 1 < stop:
            rest = slice(place + 1, stop)
            overlaps = _overlaps(columns[:, place], columns[:, rest], areas[place], areas[rest])
            remains[rest] &= overlaps <= iou
    return remains


def _overlaps(
    box: npt.NDArray[np.float64], others: npt.NDArray[np.float64], area: float, areas: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return the intersection over union of `box` (4,) with each of `others` (4, n); 0 where both have no area."""
    width = np.minimum(box[2], others[2]) - np.maximum(box[0], others[0])
    height = np.minimum(box[3], others[3]) - np.maximum(box[1], others[1])
    both = np.maximum(width, 0) * np.maximum(height, 0)
    union = area + areas - both
    overlaps: npt.NDArray[np.float64] = np.divide(both, union, out=np.zeros_like(both), where=union > 0)
    return overlaps
