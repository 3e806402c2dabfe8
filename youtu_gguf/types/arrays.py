"""Array types, and the checks that every array of a value passes."""

from collections.abc import Callable
from dataclasses import fields
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from youtu_gguf.errors import InputError

F32 = npt.NDArray[np.float32]
I32 = npt.NDArray[np.int32]
U8 = npt.NDArray[np.uint8]
Bits = npt.NDArray[np.bool_]
Array = TypeVar("Array", bound=npt.NDArray[Any])


def checked(name: str, array: npt.ArrayLike, shape: tuple[int | None, ...], dtype: npt.DTypeLike) -> Any:
    """Return `array` as a read-only array of `dtype`, or say how its shape differs from `shape` (None = any).

    It shares memory with `array` only where no one can write to that: a buffer that is filled again later must not
    change the value. Whoever made a large array hands it over by `handed_over`.
    """
    result = np.ascontiguousarray(array, dtype=dtype)
    if (result is array or result.base is not None) and not _is_fixed(result):
        result = result.copy()
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


def handed_over(array: Array) -> Array:
    """Return an array, which must own its memory, made read-only: a value then takes it without a copy."""
    array.setflags(write=False)
    return array


def _is_fixed(array: npt.NDArray[Any]) -> bool:
    """Whether the memory of `array` cannot be written to through it, nor through what it is a view of."""
    owner: object = array
    while isinstance(owner, np.ndarray):
        if owner.flags.writeable:
            return False
        owner = owner.base
    return owner is None or isinstance(owner, bytes)


class Frozen:
    """A frozen dataclass whose copies, pickled ones too, pass its checks again: their arrays are read-only as well."""

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return _rebuild, (type(self), {field.name: getattr(self, field.name) for field in fields(self)})  # type: ignore[arg-type]  # a dataclass


def freeze(
    record: Frozen, name: str, shape: tuple[int | None, ...], dtype: npt.DTypeLike, *, optional: bool = False
) -> None:
    """Replace the field `name` of `record`, while that is made, by its `checked` array; None stays if `optional`."""
    value = getattr(record, name)
    if value is not None or not optional:
        object.__setattr__(record, name, checked(name, value, shape, dtype))


def _rebuild(kind: type, named: dict[str, Any]) -> Any:
    return kind(**named)


def extent(bits: Bits) -> F32 | None:
    """Return left, top, right, bottom (4,) of the True pixels of an (H, W) mask; None where there are none."""
    rows = np.flatnonzero(bits.any(axis=1))
    if not rows.size:
        return None
    columns = np.flatnonzero(bits[rows[0] : rows[-1] + 1].any(axis=0))
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], np.float32)


def run_lengths(pixels: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Return (n, 2) pairs value, run of an (H, W) array, row by row from the top left; neighbours differ in value."""
    flat = pixels.ravel()
    starts = np.flatnonzero(np.concatenate([np.ones(flat[:1].shape, np.bool_), flat[1:] != flat[:-1]]))
    return np.column_stack([flat[starts].astype(np.int64), np.diff(starts, append=flat.size)])
