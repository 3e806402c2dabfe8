"""Rows of the head, read from files in several encodings."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from gguf import GGUFWriter
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType
from gguf.quants import dequantize, quantize

from youtu_gguf.errors import InputError, ModelFileError
from youtu_gguf.gguf.checks import MATRIX_TYPES
from youtu_gguf.gguf.header import read_header
from youtu_gguf.gguf.lm_head import Head, find_head

N, DIM = 40, 256
WRITTEN = ("F32", "F16", "BF16", "Q8_0", "Q4_K", "Q6_K")


def encoded_table(kind: GGMLQuantizationType, seed: int = 0) -> np.ndarray:
    """(N, row bytes); k-quants, which gguf cannot write, are random blocks of small finite scale."""
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((N, DIM), dtype=np.float32)
    try:
        return quantize(values, kind)
    except NotImplementedError:
        block, size = GGML_QUANT_SIZES[kind]
        raw = rng.integers(0, 256, (N, DIM // block, size), dtype=np.uint8)
        at = size - 2 if kind is GGMLQuantizationType.Q6_K else 0  # where the half-precision scale lies
        raw[..., at : at + 2] = np.frombuffer(np.float16(0.01).tobytes(), np.uint8)
        if not at:
            raw[..., 2:4] = raw[..., 0:2]
        return raw.reshape(N, -1)


def write(path: Path, tables: dict[str, np.ndarray], kind: GGMLQuantizationType) -> Path:
    writer = GGUFWriter(path, "deepseek2")
    writer.add_tensor("blk.0.filler", np.zeros(3, np.float32))
    for name, table in tables.items():
        raw_kind = kind if table.dtype == np.uint8 else None
        writer.add_tensor(name, table, raw_dtype=raw_kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture
def head(tmp_path: Path) -> Head:
    table = encoded_table(GGMLQuantizationType.F32)
    return Head(read_header(write(tmp_path / "m.gguf", {"token_embd.weight": table}, GGMLQuantizationType.F32)))


@pytest.mark.parametrize("kind", [GGMLQuantizationType[name] for name in WRITTEN], ids=WRITTEN)
def test_rows_are_the_dequantised_rows_of_the_table(kind: GGMLQuantizationType, tmp_path: Path) -> None:
    table = encoded_table(kind)
    expected = dequantize(table, kind)
    head = Head(read_header(write(tmp_path / "m.gguf", {"token_embd.weight": table}, kind)))
    ids = [0, 39, 7, 8, 9, 7]
    rows = head.rows(ids)
    assert rows.shape == (6, DIM)
    assert rows.dtype == np.float32
    assert np.array_equal(rows, expected[ids])
    assert np.isfinite(rows).all()


def test_output_weight_comes_before_the_embedding(tmp_path: Path) -> None:
    f32 = GGMLQuantizationType.F32
    tables = {"token_embd.weight": encoded_table(f32, seed=1), "output.weight": encoded_table(f32, seed=2)}
    header = read_header(write(tmp_path / "m.gguf", tables, f32))
    assert find_head(header).name == "output.weight"
    assert np.array_equal(Head(header).rows([3]), tables["output.weight"][[3]])


def test_file_without_a_head_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "m.gguf", {}, GGMLQuantizationType.F32)
    with pytest.raises(ModelFileError, match=r"output.weight or token_embd.weight; it has neither"):
        Head(read_header(path))


def test_no_ids_give_no_rows(head: Head) -> None:
    assert head.rows([]).shape == (0, DIM)


@pytest.mark.parametrize("bad", [-1, N, 10**12])
def test_id_outside_the_vocabulary_is_the_callers_mistake(head: Head, bad: int) -> None:
    with pytest.raises(InputError, match=f"0 to {N - 1}; got {bad}"):
        head.rows([0, bad])


def test_rows_asked_for_again_come_without_the_file(head: Head, tmp_path: Path) -> None:
    first = head.rows([1, 2, 3])
    (tmp_path / "m.gguf").unlink()
    assert np.array_equal(head.rows([3, 2, 1]), first[::-1])
    with pytest.raises(ModelFileError, match="open it again"):
        head.rows([4])


def test_cache_forgets_the_oldest_rows_beyond_its_size(tmp_path: Path) -> None:
    table = encoded_table(GGMLQuantizationType.F32)
    path = write(tmp_path / "m.gguf", {"token_embd.weight": table}, GGMLQuantizationType.F32)
    head = Head(read_header(path), cache_bytes=2 * 4 * DIM)
    head.rows([0, 1])
    head.rows([0])
    head.rows([2])
    path.unlink()
    assert np.array_equal(head.rows([0, 2]), table[[0, 2]])
    with pytest.raises(ModelFileError):
        head.rows([1])


def test_the_same_ids_give_the_same_rows_which_nobody_can_change(head: Head) -> None:
    rows = head.rows([5, 6])
    with pytest.raises(ValueError, match="read-only"):
        rows[:] = 0
    assert head.rows(np.array([5, 6])) is rows  # type: ignore[arg-type]


def test_a_result_beyond_the_limit_leaves_the_others_in_the_cache(tmp_path: Path) -> None:
    table = encoded_table(GGMLQuantizationType.F32)
    path = write(tmp_path / "m.gguf", {"token_embd.weight": table}, GGMLQuantizationType.F32)
    head = Head(read_header(path), cache_bytes=2 * 4 * DIM)
    head.rows([0, 1])
    assert np.array_equal(head.rows([3, 1, 2]), table[[3, 1, 2]])
    path.unlink()
    assert np.array_equal(head.rows([1, 0]), table[[1, 0]])


def test_file_cut_after_it_was_opened_is_reported(head: Head, tmp_path: Path) -> None:
    with (tmp_path / "m.gguf").open("rb+") as file:
        file.truncate(400)
    with pytest.raises(ModelFileError, match="open it again"):
        head.rows([N - 1])


def test_threads_get_their_own_rows(head: Head) -> None:
    expected = head.rows(range(N))
    wrong: list[int] = []

    def ask(seed: int) -> None:
        rng = np.random.default_rng(seed)
        for _ in range(50):
            ids = rng.integers(0, N, 5).tolist()
            if not np.array_equal(head.rows(ids), expected[ids]):
                wrong.append(seed)

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_an_encoding_that_cannot_be_read_by_rows_is_named(tmp_path: Path) -> None:
    kind = next(kind for kind in GGMLQuantizationType if kind.name == "Q1_0")
    block, size = GGML_QUANT_SIZES[kind]
    path = write(tmp_path / "m.gguf", {"token_embd.weight": np.zeros((N, DIM // block * size), np.uint8)}, kind)
    with pytest.raises(ModelFileError, match=r"token_embd\.weight .* got Q1_0\. Maps and scores need"):
        Head(read_header(path)).rows([3])


@pytest.mark.parametrize("kind", sorted(MATRIX_TYPES), ids=lambda kind: kind.name)
def test_every_encoding_that_the_checks_let_pass_is_read_or_named(kind: GGMLQuantizationType, tmp_path: Path) -> None:
    block, size = GGML_QUANT_SIZES[kind]
    path = write(tmp_path / "m.gguf", {"token_embd.weight": np.zeros((N, DIM // block * size), np.uint8)}, kind)
    try:
        assert Head(read_header(path)).rows([0, N - 1]).shape == (2, DIM)
    except ModelFileError as exc:
        assert kind.name == "Q1_0", exc
