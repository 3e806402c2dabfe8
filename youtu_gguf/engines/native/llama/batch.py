"""A llama_batch over NumPy arrays: the tokens or embeddings of one decode."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from youtu_gguf.engines.native.llama.bindings import lib
from youtu_gguf.errors import EngineError
from youtu_gguf.types import F32

NONE, LAST, ALL = slice(0), slice(-1, None), slice(None)
"""Which positions of a run leave logits."""


class Run(NamedTuple):
    """Consecutive tokens or embeddings of one sequence.

    Attributes:
        content: n token ids, or (n, n_embd) embeddings.
        start: Position of the first one.
        sequence: The sequence they belong to.
        outputs: Which of them leave logits: `NONE`, `LAST` or `ALL`.
    """

    content: Sequence[int] | F32
    start: int
    sequence: int
    outputs: slice = LAST


class Batch:
    """Room for `size` positions: of tokens, or of embeddings of width `n_embd` if that is not 0."""

    def __init__(self, size: int, n_embd: int = 0) -> None:
        self._content = np.zeros((size, n_embd), np.float32) if n_embd else np.zeros(size, np.int32)
        self._pos, self._sequences = np.zeros(size, np.int32), np.zeros(size, np.int32)
        self._outputs = np.zeros(size, np.int8)
        self._fixed = (  # of every position: in how many sequences it is, and where their numbers stand
            np.ones(size, np.int32),
            self._sequences.ctypes.data + self._sequences.itemsize * np.arange(size, dtype=np.uintp),
        )
        self.handle: Any = lib.llama_batch()
        arrays = {
            "embd" if n_embd else "token": self._content,
            "pos": self._pos,
            "n_seq_id": self._fixed[0],
            "seq_id": self._fixed[1],
            "logits": self._outputs,
        }
        for name, array in arrays.items():
            setattr(self.handle, name, array.ctypes.data_as(type(getattr(self.handle, name))))

    def fill(self, *runs: Run) -> Any:
        """Set the batch to `runs`, one after the other; return the handle to decode."""
        if self.handle is None:
            raise EngineError("this model was closed while it was answering. Load it again.")
        n = 0
        for content, start, sequence, outputs in runs:
            stop = n + len(content)
            self._content[n:stop] = content
            self._pos[n:stop] = np.arange(start, start + len(content))
            self._sequences[n:stop] = sequence
            self._outputs[n:stop] = 0
            self._outputs[n:stop][outputs] = 1
            n = stop
        self.handle.n_tokens = n
        return self.handle

    def close(self) -> None:
        """Refuse to be filled from now on."""
        self.handle = None
