"""Rows of the language model's head, read from the file on demand.

The table of 283,386 rows is never loaded: a depth map needs 1,000 of them, a class name two or three.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence

import numpy as np
from gguf.quants import dequantize

from youtu_gguf.errors import InputError, ModelFileError
from youtu_gguf.forks import forkable_lock
from youtu_gguf.gguf.header import Header, TensorInfo
from youtu_gguf.types import F32

CACHE_BYTES = 64 << 20
"""Room for 6,500 rows of width 2560: the depth bins, the coordinates and the class names of a session."""
HEAD_TENSORS = ("output.weight", "token_embd.weight")
"""The head is the first of these the file has (facts: shapes)."""


class Head:
    """The head of one model file. Safe to use from several threads.

    Args:
        model: Header of the language model.
        cache_bytes: Most memory that dequantised rows may take between calls.

    Raises:
        ModelFileError: The file has no head.
    """

    def __init__(self, model: Header, cache_bytes: int = CACHE_BYTES) -> None:
        self._path = model.path
        self._tensor = find_head(model)
        self.dim, self.n_tokens = self._tensor.shape[:2]
        self._most_rows = max(1, cache_bytes // (4 * self.dim))
        self._rows: OrderedDict[int, F32] = OrderedDict()
        self._lock = forkable_lock(self, "_lock")

    def rows(self, ids: Sequence[int]) -> F32:
        """Return (len(ids), dim) float32 rows in the order of `ids`; `hidden @ rows.T` are those tokens' logits.

        Raises:
            InputError: An id is outside the vocabulary.
            ModelFileError: The file can no longer be read, or its encoding cannot be read by rows.
        """
        wanted = [int(token) for token in ids]
        outside = [token for token in wanted if not 0 <= token < self.n_tokens]
        if outside:
            raise InputError(
                f"token ids must be 0 to {self.n_tokens - 1}; got {outside[0]}. "
                "Look tokens up in this model's vocabulary."
            )
        with self._lock:
            known = {token: self._rows[token] for token in set(wanted) & self._rows.keys()}
            known |= self._read(sorted(set(wanted) - known.keys()))
            self._remember(known)
        result = np.empty((len(wanted), self.dim), dtype=np.float32)
        for i, token in enumerate(wanted):
            result[i] = known[token]
        return result

    def _read(self, ids: list[int]) -> dict[int, F32]:
        """Read rows that are not cached, one read per run of neighbouring ids."""
        if not ids:
            return {}
        found: dict[int, F32] = {}
        size = self._tensor.row_bytes
        try:
            with self._path.open("rb") as file:
                for first, count in _runs(ids):
                    file.seek(self._tensor.offset + first * size)
                    raw = np.frombuffer(file.read(count * size), dtype=np.uint8).reshape(count, size)
                    rows = dequantize(raw, self._tensor.type)
                    found |= {first + i: rows[i].copy() for i in range(count)}
        except NotImplementedError as exc:
            raise ModelFileError(
                f"expected {self._tensor.name} of {self._path} in an encoding whose rows can be read one by one; got "
                f"{self._tensor.type.name}. Maps and scores need a file with another encoding of it, such as Q8_0."
            ) from exc
        except (OSError, ValueError) as exc:
            raise ModelFileError(
                f"expected to read rows of {self._tensor.name} from {self._path}; got: {exc}. "
                "The file changed after it was opened: open it again."
            ) from exc
        return found

    def _remember(self, rows: dict[int, F32]) -> None:
        """Cache `rows` as the latest used and forget the oldest beyond the limit."""
        for token, row in rows.items():
            self._rows[token] = row
            self._rows.move_to_end(token)
        while len(self._rows) > self._most_rows:
            self._rows.popitem(last=False)


def find_head(model: Header) -> TensorInfo:
    """Return the tensor that serves as the head: (dim, vocabulary).

    Raises:
        ModelFileError: The file has none.
    """
    for name in HEAD_TENSORS:
        tensor = model.tensors.get(name)
        if tensor is not None and tensor.shape[1:]:
            return tensor
    raise ModelFileError(
        f"{model.path} was expected to have {' or '.join(HEAD_TENSORS)}; it has neither. Give a language model file."
    )


def _runs(ids: list[int]) -> Iterator[tuple[int, int]]:
    """Yield (first, count) of each run of consecutive numbers in ascending `ids`."""
    first = last = ids[0]
    for token in ids[1:]:
        if token != last + 1:
            yield first, last - first + 1
            first = token
        last = token
    yield first, last - first + 1
