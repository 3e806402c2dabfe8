"""Run-length pairs `(value, run),(value, run)`: the text in which the reference appends a mask to an answer.

Pixels are taken row by row from the top-left corner (facts: answers by task). Runs may cross row ends.
"""

import re

import numpy as np
import numpy.typing as npt

from youtu_gguf.errors import DecodeError
from youtu_gguf.types import I32, Size, run_lengths

I64 = npt.NDArray[np.int64]

# Some at a time: nothing follows them that could fail, so a text which does not fit is refused in linear time.
_PAIRS = re.compile(r"\s*(?:\(\s*-?[0-9]{1,9}\s*,\s*[0-9]{1,9}\s*\)\s*,?\s*){0,4096}")
_TO_NUMBERS = str.maketrans("(),", "   ")


def encode_runs(ids: npt.ArrayLike) -> str:
    """Return an (H, W) map as text, `(value, run),(value, run)`."""
    return ",".join(f"({value}, {run})" for value, run in run_lengths(np.asarray(ids)).tolist())


def decode_runs(pairs: str | npt.ArrayLike, size: Size) -> I32:
    """Return the (H, W) int32 map that run-length pairs describe.

    Args:
        pairs: The text, or (n, 2) integers value, run.
        size: Width and height of the map.

    Raises:
        DecodeError: Not pairs of integers, a run below 1, or runs that do not fill the map exactly.
    """
    table = _pairs_from_text(pairs) if isinstance(pairs, str) else _pairs_from_numbers(pairs)
    values, lengths = table[:, 0], table[:, 1]
    n_pixels = size.width * size.height
    if lengths.size and (lengths.min() < 1 or lengths.max() > n_pixels):
        raise DecodeError(f"runs must be between 1 and {n_pixels} pixels; got {lengths.min()} to {lengths.max()}.")
    covered = int(lengths.sum())
    if covered != n_pixels:
        raise DecodeError(
            f"runs must fill {size.width}x{size.height} = {n_pixels} pixels; they hold {covered}. "
            "Decode them with the size they were written for."
        )
    return np.repeat(values.astype(np.int32), lengths).reshape(size.height, size.width)


def _pairs_from_text(text: str) -> I64:
    end = 0
    while (match := _PAIRS.match(text, end)) and match.end() > end:
        end = match.end()
    if end != len(text):
        raise DecodeError(f"expected (value, run) pairs; got {text[end : end + 20]!r} at character {end}.")
    return np.array(text.translate(_TO_NUMBERS).split(), dtype=np.int64).reshape(-1, 2)


def _pairs_from_numbers(pairs: npt.ArrayLike) -> I64:
    try:
        table = np.asarray(pairs)
    except (ValueError, OverflowError) as exc:
        raise DecodeError("expected pairs of integers value, run; got rows of different lengths.") from exc
    if table.size == 0:
        return np.empty((0, 2), np.int64)
    limits = np.iinfo(np.int32)
    if table.ndim != 2 or table.shape[1] != 2 or table.dtype.kind not in "iu":
        raise DecodeError(f"expected (n, 2) integers value, run; got {table.dtype} of shape {table.shape}.")
    if table.min() < limits.min or table.max() > limits.max:
        raise DecodeError(f"values and runs must fit in 32 bits; got {table.min()} to {table.max()}.")
    return table.astype(np.int64)
