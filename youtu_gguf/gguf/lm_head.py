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
        self._results: OrderedDict[tuple[int, ...], F32] = OrderedDict()
        self._places: dict[int, tuple[tuple[int, ...], int]] = {}  # of rows, in `_results`
        self._lock = forkable_lock(self, "_lock")

    def rows(self, ids: Sequence[int]) -> F32:
        """Return (len(ids), dim) float32 rows in the order of `ids`; `hidden @ rows.T` are those tokens' logits.

        They are read-only, and the same array when the same ids are asked for again.

        Raises:
            InputError: An id is outside the vocabulary.
            ModelFileError: The file can no longer be read, or its encoding cannot be read by rows.
        """
        wanted = tuple(map(int, ids))
        with self._lock:
            if wanted in self._results:
                self._results.move_to_end(wanted)
                return self._results[wanted]
            outside = [token for token in wanted if not 0 <= token < self.n_tokens]
            if outside:
                raise InputError(
                    f"token ids must be 0 to {self.n_tokens - 1}; got {outside[0]}. "
                    "Look tokens up in this model's vocabulary."
                )
            result = self._gather(wanted)
            result.setflags(write=False)
            self._remember(wanted, result)
        return result

    def _gather(self, wanted: tuple[int, ...]) -> F32:
        result = np.empty((len(wanted), self.dim), dtype=np.float32)
        missing: dict[int, list[int]] = {}
        for i, token in enumerate(wanted):
            if token in self._places:
                key, place = self._places[token]
                result[i] = self._results[key][place]
            else:
                missing.setdefault(token, []).append(i)
        for first, rows in self._read(sorted(missing)):
            for token, row in enumerate(rows, first):
                for i in missing[token]:
                    result[i] = row
        return result

    def _read(self, ids: list[int]) -> Iterator[tuple[int, F32]]:
        """Yield the first id and the rows of each run of neighbours among ascending `ids`; each is one read."""
        if not ids:
            return
        size = self._tensor.row_bytes
        try:
            with self._path.open("rb") as file:
                for first, count in _runs(ids):
                    file.seek(self._tensor.offset + first * size)
                    raw = np.frombuffer(file.read(count * size), dtype=np.uint8).reshape(count, size)
                    yield first, dequantize(raw, self._tensor.type)
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

    def _remember(self, wanted: tuple[int, ...], result: F32) -> None:
        """Keep a result as the latest used, and forget the oldest beyond the limit."""
        if len(wanted) > self._most_rows:
            return
        self._results[wanted] = result
        self._places |= {token: (wanted, i) for i, token in enumerate(wanted)}
        while sum(map(len, self._results)) > self._most_rows:
            oldest, _ = self._results.popitem(last=False)
            for token in oldest:
                if self._places.get(token, (None,))[0] == oldest:
                    del self._places[token]


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
