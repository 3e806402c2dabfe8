"""Owner of a llama_batch: the tokens or embeddings of one decode, as NumPy arrays over llama.cpp's memory."""

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
        self.handle: Any = lib.llama_batch_init(size, n_embd, 1)

        def array(pointer: Any, *shape: int) -> Any:
            return np.ctypeslib.as_array(pointer, shape=shape)

        self._content = array(self.handle.embd, size, n_embd) if n_embd else array(self.handle.token, size)
        self._pos = array(self.handle.pos, size)
        self._outputs = array(self.handle.logits, size)
        array(self.handle.n_seq_id, size)[:] = 1

    def fill(self, *runs: Run) -> Any:
        """Set the batch to `runs`, one after the other; return the handle to decode."""
        if self.handle is None:
            raise EngineError("this model was closed while it was answering. Load it again.")
        n = 0
        for content, start, sequence, outputs in runs:
            stop = n + len(content)
            self._content[n:stop] = content
            self._pos[n:stop] = np.arange(start, start + len(content))
            self._outputs[n:stop] = 0
            self._outputs[n:stop][outputs] = 1
            for i in range(n, stop):
                self.handle.seq_id[i][0] = sequence
            n = stop
        self.handle.n_tokens = n
        return self.handle

    def close(self) -> None:
        """Free the batch."""
        if self.handle is not None:
            lib.llama_batch_free(self.handle)
            self.handle = None
