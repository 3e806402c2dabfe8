"""Random pairs of the exact architecture."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from gguf.constants import TokenType

import youtu_gguf as yg
from tests.reference.weights import Weights
from youtu_gguf.errors import InputError, OutputError
from youtu_gguf.facts import N_TOKENS, PUBLISHED_BYTES, PUBLISHED_PROJECTOR_BYTES, SPELLED_TAGS, TAGS
from youtu_gguf.gguf.header import GGUFArray, read_header
from youtu_gguf.gguf.pair import check_pair
from youtu_gguf.types import FileForm
from youtu_gguf.weights.synthetic import pair as synthetic
from youtu_gguf.weights.synthetic.pair import FULL, TINY, write_synthetic_pair
from youtu_gguf.weights.synthetic.tokens import TokenTable, make_tokens
from youtu_gguf.weights.synthetic.variants import VARIANTS

MEGABYTE = 1_000_000
POOLED = replace(TINY, name="pooled", pooled=True)


@pytest.fixture(scope="module")
def full_tokens() -> TokenTable:
    return make_tokens(FULL.vocabulary)


@pytest.mark.parametrize("quant", ["Q8_0", "F32"])
def test_tiny_pair_stays_under_three_megabytes(quant: str, tmp_path: Path) -> None:
    assert sum(path.stat().st_size for path in write_synthetic_pair(tmp_path, "tiny", quant=quant)) < 3 * MEGABYTE


def test_names_tell_model_projector_and_encoding(tmp_path: Path) -> None:
    names = [path.name for path in write_synthetic_pair(tmp_path, "tiny")]
    assert names == ["Youtu-VL-tiny-synthetic-Q8_0.gguf", "mmproj-Youtu-VL-tiny-synthetic-BF16.gguf"]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)


@pytest.mark.parametrize("shape", [TINY, POOLED], ids=lambda shape: shape.name)
def test_equal_seeds_give_equal_bytes_and_others_do_not(shape: synthetic.Shape, tmp_path: Path) -> None:
    first, again, other = (
        [path.read_bytes() for path in write_synthetic_pair(tmp_path / name, shape, seed=seed)]
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert first == again
    assert first[0] != other[0]
    assert first[1] != other[1]


@pytest.mark.parametrize("quant", ["F32", "F16", "BF16", "Q8_0"])
@pytest.mark.parametrize("tied", [True, False])
def test_every_encoding_passes_the_checks(quant: str, tied: bool, tmp_path: Path) -> None:
    assert check_pair(*write_synthetic_pair(tmp_path, "tiny", quant=quant, tied=tied)).language.tied is tied


@pytest.mark.parametrize("shape", [TINY, POOLED], ids=lambda shape: shape.name)
def test_weights_have_the_spread_that_keeps_activations_in_size(shape: synthetic.Shape, tmp_path: Path) -> None:
    model, projector = (Weights(path) for path in write_synthetic_pair(tmp_path, shape))
    # 6,000 values or more each: the standard deviation of their spread is below 1 %.
    for weights, name, std in (
        (model, "blk.0.ffn_gate.weight", 64**-0.5),
        (model, "blk.0.ffn_down.weight", 96**-0.5),
        (model, "blk.0.attn_output.weight", 128**-0.5),
        (projector, "mm.0.weight", 192**-0.5),
        (projector, "v.patch_embd.weight", 768**-0.5),
    ):
        assert weights[name].std() == pytest.approx(std, rel=0.05)
    assert not np.array_equal(model["blk.0.ffn_gate.weight"], model["blk.0.ffn_up.weight"])


def test_norms_and_biases_vary_so_that_a_wrong_one_shows(tmp_path: Path) -> None:
    model, projector = (Weights(path) for path in write_synthetic_pair(tmp_path, "tiny"))
    assert 0.02 < model["output_norm.weight"].std() < 0.2
    assert 0.02 < projector["v.blk.0.attn_q.bias"].std() < 0.2


def test_ids_of_the_full_vocabulary_are_the_published_ones(full_tokens: TokenTable) -> None:
    at = {text: i for i, text in enumerate(full_tokens.texts)}
    assert len(full_tokens.texts) == len(at) == 283_386
    assert FULL.vocabulary.n_tokens == N_TOKENS == 283_386
    published = {
        "<|begin_of_text|>": 128_000, "<|end_of_text|>": 128_001, "<|vision_start|>": 128_262,
        "<|vision_end|>": 128_263, "<|image_pad|>": 128_264, "<|video_pad|>": 128_265,
        "<x_0>": 278_267, "<y_0>": 278_268, "<x_2047>": 282_361, "<y_2047>": 282_362, "<custom_1>": 282_363,
        "<custom_1000>": 283_362, "<ins>": 283_365, "<ref>": 283_371, "</ref>": 283_372, "<OTHERS>": 283_375,
    }  # fmt: skip
    assert {text: at[text] for text in published} == published
    assert not at.keys() & set(SPELLED_TAGS)
    assert set(TAGS) - set(SPELLED_TAGS) < at.keys()


def test_codebook_entries_have_names_of_the_published_length(full_tokens: TokenTable) -> None:
    names = full_tokens.texts[128_267:278_267]
    assert names[0] == "<|image_code_0|>"
    assert names[-1] == "<|image_code_149999|>"
    assert 18 <= np.mean([len(name) for name in names]) <= 21


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_form_passes_the_checks(variant: FileForm, tmp_path: Path) -> None:
    form = VARIANTS[variant]
    found = yg.weights.inspect(write_synthetic_pair(tmp_path, "tiny", variant=variant)[0])
    assert found.problem is None
    assert found.chat_template == form.chat_template
    assert found.tokens is not None
    assert found.tokens.codebook is not None
    assert found.tokens.codebook.stop == found.tokens.coordinates.first  # type: ignore[union-attr]
    metadata = read_header(found.path).metadata
    assert metadata.get("tokenizer.ggml.add_bos_token") == form.add_bos
    assert ("deepseek2.expert_count" in metadata) is form.experts


def test_unknown_forms_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"variant must be one of named, padded, .*; got 'odd'"):
        write_synthetic_pair(tmp_path, "tiny", variant="odd")  # type: ignore[arg-type]


def test_metadata_and_tensors_come_in_the_converters_order(tmp_path: Path) -> None:
    model, projector = map(read_header, write_synthetic_pair(tmp_path, "tiny"))
    assert list(get_args(FileForm)) == list(VARIANTS)
    assert [*model.metadata][:3] == ["general.architecture", "general.type", "general.name"]
    keys = [key for key in model.metadata if not key.startswith(("general.", "tokenizer."))]
    assert [keys[0], keys[-1]] == ["deepseek2.block_count", "deepseek2.rope.dimension_count"]
    assert [*model.metadata].index("general.quantization_version") < [*model.metadata].index("tokenizer.ggml.model")
    assert [*model.metadata][-1] == "tokenizer.chat_template"
    assert [*model.tensors][:2] == ["token_embd.weight", "blk.0.attn_norm.weight"]
    assert [*model.tensors][-1] == "output_norm.weight"
    assert next(iter(projector.tensors)) == "mm.input_norm.weight"
    assert [*projector.metadata][-1] == "general.quantization_version"


@pytest.mark.parametrize(("quant", "patches"), [("F16", "F16"), ("BF16", "F32"), ("F32", "F32")])
def test_patch_embedding_has_the_converters_encoding(quant: str, patches: str, tmp_path: Path) -> None:
    header = read_header(write_synthetic_pair(tmp_path, "tiny", projector_quant=quant)[1])
    assert header.tensors["v.patch_embd.weight"].type.name == patches
    assert header.tensors["v.post_ln.weight"].type.name == "F32"


def test_token_types_are_those_of_the_converter(full_tokens: TokenTable) -> None:
    kinds = dict(zip(full_tokens.texts, full_tokens.types, strict=True))
    assert kinds["<|vision_start|>"] == TokenType.CONTROL
    assert kinds["<x_5>"] == kinds["<custom_1000>"] == kinds["</box>"] == TokenType.USER_DEFINED
    assert kinds["<|image_code_7|>"] == TokenType.CONTROL
    assert kinds["[PAD283385]"] == TokenType.UNUSED
    assert kinds["a"] == TokenType.NORMAL


@pytest.mark.parametrize("shape", [TINY, FULL], ids=["tiny", "full"])
def test_every_merge_joins_tokens_into_a_token(shape: synthetic.Shape) -> None:
    table = make_tokens(shape.vocabulary)
    known = set(table.texts)
    pairs = [merge.split(" ") for merge in table.merges]
    assert len(pairs) == shape.vocabulary.n_base - 256
    assert all(left in known and right in known and left + right in known for left, right in pairs)


def test_full_sizes_are_the_published_ones() -> None:
    language = synthetic.language_tensors(FULL, synthetic.find_type("Q8_0"))
    vision = synthetic.vision_tensors(FULL, synthetic.find_type("BF16"))
    assert PUBLISHED_BYTES["Q8_0"] - sum(spec.n_bytes for spec in language) == pytest.approx(
        9.4e6, rel=0.01
    )  # metadata
    assert PUBLISHED_PROJECTOR_BYTES - sum(spec.n_bytes for spec in vision) < 30_000


def test_template_opens_a_turn_the_way_the_model_knows(tmp_path: Path) -> None:
    metadata = read_header(write_synthetic_pair(tmp_path, "tiny")[0]).metadata
    assert "<|begin_of_text|>assistant\n" in str(metadata["tokenizer.chat_template"])
    tokens = metadata["tokenizer.ggml.tokens"]
    assert isinstance(tokens, GGUFArray)
    assert tokens.strings()[int(str(metadata["tokenizer.ggml.eos_token_id"]))] == "<|end_of_text|>"


def test_progress_reaches_the_end_of_both_files(tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    write_synthetic_pair(tmp_path, "tiny", progress=lambda *now: seen.append(now))
    for stage in ("model", "projector"):
        steps = [(done, total) for name, done, total in seen if name == stage]
        assert steps == sorted(steps)
        assert steps[-1][0] == steps[-1][1]


@pytest.mark.parametrize("stage", ["model", "projector"])
def test_interrupted_writing_leaves_no_file(stage: str, tmp_path: Path) -> None:
    def interrupt(now: str, _done: int, _total: int) -> None:
        if now == stage:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_synthetic_pair(tmp_path, "tiny", progress=interrupt)
    assert list(tmp_path.iterdir()) == []


def test_files_already_there_survive_an_interrupted_writing(tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in write_synthetic_pair(tmp_path, "tiny", seed=1)}

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_synthetic_pair(tmp_path, "tiny", seed=2, progress=interrupt)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_too_little_room_is_reported_before_anything_is_written(tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free
    vocabulary = replace(TINY.vocabulary, n_codebook=free // 64)
    with pytest.raises(OutputError, match=r"needs .* GB free; got .* GB\. Free some"):
        write_synthetic_pair(tmp_path, replace(TINY, vocabulary=vocabulary))
    assert list(tmp_path.iterdir()) == []


def test_folder_that_cannot_be_made_is_the_callers_mistake(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="a folder you may write to"):
        write_synthetic_pair(tmp_path / "file", "tiny")


BAD_ARGUMENTS: list[tuple[dict[str, str], str]] = [
    ({"size": "huge"}, "size must be one of tiny, full; got 'huge'"),
    ({"quant": "Q4_K"}, "quant must be one of F32, F16, BF16, Q8_0; got 'Q4_K'"),
    ({"projector_quant": "int8"}, "quant must be one of"),
]


@pytest.mark.parametrize(("arguments", "finding"), BAD_ARGUMENTS)
def test_unknown_size_or_encoding_names_the_known_ones(arguments: dict[str, str], finding: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=finding):
        write_synthetic_pair(tmp_path, **arguments)


def test_rows_that_are_no_whole_blocks_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"rows of v.blk.0.ffn_up.weight must be multiples of 32 for Q8_0; got 48"):
        write_synthetic_pair(tmp_path, "tiny", projector_quant="Q8_0")
    assert list(tmp_path.iterdir()) == []
