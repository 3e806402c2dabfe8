"""Owner of a llama_batch: what is decoded in one call, seen through numpy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from youtu_gguf.engines._llama.bindings import lib
from youtu_gguf.errors import EngineError
from youtu_gguf.types import F32


class Run(NamedTuple):
    """Tokens that follow each other in one sequence, from position `start` on; the last one leaves logits if `ends`."""

    tokens: Sequence[int]
    start: int
    sequence: int
    ends: bool = True


class Batch:
    """Room for `size` positions: of tokens, or of embeddings of width `n_embd` where that is not 0."""

    def __init__(self, size: int, n_embd: int = 0) -> None:
        self.handle: Any = lib.llama_batch_init(size, n_embd, 1)

        def view(pointer: Any, *shape: int) -> Any:
            return np.ctypeslib.as_array(pointer, shape=shape)

        self._content = view(self.handle.embd, size, n_embd) if n_embd else view(self.handle.token, size)
        self._pos = view(self.handle.pos, size)
        self._outputs = view(self.handle.logits, size)
        view(self.handle.n_seq_id, size)[:] = 1

    def fill(self, content: Sequence[int] | F32, start: int, sequence: int, *, outputs: slice) -> Any:
        """Set the batch to `content` at positions from `start` on; return the handle to decode.

        Args:
            content: n token ids, or (n, n_embd) embeddings.
            start: Position of the first.
            sequence: The sequence they belong to.
            outputs: Which of the n leave logits.
        """
        n = len(content)
        if self.handle is None:
            raise EngineError("this model was closed while it was answering. Load it again.")
        self.handle.n_tokens = n
        self._content[:n] = content
        self._pos[:n] = np.arange(start, start + n)
        self._outputs[:n] = 0
        self._outputs[:n][outputs] = 1
        for i in range(n):
            self.handle.seq_id[i][0] = sequence
        return self.handle

    def fill_runs(self, runs: Sequence[Run]) -> Any:
        """Set the batch to several runs of tokens, one after the other; return the handle to decode."""
        if self.handle is None:
            raise EngineError("this model was closed while it was answering. Load it again.")
        n = 0
        for tokens, start, sequence, ends in runs:
            stop = n + len(tokens)
            self._content[n:stop] = tokens
            self._pos[n:stop] = np.arange(start, start + len(tokens))
            self._outputs[n:stop] = 0
            self._outputs[stop - 1] = ends
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
