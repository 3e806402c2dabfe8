"""Masks as COCO's compressed run lengths: what pycocotools reads and writes."""

import numpy as np

from youtu_gguf.types import I32, Bits

_BITS = 5  # of a number in each character
_GROUPS = 6  # 30 bits with the sign; no image has 1 << 29 pixels
_FIRST_CHARACTER = 48
_AT_ONCE = 1 << 16  # numbers, which bounds the memory for a mask that is all noise


def coco_rle(bits: Bits) -> dict[str, object]:
    """Return an (H, W) mask as `{"size": [H, W], "counts": "..."}`.

    The counts are the lengths of runs down the columns, left to right, the first of pixels outside. From the fourth on
    each is written as its difference to the one two before; numbers are groups of 5 bits, the lowest first, a sixth bit
    says that more follow, and each group is a character from "0" on.

    Source: `rleToString` of pycocotools (cocodataset/cocoapi, common/maskApi.c).
    """
    counts = _column_runs(bits)
    counts[3:] -= counts[1:-2].copy()
    parts = (counts[start : start + _AT_ONCE] for start in range(0, len(counts), _AT_ONCE))
    return {"size": [*bits.shape], "counts": "".join(map(_as_text, parts))}


def _column_runs(bits: Bits) -> I32:
    """Return the lengths of the runs down the columns, outside and inside in turn, beginning with outside."""
    columns = np.flatnonzero(bits.any(axis=0))
    if not columns.size:
        return np.array([bits.size], np.int32)
    left, right = int(columns[0]), int(columns[-1]) + 1
    flat = bits[:, left:right].ravel(order="F")  # a copy across the rows, which is slow: of no more than must be
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    first = [0] if flat[0] else []
    last = [flat.size] if flat[-1] and right < bits.shape[1] else []
    starts = np.concatenate([first, changes, last]) + left * bits.shape[0]
    return np.diff(np.concatenate([[0], starts, [bits.size]])).astype(np.int32)


def _as_text(numbers: I32) -> str:
    shifted = numbers[:, None] >> np.arange(0, _GROUPS * _BITS, _BITS, dtype=np.int32)
    low = shifted & 31
    left = shifted >> _BITS
    negative = low & 16 != 0  # the highest bit that is written is the sign
    more = np.where(negative, left != -1, left != 0)
    written = np.column_stack([np.ones(len(numbers), np.bool_), np.logical_and.accumulate(more, axis=1)[:, :-1]])
    characters = ((low | more * 32) + _FIRST_CHARACTER).astype(np.uint8)
    return bytes(characters[written]).decode("ascii")
