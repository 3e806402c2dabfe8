"""Tensors and numbers of a GGUF file, through gguf's own reader (not the package's)."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from gguf import GGUFReader
from gguf.quants import dequantize

F32 = npt.NDArray[np.float32]


class Weights:
    """A GGUF file. Matrices come as (out, in), so that `x @ w.T` applies them to rows of `x`."""

    def __init__(self, path: Path) -> None:
        self._reader = GGUFReader(path)
        self._dequantised: dict[str, F32] = {}

    @cached_property
    def _tensors(self) -> dict[str, Any]:
        return {tensor.name: tensor for tensor in self._reader.tensors}

    def __contains__(self, name: str) -> bool:
        return name in self._tensors

    def __getitem__(self, name: str) -> F32:
        if name not in self._dequantised:
            tensor = self._tensors[name]
            self._dequantised[name] = np.asarray(dequantize(tensor.data, tensor.tensor_type), dtype=np.float32)
        return self._dequantised[name]

    def linear(self, x: F32, name: str) -> F32:
        """Apply the layer `name`, with its bias where it has one."""
        y = x @ self[f"{name}.weight"].T
        return y + self[f"{name}.bias"] if f"{name}.bias" in self else y

    def value(self, key: str) -> Any:
        """Return a metadata value."""
        field = self._reader.get_field(key)
        assert field is not None, key
        return field.contents()


def rms_norm(x: F32, weight: F32, eps: float) -> F32:
    """Divide by the root mean square over the last axis and scale."""
    return x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + np.float32(eps)) * weight


def layer_norm(x: F32, weight: F32, bias: F32, eps: float) -> F32:
    """Take the mean off, divide by the standard deviation, scale and shift."""
    centred = x - x.mean(axis=-1, keepdims=True)
    return rms_norm(centred, weight, eps) + bias


def attention(q: F32, k: F32, v: F32, allowed: npt.NDArray[np.bool_]) -> F32:
    """Softmax attention per head: q, k (heads, n, d), v (heads, n, e), allowed (n, n) -> (n, heads x e)."""
    scores = q @ k.transpose(0, 2, 1) / np.sqrt(np.float32(q.shape[-1]))
    scores = np.where(allowed, scores, -np.inf)
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    mixed = weights / weights.sum(axis=-1, keepdims=True) @ v
    return mixed.transpose(1, 0, 2).reshape(q.shape[1], -1)
