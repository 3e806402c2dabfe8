"""Expectations on a header, each failing with what was expected, what the file has, and the remedy."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt
from gguf.constants import GGMLQuantizationType, GGUFValueType

from youtu_gguf.errors import ModelFileError
from youtu_gguf.gguf.header import GGUFArray, Header, TensorInfo

INT32_MAX = (1 << 31) - 1
_NOT_WEIGHTS = ("I8", "I16", "I32", "I64", "F64", "Q8_1", "Q8_K")
MATRIX_TYPES = frozenset(kind for kind in GGMLQuantizationType if kind.name not in _NOT_WEIGHTS)
"""Encodings that ggml multiplies with; the others are for indices and intermediate results."""


class Expect:
    """Checks on one file. `role` names it in messages, `remedy` ends them."""

    def __init__(self, header: Header, role: str, remedy: str) -> None:
        self.header = header
        self.role = role
        self.remedy = remedy

    def failure(self, finding: str) -> ModelFileError:
        """The error for this file."""
        return ModelFileError(f"{self.role} {self.header.path}: {finding}. {self.remedy}")

    def type(self, key: str, kind: GGUFValueType, *, required: bool = False) -> bool:
        """Check that `key` has this GGUF type where it exists; return whether it exists."""
        got = self.header.types.get(key)
        if got is None and not required:
            return False
        if got is not kind:
            raise self.failure(f"expected {key} as {kind.name}; got {'none' if got is None else got.name}")
        return True

    def integer(self, key: str, low: int = 1, high: int = INT32_MAX, default: int | None = None) -> int:
        """Return an unsigned integer between `low` and `high`; with a `default` it may be missing."""
        if not self.type(key, GGUFValueType.UINT32, required=default is None):
            return default or 0
        value = self.header.metadata[key]
        if not isinstance(value, int) or not low <= value <= high:
            raise self.failure(f"expected {key} between {low} and {high}; got {value}")
        return value

    def equal(self, key: str, want: int, why: str, default: int | None = None) -> None:
        """Check that an unsigned integer is `want`."""
        got = self.integer(key, low=0, default=default)
        if got != want:
            raise self.failure(f"expected {key} = {want} ({why}); got {got}")

    def real(self, key: str) -> float:
        """Return a positive FLOAT32."""
        self.type(key, GGUFValueType.FLOAT32, required=True)
        value = self.header.metadata[key]
        if not isinstance(value, float) or not 0 < value < float("inf"):
            raise self.failure(f"expected {key} above 0; got {value}")
        return value

    def text(self, key: str, *wanted: str) -> str:
        """Return a string that must be one of `wanted`."""
        self.type(key, GGUFValueType.STRING, required=True)
        value = str(self.header.metadata[key])
        if value not in wanted:
            raise self.failure(f"expected {key} to be {' or '.join(wanted)}; got {value!r}")
        return value

    def array(self, key: str, kind: GGUFValueType, at_least: int) -> GGUFArray:
        """Return an array with items of `kind`, at least so many."""
        self.type(key, GGUFValueType.ARRAY, required=True)
        value = self.header.metadata[key]
        if not isinstance(value, GGUFArray) or value.type is not kind or len(value) < at_least:
            raise self.failure(f"expected {key} as {at_least} or more {kind.name}; got {value!r}")
        return value

    def numbers(self, key: str, kind: GGUFValueType, at_least: int) -> npt.NDArray[Any]:
        """Return the items of a numeric array."""
        return self.array(key, kind, at_least).numbers()

    def matrix(self, name: str, *shape: int) -> TensorInfo:
        """Return a tensor of this shape (ggml order) in an encoding that can be multiplied with."""
        tensor = self._tensor(name, shape)
        if tensor.type not in MATRIX_TYPES:
            raise self.failure(f"expected tensor {name} as floating-point or quantised; got {tensor.type.name}")
        return tensor

    def vector(self, name: str, width: int, *, required: bool = True) -> None:
        """Check a norm or bias: one row of F32."""
        if not required and name not in self.header.tensors:
            return
        tensor = self._tensor(name, (width,))
        if tensor.type is not GGMLQuantizationType.F32:
            raise self.failure(f"expected tensor {name} as F32; got {tensor.type.name}")

    def _tensor(self, name: str, shape: tuple[int, ...]) -> TensorInfo:
        tensor = self.header.tensors.get(name)
        if tensor is None:
            raise self.failure(f"expected a tensor {name} of shape {shape}; there is none")
        if tensor.shape != shape:
            raise self.failure(f"expected tensor {name} of shape {shape}; got {tensor.shape}")
        return tensor
