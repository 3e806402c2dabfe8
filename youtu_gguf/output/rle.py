"""Masks as COCO's compressed run lengths: what pycocotools reads and writes."""

from functools import cache
from itertools import chain

import numpy as np
import numpy.typing as npt

from youtu_gguf.types import F32, Bits, extent

I64 = npt.NDArray[np.int64]
U16 = npt.NDArray[np.uint16]

_BITS = 5  # of a number in each character
_FIRST_CHARACTER = 48
_REACH = 512  # two groups hold -512 to 511
_AT_ONCE = 1 << 16  # numbers, which bounds the memory for a mask that is all noise


def coco_rle(bits: Bits, box: F32 | None = None) -> dict[str, object]:
    """Return an (H, W) mask as `{"size": [H, W], "counts": "..."}`.

    The counts are the lengths of runs down the columns, left to right, the first of pixels outside. From the fourth on
    each is written as its difference to the one two before; numbers are groups of 5 bits, the lowest first, a sixth bit
    says that more follow, and each group is a character from "0" on.

    Args:
        bits: The mask.
        box: Left, top, right, bottom (4,) of its True pixels, as `types.extent` gives it; found out when None.

    Source: `rleToString` of pycocotools (cocodataset/cocoapi, common/maskApi.c).
    """
    counts = _column_runs(bits, extent(bits) if box is None else box)
    counts[3:] -= counts[1:-2].copy()
    if len(counts) <= _AT_ONCE:
        return {"size": [*bits.shape], "counts": _as_text(counts)}
    parts = (counts[start : start + _AT_ONCE] for start in range(0, len(counts), _AT_ONCE))
    return {"size": [*bits.shape], "counts": "".join(map(_as_text, parts))}


def _column_runs(bits: Bits, box: F32 | None) -> I64:
    """Return the lengths of the runs down the columns, outside and inside in turn, beginning with outside."""
    ends = np.array([bits.size]) if box is None else _ends(bits, *box.astype(int).tolist())
    ends[1:] -= ends[:-1].copy()
    return ends


def _ends(bits: Bits, left: int, top: int, right: int, bottom: int) -> I64:
    """Return where runs end, counted down the columns, in a mask whose pixels lie in a box.

    Only the box is looked at, with the row below it, which ends the last run of each column; without such a row whole
    columns are.
    """
    import cv2

    height = bits.shape[0]
    top, below = (top, bottom + 1) if bottom < height else (0, height)
    flat = cv2.transpose(bits[top:below, left:right].view(np.uint8)).ravel()  # several times as fast as NumPy's
    changes = (flat[1:] != flat[:-1]).nonzero()[0]
    first = 1 if flat[0] else 0  # a run that ends before the first pixel of the box
    last = 1 if flat[-1] and right < bits.shape[1] else 0
    ends = np.zeros(first + len(changes) + last + 1, np.int64)
    np.add(changes, 1, out=ends[first : first + len(changes)])
    if last:
        ends[-2] = flat.size
    ends += ends // (below - top) * (height - below + top) + (left * height + top)
    ends[-1] = bits.size
    return ends


def _as_text(numbers: I64) -> str:
    """Return each number as its groups of bits. Nearly all numbers are small: their groups stand in a table."""
    characters, written = _small_numbers()
    places = numbers + _REACH
    is_far = places.view(np.uint64) >= 2 * _REACH  # negative ones are the largest without a sign
    far = is_far.nonzero()[0]
    places[far] = 2 * _REACH
    text = characters.take(places).view(np.uint8)[written.take(places).view(np.bool_)].tobytes().decode("ascii")
    if not far.size:
        return text
    others = [*map(_groups, numbers[far].tolist()), ""]
    return "".join(chain.from_iterable(zip(text.split("\0"), others, strict=True)))


@cache
def _small_numbers() -> tuple[U16, U16]:
    """Return the two characters of each number from -512 to 511, and whether each is written, as the halves of 16 bits.

    The last of both stands for all other numbers.
    """
    texts = [*map(_groups, range(-_REACH, _REACH)), "\0"]
    characters = np.frombuffer("".join(text.ljust(2) for text in texts).encode("ascii"), np.uint16)
    return characters, np.array([[True, len(text) > 1] for text in texts]).view(np.uint16).ravel()


def _groups(number: int) -> str:
    text = ""
    while True:
        low, number = number & 31, number >> _BITS
        ends = number == (-1 if low & 16 else 0)  # the highest bit that is written is the sign
        text += chr(_FIRST_CHARACTER + low + (0 if ends else 32))
        if ends:
            return text
