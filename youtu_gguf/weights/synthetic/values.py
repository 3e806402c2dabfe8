"""Random tensor data in GGUF's encodings, made piece by piece so that no file is ever held in memory.

Norms vary around 1 and biases around 0, so that one applied wrongly shows in the result.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType
from gguf.quants import quantize

from youtu_gguf.gguf.writer import Bytes, TensorSpec

NORM_SPREAD = 0.1
BIAS_SPREAD = 0.1
CHUNK_VALUES = 1 << 22
POOL_BLOCKS = 500_009
"""Blocks in a pool. Prime, so that no two rows of a matrix start at the same place in it."""
Q8_BLOCK = np.dtype([("scale", "<f2"), ("values", "i1", 32)])
"""One Q8_0 block of ggml: a half-precision scale and 32 signed bytes."""


class NormalWeights:
    """Independent normal values, quantised as any real weights would be."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def chunks(self, spec: TensorSpec) -> Iterator[Bytes]:
        """Yield whole rows, encoded."""
        rng = _generator(self.seed, spec.name)
        row = spec.shape[0]
        rows_left = spec.n_values // row
        while rows_left:
            rows = min(rows_left, max(1, CHUNK_VALUES // row))
            yield quantize(_values(rng, spec, rows * row).reshape(rows, row), spec.type)
            rows_left -= rows


class PooledWeights:
    """Values cut from one pool of random blocks, scaled per tensor: full-size files in seconds, not hours.

    Rows of a matrix are stretches of the pool from different starting points. Matrices may be Q8_0 or BF16; norms,
    biases and other types are independent values.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._independent = NormalWeights(seed)

    def chunks(self, spec: TensorSpec) -> Iterator[Bytes]:
        """Yield stretches of the pool."""
        if spec.role != "matrix" or spec.type not in (GGMLQuantizationType.Q8_0, GGMLQuantizationType.BF16):
            yield from self._independent.chunks(spec)
            return
        block, _ = GGML_QUANT_SIZES[spec.type]
        per_block = 32 // block
        pool = self._scaled_pool(spec).reshape(-1)
        at = int(_generator(self.seed, spec.name).integers(POOL_BLOCKS)) * per_block
        left = spec.n_values // block
        while left:
            piece = pool[at : at + left]
            yield piece.view(np.uint8)
            left -= len(piece)
            at = 0

    def _scaled_pool(self, spec: TensorSpec) -> Bytes:
        """Return the pool as blocks (Q8_0) or values (BF16) with the tensor's standard deviation."""
        if spec.type == GGMLQuantizationType.Q8_0:
            blocks = _q8_pool(self.seed)
            blocks["scale"] = spec.std / float(blocks["values"][:1024].std())
            return blocks
        return _bf16_pool(self.seed, spec.std)


@cache
def _q8_pool(seed: int) -> npt.NDArray[Any]:
    blocks = np.empty(POOL_BLOCKS, dtype=Q8_BLOCK)
    blocks["values"] = _generator(seed, "q8 pool").integers(-127, 128, (POOL_BLOCKS, 32), dtype=np.int8)
    return blocks


@lru_cache(maxsize=4)  # a vision tower has three different widths
def _bf16_pool(seed: int, std: float) -> npt.NDArray[Any]:
    values = _generator(seed, "normal pool").standard_normal((POOL_BLOCKS, 32), dtype=np.float32)
    encoded: Bytes = quantize(values * np.float32(std), GGMLQuantizationType.BF16).view(np.uint16)
    return encoded


def _generator(seed: int, name: str) -> np.random.Generator:
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def _values(rng: np.random.Generator, spec: TensorSpec, count: int) -> npt.NDArray[np.float32]:
    values = rng.standard_normal(count, dtype=np.float32)
    if spec.role == "norm":
        return 1 + np.float32(NORM_SPREAD) * values
    scale = BIAS_SPREAD if spec.role == "bias" else spec.std
    return np.float32(scale) * values
