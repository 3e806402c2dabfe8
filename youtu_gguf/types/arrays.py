"""Array types, and the one check that every array of a value passes."""

from typing import Any

import numpy as np
import numpy.typing as npt

from youtu_gguf.errors import InputError

F32 = npt.NDArray[np.float32]
I32 = npt.NDArray[np.int32]
U8 = npt.NDArray[np.uint8]
Bits = npt.NDArray[np.bool_]


def checked(name: str, array: npt.ArrayLike, shape: tuple[int | None, ...], dtype: npt.DTypeLike) -> Any:
    """Return `array` as a read-only array of `dtype`, or say how its shape differs from `shape` (None = any)."""
    result = np.ascontiguousarray(array, dtype=dtype)
    if result.shape == (0,) and len(shape) > 1 and shape[0] in (None, 0):  # an empty list of rows
        result = result.reshape([0 if want is None else want for want in shape])
    fits = result.ndim == len(shape) and all(
        want is None or want == got for want, got in zip(shape, result.shape, strict=True)
    )
    if not fits:
        wanted = tuple("n" if want is None else want for want in shape)
        raise InputError(f"{name} must have shape {wanted}; got {result.shape}.")
    if result is array:
        result = result.view()
    result.setflags(write=False)
    return result


def run_lengths(pixels: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Return (n, 2) pairs value, run of an (H, W) array, row by row from the top left; neighbours differ in value."""
    flat = pixels.ravel()
    starts = np.flatnonzero(np.concatenate([np.ones(flat[:1].shape, np.bool_), flat[1:] != flat[:-1]]))
    return np.column_stack([flat[starts].astype(np.int64), np.diff(starts, append=flat.size)])
