"""A model without its codebook: what goes, what stays to the last byte, and when nothing is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from gguf.constants import GGUFValueType
from gguf.gguf_writer import GGUFValue

import youtu_gguf as yg
from tests.edited import write_edited
from youtu_gguf.errors import InputError, ModelFileError
from youtu_gguf.gguf.codebook import Run
from youtu_gguf.gguf.header import GGUFArray, read_header
from youtu_gguf.gguf.lm_head import Head
from youtu_gguf.gguf.pair import check_pair
from youtu_gguf.types import FileForm
from youtu_gguf.weights.slim import COUNT_KEY, FIRST_KEY, slim

TOKENS = "tokenizer.ggml.tokens"
U32, I32, ARRAY = GGUFValueType.UINT32, GGUFValueType.INT32, GGUFValueType.ARRAY
CODEBOOK = Run(395, 64)  # of the tiny pair: 384 words, 6 control tokens, 4 of vision, one of unknown use, then the run


def tokens(path: Path) -> list[str]:
    found = read_header(path).metadata[TOKENS]
    assert isinstance(found, GGUFArray)
    return found.strings()


def without_run(items: list[Any]) -> list[Any]:
    return items[: CODEBOOK.first] + items[CODEBOOK.stop :]


@pytest.fixture(params=["tied", "untied"])
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Path]:
    return yg.weights.write_synthetic_pair(tmp_path, "tiny", tied=request.param == "tied")


def original_id(metadata: dict[str, Any], token: int) -> int:
    """Return the id that a token of a slim file had before; of any other file, the id itself."""
    first, count = metadata.get(FIRST_KEY), metadata.get(COUNT_KEY)
    if not isinstance(first, int) or not isinstance(count, int):
        return token
    return token + count if token >= first else token


def test_the_codebook_goes_and_everything_else_stays(pair: tuple[Path, Path], tmp_path: Path) -> None:
    done = slim(pair[0], tmp_path / "slim.gguf")
    before, after = read_header(pair[0]), read_header(done.path)
    assert done.dropped == CODEBOOK
    assert done.bytes_after == after.file_size < done.bytes_before == before.file_size
    assert tokens(done.path) == without_run(tokens(pair[0]))
    changed = {TOKENS, "tokenizer.ggml.token_type", "deepseek2.vocab_size"}
    for key in before.metadata.keys() - changed - {"general.alignment"}:
        old, new = before.metadata[key], after.metadata[key]
        assert before.types[key] == after.types[key]
        assert old.raw == new.raw if isinstance(old, GGUFArray) and isinstance(new, GGUFArray) else old == new
    rows = list(range(len(tokens(done.path))))
    assert np.array_equal(Head(after).rows(rows), Head(before).rows([original_id(after.metadata, i) for i in rows]))
    data = {path: path.read_bytes() for path in (pair[0], done.path)}
    assert list(before.tensors) == list(after.tensors)
    for name, tensor in before.tensors.items():
        other = after.tensors[name]
        if name not in ("token_embd.weight", "output.weight"):
            assert (other.shape, other.type) == (tensor.shape, tensor.type)
            old, new = ((t.offset, t.offset + t.n_bytes) for t in (tensor, other))
            assert data[pair[0]][slice(*old)] == data[done.path][slice(*new)]


def test_a_slim_file_is_one_of_a_pair_and_says_what_it_lacks(pair: tuple[Path, Path], tmp_path: Path) -> None:
    done = slim(pair[0], tmp_path / "slim.gguf")
    found = check_pair(done.path, pair[1])
    assert found.language.n_vocab == 5578 - CODEBOOK.count
    assert (found.model.metadata[FIRST_KEY], found.model.metadata[COUNT_KEY]) == (CODEBOOK.first, CODEBOOK.count)
    with pytest.raises(ModelFileError, match="slim already"):
        slim(done.path, tmp_path / "again.gguf")


def test_ids_behind_the_codebook_move(tmp_path: Path) -> None:
    def edit(metadata: dict[str, GGUFValue], _: Any) -> None:
        metadata["tokenizer.ggml.padding_token_id"] = GGUFValue(CODEBOOK.stop + 7, U32)
        metadata["tokenizer.ggml.suppress_tokens"] = GGUFValue([3, CODEBOOK.stop], ARRAY, I32)
        metadata["deepseek2.vocab_size"] = GGUFValue(5578, U32)

    after = read_header(slim(write_edited(tmp_path / "m.gguf", "model", edit), tmp_path / "slim.gguf").path)
    assert after.metadata["tokenizer.ggml.padding_token_id"] == CODEBOOK.first + 7
    assert after.metadata["tokenizer.ggml.suppress_tokens"].numbers().tolist() == [3, CODEBOOK.first]  # type: ignore[union-attr]
    assert after.metadata["deepseek2.vocab_size"] == 5578 - CODEBOOK.count


@pytest.mark.parametrize("variant", get_args(FileForm))
def test_every_form_of_a_file_loses_the_codebook_and_nothing_else(tmp_path: Path, variant: FileForm) -> None:
    source = yg.weights.write_synthetic_pair(tmp_path, "tiny", variant=variant)[0]
    done = slim(source, tmp_path / "slim.gguf")
    assert done.dropped.count == (65 if variant == "padded" else 64)
    assert f"{done.dropped.count} of type " in done.entries
    before, after = tokens(source), tokens(done.path)
    dropped = before[done.dropped.first : done.dropped.stop]
    assert [text for text in before if text not in set(dropped)] == after
    assert not any(text.startswith(("<x_", "<y_", "<custom_", "<ref", "<|v", "<|begin")) for text in dropped)


def test_where_it_is_not_sure_nothing_is_written(tmp_path: Path) -> None:
    def exchange(metadata: dict[str, GGUFValue], _: Any) -> None:
        texts = metadata[TOKENS].value
        texts[CODEBOOK.stop - 2], texts[CODEBOOK.stop - 3] = texts[CODEBOOK.stop - 3], texts[CODEBOOK.stop - 2]

    source = write_edited(tmp_path / "m.gguf", "model", exchange)
    finding = (
        r"64 or more entries.*; got 65 that are not numbered as one run, .*image_code_63\|>'\. No file was written"
    )
    with pytest.raises(ModelFileError, match=finding):
        slim(source, tmp_path / "slim.gguf")
    assert [path.name for path in tmp_path.iterdir()] == ["m.gguf"]


def special_inside(metadata: dict[str, GGUFValue], _: Any) -> None:
    metadata["tokenizer.ggml.padding_token_id"] = GGUFValue(CODEBOOK.first + 3, U32)


def test_an_id_that_stays_in_use_is_never_dropped(tmp_path: Path) -> None:
    source = write_edited(tmp_path / "m.gguf", "model", special_inside)
    with pytest.raises(ModelFileError, match=r"padding_token_id is 398, among the entries 395 to 458"):
        slim(source, tmp_path / "slim.gguf")
    assert [path.name for path in tmp_path.iterdir()] == ["m.gguf"]


def test_a_tensor_with_a_value_per_token_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    def edit(_: Any, specs: list[Any]) -> None:
        from dataclasses import replace

        specs.append(replace(specs[1], name="output.bias", shape=(5578,)))

    source = write_edited(tmp_path / "m.gguf", "model", edit)
    with pytest.raises(ModelFileError, match=r"output\.bias of shape \(5578,\)"):
        slim(source, tmp_path / "slim.gguf")


def test_the_source_is_never_written_over(tiny_pair: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the source itself"):
        slim(tiny_pair[0], tiny_pair[0])
    with pytest.raises(InputError, match="a folder"):
        slim(tiny_pair[0], tmp_path)
    with pytest.raises(InputError, match="expected a folder"):
        slim(tiny_pair[0], tmp_path / "no" / "where.gguf")
    with pytest.raises(ModelFileError, match="is a projector"):
        slim(tiny_pair[1], tmp_path / "slim.gguf")
