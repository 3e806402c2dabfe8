"""What quantising needs of the memory."""

from __future__ import annotations

import pytest

import youtu_gguf as yg
from tests.conftest import Pair
from youtu_gguf.gguf.header import read_header
from youtu_gguf.weights.quantize import VALUE_BYTES, check_memory


def test_a_file_whose_largest_tensor_does_not_fit_is_refused_with_what_it_needs(tiny_pair: Pair) -> None:
    header = read_header(tiny_pair[0])
    table = header.tensors["token_embd.weight"]
    needed = table.shape[0] * table.shape[1] * VALUE_BYTES
    check_memory(header, needed)
    with pytest.raises(yg.EngineError, match=r"needs 0\.\d\d GB of memory, for token_embd\.weight .* are free"):
        check_memory(header, needed - 1)
