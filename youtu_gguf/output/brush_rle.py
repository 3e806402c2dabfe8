"""Masks as Label Studio's run lengths, which are not COCO's."""

import numpy as np
import numpy.typing as npt

from youtu_gguf.types import Bits

_WORD_BITS = 8
_LENGTH_BITS = (3, 4, 8, 16)
"""Bits of a run's length: the first of these that it fits into is used."""

_CHANNELS = 4
_INSIDE = 255
_AT_ONCE = 1 << 16  # numbers, which bounds the memory for a mask that is all noise


def brush_rle(bits: Bits) -> list[int]:
    """Return an (H, W) mask as bytes of Label Studio's `rle`.

    It is the image in red, green, blue and opacity, row by row, each 255 inside and 0 outside, packed as a stream of
    bits: 32 of the number of values, 5 of the bits of a value less 1, and four times 4 of the bits of a length less 1.
    Then for each run a 1, 2 bits that choose among those lengths, the length less 1, and the value.

    Source: `decode` of the package rle-pack (thi-ng/umbrella), with which Label Studio reads it.
    """
    lengths, inside = _runs(bits)
    n_values = np.array([bits.size * _CHANNELS], np.int64)
    header = [
        _as_bits(n_values, np.array([32])),
        _as_bits(np.array([_WORD_BITS - 1]), np.array([5])),
        _as_bits(np.array(_LENGTH_BITS) - 1, np.full(len(_LENGTH_BITS), 4)),
    ]
    choice = np.searchsorted(1 << np.array(_LENGTH_BITS), lengths)
    width = np.array(_LENGTH_BITS)[choice]
    code = (((4 + choice) << width) + lengths - 1 << _WORD_BITS) + inside * _INSIDE
    return np.packbits(np.concatenate([*header, _as_bits(code, 3 + width + _WORD_BITS)])).tolist()


def _runs(bits: Bits) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the lengths of runs of values, and 1 for those inside; none is longer than 16 bits can say."""
    flat = bits.ravel()
    starts = np.flatnonzero(np.concatenate([np.ones(flat[:1].shape, np.bool_), flat[1:] != flat[:-1]]))
    lengths = np.diff(starts, append=flat.size) * _CHANNELS
    longest = 1 << _LENGTH_BITS[-1]
    pieces = -(-lengths // longest)
    cut = np.full(pieces.sum(), longest, np.int64)
    cut[np.cumsum(pieces) - 1] = lengths - (pieces - 1) * longest
    return cut, np.repeat(flat[starts].astype(np.int64), pieces)


def _as_bits(numbers: npt.NDArray[np.int64], widths: npt.NDArray[np.int64]) -> Bits:
    """Return each number as so many bits, the highest first, one after the other."""
    places = np.arange(int(widths.max(initial=0)) - 1, -1, -1)
    parts = (slice(start, start + _AT_ONCE) for start in range(0, len(numbers), _AT_ONCE))
    return np.concatenate(
        [((numbers[part, None] >> places) & 1).astype(np.bool_)[places < widths[part, None]] for part in parts]
    )
