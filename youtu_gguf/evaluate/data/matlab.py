"""Arrays of numbers in MATLAB's files, of version 5 to 7, read with care.

Nothing else is read: cells, structures, objects and function handles are passed over, and refused where an array of
numbers is wanted. Broken files are refused too; scipy's reader may end the process on them.
Source: MathWorks, "MAT-File Format" (version of R2023a), chapter 1, "Level 5 MAT-File Format".
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from youtu_gguf.errors import InputError
from youtu_gguf.evaluate.base import F64
from youtu_gguf.evaluate.data.files import read_bytes

MAX_BYTES = 1 << 26
"""Of a file, and of a variable. Ours: ten times what data sets and predictions need."""

_HEADER, _TAG, _ALIGNED = 128, 8, 8
_TEXT, _ORDER = slice(0, 116), slice(126, 128)
_ORDERS = {b"IM": "<", b"MI": ">"}
_MATRIX, _COMPRESSED = 14, 15
_SMALL = 16  # bits of the type, where the data lie within the tag
_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_CLASSES = {
    1: "a cell", 2: "a structure", 3: "an object", 4: "a text", 5: "a sparse array", 16: "a function handle",
    17: "an object",
}  # fmt: skip
_NUMERIC = range(6, 16)
_COMPLEX = 0x0800
_MOST_AXES = 8

Shape = tuple[int | None, ...]
"""Of an array; None for any length."""


class _BrokenError(Exception):
    """The file does not follow the format; the text says where."""


@dataclass(frozen=True)
class _Element:
    kind: int
    data: bytes


def read_mat(path: Path, wanted: Mapping[str, Shape]) -> dict[str, F64]:
    """Return variables of a file of MATLAB as arrays of float64.

    Args:
        path: The file.
        wanted: The variables, each with the shape that it should have.

    Raises:
        InputError: The file cannot be read, is broken, or lacks one; or one is no array of finite numbers, or of
            another shape.
    """
    data = read_bytes(path)
    if len(data) > MAX_BYTES:
        raise InputError(f"{path}: expected a file of up to {MAX_BYTES >> 20} MiB; it has {len(data) >> 20}.")
    if b"MATLAB 7.3" in data[_TEXT]:
        raise InputError(f"{path}: expected a file of MATLAB of version 7 or before; it is of 7.3. Save it with -v7.")
    try:
        found = dict(_variables(data, set(wanted), str(path)))
    except _BrokenError as exc:
        raise InputError(f"{path}: expected a file of MATLAB; {exc}.") from exc
    for name, shape in wanted.items():
        if name not in found:
            raise InputError(f"{path}: expected the variable {name}; there is none.")
        _check(found[name], shape, f"{path}, {name}")
    return found


def _check(array: F64, shape: Shape, where: str) -> None:
    if array.ndim != len(shape) or any(n not in (None, m) for n, m in zip(shape, array.shape, strict=True)):
        expected = "x".join("n" if n is None else str(n) for n in shape)
        raise InputError(f"{where}: expected numbers {expected}; got {'x'.join(map(str, array.shape))}.")
    if not np.isfinite(array).all():
        raise InputError(f"{where}: expected finite numbers; got NaN or infinity.")


def _variables(data: bytes, wanted: set[str], where: str) -> Iterator[tuple[str, F64]]:
    order = _ORDERS.get(data[_ORDER])
    if order is None:
        raise _BrokenError("its header lacks the mark of the byte order")
    for element in _elements(data[_HEADER:], order):
        for inner in _elements(_inflated(element.data), order) if element.kind == _COMPRESSED else (element,):
            if inner.kind == _MATRIX:
                yield from _variable(inner.data, order, wanted, where)


def _inflated(data: bytes) -> bytes:
    inflater = zlib.decompressobj()
    try:
        inflated = inflater.decompress(data, MAX_BYTES)
    except zlib.error as exc:
        raise _BrokenError(f"a variable cannot be decompressed ({exc})") from exc
    if inflater.unconsumed_tail:
        raise _BrokenError(f"a variable has more than {MAX_BYTES >> 20} MiB")
    return inflated


def _elements(data: bytes, order: str) -> Iterator[_Element]:
    """Yield the elements that lie one after the other in `data`."""
    place = 0
    while place + _TAG <= len(data):
        first, n_bytes = struct.unpack_from(f"{order}II", data, place)
        if first >> _SMALL:
            kind, n_bytes, start = first & 0xFFFF, first >> _SMALL, place + _TAG // 2
            end = place + _TAG
        else:
            kind, start = first, place + _TAG
            end = start + (n_bytes if kind == _COMPRESSED else -(-n_bytes // _ALIGNED) * _ALIGNED)
        if start + n_bytes > len(data) or (first >> _SMALL and n_bytes > _TAG // 2):
            raise _BrokenError(f"an element of {n_bytes} bytes goes beyond what holds it")
        yield _Element(kind, data[start : start + n_bytes])
        place = end


def _variable(data: bytes, order: str, wanted: set[str], where: str) -> Iterator[tuple[str, F64]]:
    """Yield the name and the numbers of a matrix, if it is one of those that are wanted."""
    parts = _elements(data, order)
    flags, dims, name = (_array(next(parts, None), order, "iu").tolist() for _ in range(3))
    text = "".join(chr(code % 256) for code in name)
    if text not in wanted:
        return
    if not flags:
        raise _BrokenError(f"{text} has no class")
    bits = flags[0]
    if bits & 0xFF not in _NUMERIC or bits & _COMPLEX:
        got = "complex numbers" if bits & _COMPLEX else _CLASSES.get(bits & 0xFF, "a value of another kind")
        raise InputError(f"{where}, {text}: expected an array of numbers; got {got}.")
    values = _array(next(parts, None), order, "iuf").astype(np.float64)
    if not 0 < len(dims) <= _MOST_AXES or min(dims) < 0 or math.prod(dims) != values.size:
        raise _BrokenError(f"{text} has {values.size} numbers for the shape {dims[:_MOST_AXES]}")
    yield text, values.reshape(dims, order="F")


def _array(element: _Element | None, order: str, kinds: str) -> npt.NDArray[Any]:
    """Return the numbers of an element, of one of NumPy's `kinds`."""
    if element is None or _NUMBERS.get(element.kind, "-")[0] not in kinds:
        raise _BrokenError("a variable lacks its numbers")
    kind = np.dtype(f"{order}{_NUMBERS[element.kind]}")
    if len(element.data) % kind.itemsize:
        raise _BrokenError("a variable has part of a number")
    return np.frombuffer(element.data, kind)
