"""Masks as COCO's files have them: outlines, run lengths, and compressed run lengths.

Everything is checked before anything is allocated: a file may state a huge mask in a few bytes.

Source: cocodataset/cocoapi, common/maskApi.c and PythonAPI/pycocotools/_mask.pyx.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from youtu_gguf.errors import InputError
from youtu_gguf.evaluate.data.needed import needed
from youtu_gguf.output.rle import coco_rle
from youtu_gguf.types import Bits, Size

Rle = dict[str, Any]
"""`{"size": [H, W], "counts": bytes}`, as the functions of pycocotools.mask take it."""

_FEWEST_NUMBERS = 6  # three points; four numbers would be taken for a box by pycocotools
_FARTHEST = 1.0  # how far an outline may leave the image, in its sides
_LONGEST = 4.0  # length of an outline in the pixels of its image: it decides about the memory that pycocotools takes
_MOST_DIGITS = 7  # of 5 bits; no image has as many pixels
_FIRST_CHARACTER, _BITS, _MORE, _SIGN = 48, 5, 32, 16


def mask_of(segmentation: Any, size: Size, where: str = "segmentation") -> Bits:
    """Return the pixels of a mask.

    Args:
        segmentation: A list of outlines, each x, y, x, y...; or `size` and `counts`, these a list or compressed.
        size: Of its image.
        where: The file and the place in it, for messages.

    Returns:
        (H, W), True inside. Outlines are filled as pycocotools fills them.

    Raises:
        InputError: It is none of these, or is of another size.
    """
    rle = rle_of(segmentation, size, where) if isinstance(segmentation, list) else segmentation
    return _pixels(_runs(rle, size, where), size)


def rle_of(segmentation: Any, size: Size, where: str = "segmentation") -> Rle:
    """Return a mask as compressed run lengths, for functions of pycocotools; the arguments are those of `mask_of`.

    Raises:
        InputError: As `mask_of`.
    """
    if isinstance(segmentation, list):
        return _rle_of_outlines(segmentation, size, where)
    runs = _runs(segmentation, size, where)
    counts = segmentation["counts"]
    text = _text(_pixels(runs, size)) if isinstance(counts, list) else counts
    return {"size": [size.height, size.width], "counts": text.encode() if isinstance(text, str) else text}


def _rle_of_outlines(outlines: list[Any], size: Size, where: str) -> Rle:
    if not outlines:
        return {"size": [size.height, size.width], "counts": _text(np.zeros(size[::-1], np.bool_)).encode()}
    for i, outline in enumerate(outlines):
        _check_outline(outline, size, f"{where}, outline {i}")
    masks = needed("pycocotools.mask")
    rle: Rle = masks.merge(masks.frPyObjects(outlines, size.height, size.width))
    return rle


def _check_outline(outline: Any, size: Size, where: str) -> None:
    numbers = outline if isinstance(outline, list) else []
    if len(numbers) < _FEWEST_NUMBERS or len(numbers) % 2 or any(type(n) not in (int, float) for n in numbers):
        raise InputError(f"{where}: expected x, y of three points or more; got {str(outline)[:60]}.")
    limits = [(-_FARTHEST * side, (1 + _FARTHEST) * side) for side in size]
    if not all(limits[i % 2][0] <= number <= limits[i % 2][1] for i, number in enumerate(numbers)):
        raise InputError(f"{where}: expected points in {size.width}x{size.height}; some are far off or no numbers.")
    points = np.array(numbers, np.float64).reshape(-1, 2)
    length = np.abs(points - np.roll(points, 1, axis=0)).max(axis=1).sum()
    if length > _LONGEST * (size.width + 1) * (size.height + 1):
        raise InputError(f"{where}: expected an outline of an object; got one of {length:.0f} pixels, to and fro.")


def _runs(segmentation: Any, size: Size, where: str) -> npt.NDArray[np.int64]:
    """Return the lengths of runs down the columns, outside and inside in turn, which are as long as the image."""
    if not isinstance(segmentation, dict) or not {"size", "counts"} <= segmentation.keys():
        raise InputError(f"{where}: expected outlines, or 'size' and 'counts'; got {str(segmentation)[:60]}.")
    if segmentation["size"] != [size.height, size.width]:
        raise InputError(
            f"{where}: expected a mask of height and width {[size.height, size.width]}, as its image; "
            f"got {str(segmentation['size'])[:60]}."
        )
    counts = segmentation["counts"]
    match counts:
        case str() | bytes():
            runs = _uncompressed(counts, where)
        case list() if all(type(n) is int and 0 <= n <= size.width * size.height for n in counts):
            runs = np.array(counts, np.int64)
        case _:
            raise InputError(f"{where}: expected 'counts' to be whole numbers or a text; got {str(counts)[:60]}.")
    if (runs < 0).any() or runs.sum() != size.width * size.height:
        raise InputError(f"{where}: expected runs of {size.width * size.height} pixels in all; got {runs.sum()}.")
    return runs


def _uncompressed(counts: str | bytes, where: str) -> npt.NDArray[np.int64]:
    """Return the runs that a text stands for; `output.rle.coco_rle` says how."""
    data = np.frombuffer(counts.encode("utf-8") if isinstance(counts, str) else counts, np.uint8).astype(np.int64)
    groups = data - _FIRST_CHARACTER
    if not groups.size or ((groups < 0) | (groups >= 2 * _MORE)).any() or (groups[-1:] & _MORE).any():
        raise InputError(f"{where}: expected 'counts' to be compressed run lengths; got {str(counts)[:60]!r}.")
    last = np.flatnonzero(groups & _MORE == 0)
    first = np.concatenate([[0], last[:-1] + 1]).astype(np.int64)
    lengths = last - first + 1
    if lengths.max() > _MOST_DIGITS:
        raise InputError(f"{where}: expected 'counts' to be compressed run lengths; a number has too many digits.")
    place = np.arange(len(groups)) - np.repeat(first, lengths)
    values: npt.NDArray[np.int64] = np.add.reduceat((groups & (_MORE - 1)) << (_BITS * place), first)
    values -= ((groups[last] & _SIGN) != 0).astype(np.int64) << (_BITS * lengths)
    for start in (1, 2):  # from the fourth on, a number is the difference to the one two before
        values[start::2] = np.cumsum(values[start::2])
    return values


def _text(bits: Bits) -> str:
    return str(coco_rle(bits)["counts"])


def _pixels(runs: npt.NDArray[np.int64], size: Size) -> Bits:
    inside = np.arange(len(runs)) % 2 == 1
    pixels: Bits = np.repeat(inside, runs).reshape(size.width, size.height).T
    return pixels
