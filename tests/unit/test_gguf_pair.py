"""Checking a pair before llama.cpp sees it, and finding the files of one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from gguf.constants import GGMLQuantizationType, GGUFValueType
from gguf.gguf_writer import GGUFValue

from tests.edited import Edit, write_edited
from youtu_gguf.errors import ModelFileError
from youtu_gguf.gguf.pair import check_pair, find_model, find_projector
from youtu_gguf.gguf.writer import TensorSpec
from youtu_gguf.weights.synthetic.pair import TINY, write_synthetic_pair

U32, I32, F32 = GGUFValueType.UINT32, GGUFValueType.INT32, GGUFValueType.FLOAT32
STRING, BOOL, ARRAY = GGUFValueType.STRING, GGUFValueType.BOOL, GGUFValueType.ARRAY
Pair = tuple[Path, Path]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return write_synthetic_pair(tmp_path_factory.mktemp("pair"), "tiny")


D, A = "deepseek2.", "deepseek2.attention."


def without(*keys: str) -> Edit:
    return lambda metadata, _: [metadata.pop(key) for key in keys] and None


def put(key: str, value: Any, kind: GGUFValueType = U32, items: GGUFValueType | None = None) -> Edit:
    return lambda metadata, _: metadata.update({key: GGUFValue(value, kind, items)})


def drop(name: str) -> Edit:
    return lambda _, specs: specs.remove(next(spec for spec in specs if spec.name == name))


def remake(name: str, **changes: Any) -> Edit:
    def edit(_: dict[str, GGUFValue], specs: list[TensorSpec]) -> None:
        at = next(i for i, spec in enumerate(specs) if spec.name == name)
        specs[at] = replace(specs[at], **changes)

    return edit


def token(at: int, text: str) -> Edit:
    return lambda metadata, _: metadata["tokenizer.ggml.tokens"].value.__setitem__(at, text)


def experts(count: int, used: int, groups: int = 0, used_groups: int = 0) -> Edit:
    values = {"count": count, "used_count": used, "group_count": groups, "group_used_count": used_groups}
    return lambda metadata, _: metadata.update({f"{D}expert_{key}": GGUFValue(n, U32) for key, n in values.items()})


def tokens_as_numbers(metadata: dict[str, GGUFValue], _: list[TensorSpec]) -> None:
    count = len(metadata["tokenizer.ggml.tokens"].value)
    metadata["tokenizer.ggml.tokens"] = GGUFValue([1] * count, ARRAY, I32)


def fewer_types(metadata: dict[str, GGUFValue], _: list[TensorSpec]) -> None:
    metadata["tokenizer.ggml.token_type"].value.pop()


def both_activations(metadata: dict[str, GGUFValue], _: list[TensorSpec]) -> None:
    metadata["clip.use_silu"] = GGUFValue(True, BOOL)


def class_token(_: dict[str, GGUFValue], specs: list[TensorSpec]) -> None:
    specs.append(TensorSpec("v.class_embd", (48,), GGMLQuantizationType.F32, "bias"))


def test_pair_gives_what_the_engine_needs(pair: Pair) -> None:
    found = check_pair(*pair)
    assert (found.model.path, found.projector.path) == pair
    assert (found.language.n_embd, found.language.n_layer, found.language.n_vocab) == (64, 3, 5578)
    assert found.language.cache_values_per_token == (32 + 16) * 3
    assert found.language.tied
    assert (found.vision.n_out, found.vision.window_px, found.vision.full_layers) == (64, 256, (1, 3))


def test_untied_pair_in_other_encodings_passes(tmp_path: Path) -> None:
    found = check_pair(*write_synthetic_pair(tmp_path, "tiny", quant="F16", projector_quant="F16", tied=False))
    assert not found.language.tied


def test_projector_type_may_stand_under_its_other_key(pair: Pair, tmp_path: Path) -> None:
    def move(metadata: dict[str, GGUFValue], _: list[TensorSpec]) -> None:
        metadata["clip.vision.projector_type"] = metadata.pop("clip.projector_type")

    assert check_pair(pair[0], write_edited(tmp_path / "mmproj.gguf", "projector", move)).vision.n_out == 64


def test_swapped_files_are_called_swapped(pair: Pair) -> None:
    with pytest.raises(ModelFileError, match=r"model and projector are swapped.*Exchange the two"):
        check_pair(pair[1], pair[0])


@pytest.mark.parametrize(("first", "second", "finding"), [(0, 0, "is a language model"), (1, 1, "is a projector")])
def test_one_file_given_twice_is_refused(pair: Pair, first: int, second: int, finding: str) -> None:
    with pytest.raises(ModelFileError, match=finding):
        check_pair(pair[first], pair[second])


def test_missing_projector_is_reported(pair: Pair, tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="there is none"):
        check_pair(pair[0], tmp_path / "mmproj.gguf")


def test_truncated_model_is_reported(pair: Pair, tmp_path: Path) -> None:
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(pair[0].read_bytes()[:-5000])
    with pytest.raises(ModelFileError, match=r"truncated\. Download it again"):
        check_pair(cut, pair[1])


def test_projector_of_another_width_is_refused_with_both_widths(pair: Pair, tmp_path: Path) -> None:
    wider = replace(TINY, name="wider", language=replace(TINY.language, n_embd=96))
    other = write_synthetic_pair(tmp_path, wider)[1]
    with pytest.raises(ModelFileError, match=r"width 64 for .*makes 96\. Use the mmproj"):
        check_pair(pair[0], other)


BAD_MODELS: dict[str, tuple[Edit, str]] = {
    "another architecture": (put("general.architecture", "llama", STRING), "architecture 'llama'"),
    "no architecture": (without("general.architecture"), "architecture 'unknown'"),
    "one of several parts": (put("split.count", 3, GGUFValueType.UINT16), "one of 3 parts.*--merge"),
    "no layers": (put(D + "block_count", 0), "block_count between 1 and 512; got 0"),
    "endless layers": (put(D + "block_count", 4_000_000_000), "block_count between"),
    "layer count as text": (put(D + "block_count", "3", STRING), "block_count as UINT32; got STRING"),
    "more layers than tensors": (put(D + "block_count", 4), r"leading_dense_block_count = 3 of 4 layers"),
    "no width": (without(D + "embedding_length"), "embedding_length as UINT32; got none"),
    "another width": (put(D + "embedding_length", 128), r"token_embd.weight of shape \(128, 5578\)"),
    "another output width": (put(D + "embedding_length_out", 96), "embedding_length_out = 64"),
    "attention with a temperature": (
        put(A + "temperature_scale", 0.1, F32),
        "no deepseek2.attention.temperature_scale",
    ),
    "other token id as text": (put("tokenizer.ggml.eot_token_id", "5", STRING), "eot_token_id as UINT32; got STRING"),
    "no context length": (without(D + "context_length"), "context_length"),
    "no norm epsilon": (without(A + "layer_norm_rms_epsilon"), "epsilon as FLOAT32"),
    "norm epsilon of zero": (put(A + "layer_norm_rms_epsilon", 0.0, F32), "epsilon above 0"),
    "layers with experts": (
        put(D + "leading_dense_block_count", 1),
        "model without experts; got deepseek2.leading_dense_block_count = 1 of 3 layers",
    ),
    "tensors of experts": (
        lambda _, specs: specs.append(replace(specs[1], name="blk.1.ffn_up_exps.weight")),
        "without experts; got tensor blk.1.ffn_up_exps.weight",
    ),
    "a router": (
        lambda _, specs: specs.append(replace(specs[1], name="blk.1.ffn_gate_inp.weight")),
        "tensor blk.1.ffn",
    ),
    "more experts than llama.cpp takes": (experts(2000, 8), "expert_count between 0 and 1024; got 2000"),
    "experts in use without experts": (experts(0, 2), "expert_used_count between 0 and 0; got 2"),
    "experts of which none is used": (experts(8, 0), "expert_used_count from 1 to 8; got 0"),
    "more experts used than there are": (experts(8, 9), "expert_used_count between 0 and 8; got 9"),
    "as many groups as experts": (experts(8, 2, 8, 2), "expert_group_count between 0 and 7; got 8"),
    "groups that do not divide": (experts(8, 2, 3, 1), "expert_group_count to divide expert_count"),
    "all groups in use": (experts(8, 2, 4, 4), "above expert_group_used_count; got 4, 8 and 4"),
    "groups without experts": (experts(0, 0, 2, 1), "expert_group_count between 0 and 0; got 2"),
    "expert scale as a number": (put(D + "expert_weights_scale", 2), "expert_weights_scale as FLOAT32; got UINT32"),
    "layers that predict on": (put(D + "nextn_predict_layers", 1), "nextn_predict_layers = 0"),
    "no latent rank": (without(A + "kv_lora_rank"), "kv_lora_rank as UINT32; got none"),
    "no query rank": (without(A + "q_lora_rank"), "q_lora_rank as UINT32"),
    "no latent key length": (without(A + "key_length_mla"), "key_length_mla"),
    "old files without the split": (drop("blk.0.attn_k_b.weight"), "tensor blk.0.attn_k_b.weight"),
    "several keys": (put(A + "head_count_kv", 4), "head_count_kv = 1"),
    "wrong key length": (put(A + "key_length", 50), "key_length = 48"),
    "rope wider than the key": (put(D + "rope.dimension_count", 48), "below key_length_mla; got 48 and 48"),
    "odd rope": (put(D + "rope.dimension_count", 15), "even"),
    "unknown rope scaling": (put(D + "rope.scaling.type", "ntk", STRING), "got 'ntk'"),
    "another tokenizer": (put("tokenizer.ggml.model", "llama", STRING), "to be gpt2; got 'llama'"),
    "another pre-tokenizer": (put("tokenizer.ggml.pre", "qwen2", STRING), "to be youtu; got 'qwen2'"),
    "no pre-tokenizer": (without("tokenizer.ggml.pre"), "tokenizer.ggml.pre as STRING"),
    "no merges": (without("tokenizer.ggml.merges"), "merges as ARRAY"),
    "no tokens": (without("tokenizer.ggml.tokens"), "tokens as ARRAY"),
    "tokens as numbers": (tokens_as_numbers, "tokens as 1 or more STRING"),
    "too few token types": (fewer_types, "token_type as 5578 or more INT32"),
    "another vocabulary size": (put(D + "vocab_size", 99), "vocab_size = 5578"),
    "end token out of range": (put("tokenizer.ggml.eos_token_id", 5578), "between 0 and 5577; got 5578"),
    "token twice": (token(700, "<x_0>"), "each token once; got '<x_0>'"),
    "no vision tokens": (token(390, "something"), "none named <|vision_start|>".replace("|", r"\|")),
    "no embedding": (drop("token_embd.weight"), "tensor token_embd.weight"),
    "head of another shape": (remake("output_norm.weight", shape=(63,)), "output_norm.weight of shape"),
    "norm in half precision": (remake("blk.1.attn_norm.weight", type=GGMLQuantizationType.F16), "as F32; got F16"),
    "matrix of another shape": (remake("blk.2.ffn_up.weight", shape=(64, 95)), r"\(64, 96\); got \(64, 95\)"),
    "integer matrix": (remake("blk.2.ffn_up.weight", type=GGMLQuantizationType.F64), "quantised; got F64"),
}

V = "clip.vision."
BAD_PROJECTORS: dict[str, tuple[Edit, str]] = {
    "another architecture": (put("general.architecture", "qwen2", STRING), "architecture 'qwen2'"),
    "another projector": (put("clip.projector_type", "qwen2.5vl_merger", STRING), "be youtuvl; got 'qwen2.5vl"),
    "no projector type": (without("clip.projector_type"), "projector_type as STRING; got none"),
    "vision not mentioned": (without("clip.has_vision_encoder"), "has_vision_encoder as BOOL"),
    "no vision": (put("clip.has_vision_encoder", False, BOOL), "a vision encoder; the file says it has none"),
    "audio as well": (put("clip.has_audio_encoder", True, BOOL), "vision encoder alone"),
    "name as a number": (put("general.name", 1), "general.name as STRING; got UINT32"),
    "activation as a number": (put("clip.use_gelu", 1), "use_gelu as BOOL; got UINT32"),
    "two activations": (both_activations, "one activation"),
    "no patch size": (without(V + "patch_size"), "patch_size as UINT32; got none"),
    "another patch size": (put(V + "patch_size", 14), r"patch_size = 16 \(an image token covers 32x32 px\); got 14"),
    "another merge": (put(V + "spatial_merge_size", 4), "spatial_merge_size = 2"),
    "huge image size": (put(V + "image_size", 10_000), "image_size between 0 and 8192"),
    "no mean": (without(V + "image_mean"), "image_mean as ARRAY"),
    "short mean": (put(V + "image_mean", [0.5], ARRAY, F32), "3 or more FLOAT32"),
    "deviation of zero": (put(V + "image_std", [0.5, 0.0, 0.5], ARRAY, F32), "image_std above 0"),
    "no window": (without(V + "window_size"), "window_size as UINT32; got none"),
    "window below a token": (put(V + "window_size", 16), "multiple of 32; got 16"),
    "endless window": (put(V + "window_size", 8192), "window_size between 1 and 4096"),
    "no full layers": (without(V + "wa_layer_indexes"), "wa_layer_indexes as ARRAY"),
    "full layers out of range": (put(V + "wa_layer_indexes", [1, 9], ARRAY, I32), r"0 to 3; got \[1, 9\]"),
    "full layers as real numbers": (put(V + "wa_layer_indexes", [1.0], ARRAY, F32), "1 or more INT32"),
    "heads that do not divide": (put(V + "attention.head_count", 5), "width of 48 in 5 heads"),
    "heads of six": (put(V + "attention.head_count", 8), "width of 48 in 8 heads"),
    "no heads": (put(V + "attention.head_count", 0), "head_count between 1"),
    "class token": (class_token, "no tensor v.class_embd"),
    "no patch embedding": (drop("v.patch_embd.weight"), "tensor v.patch_embd.weight"),
    "no query bias": (drop("v.blk.2.attn_q.bias"), "tensor v.blk.2.attn_q.bias"),
    "no merger": (drop("mm.0.weight"), r"tensor mm.0.weight"),
    "no output": (drop("mm.2.weight"), r"tensor mm.2.weight"),
    "short bias": (remake("mm.2.bias", shape=(63,)), r"mm.2.bias of shape \(64,\); got \(63,\)"),
    "bias in half precision": (remake("mm.0.bias", type=GGMLQuantizationType.F16), "as F32; got F16"),
}


# What other converters or an untidy config may leave behind, and llama.cpp does not mind.
HARMLESS_MODELS = {
    "shared experts without experts": put(D + "expert_shared_count", 1),
    "more dense layers than layers": put(D + "leading_dense_block_count", 99),
    "no first token": without("tokenizer.ggml.bos_token_id"),
    "a key nobody knows": put("youtu.note", "hello", STRING),
    "routing left over": put(D + "expert_weights_scale", 2.5, F32),
    "experts left over": experts(256, 8, 8, 4),
    "experts left over, without groups": experts(8, 2),
    "experts left over, in one group": experts(64, 6, 1, 1),
}


@pytest.mark.parametrize("name", HARMLESS_MODELS)
def test_model_with_harmless_leftovers_passes(name: str, pair: Pair, tmp_path: Path) -> None:
    check_pair(write_edited(tmp_path / "model.gguf", "model", HARMLESS_MODELS[name]), pair[1])


@pytest.mark.parametrize("name", BAD_MODELS)
def test_model_that_llama_cpp_must_not_see_is_refused(name: str, pair: Pair, tmp_path: Path) -> None:
    edit, finding = BAD_MODELS[name]
    with pytest.raises(ModelFileError, match=finding):
        check_pair(write_edited(tmp_path / "model.gguf", "model", edit), pair[1])


@pytest.mark.parametrize("name", BAD_PROJECTORS)
def test_projector_that_llama_cpp_must_not_see_is_refused(name: str, pair: Pair, tmp_path: Path) -> None:
    edit, finding = BAD_PROJECTORS[name]
    with pytest.raises(ModelFileError, match=finding):
        check_pair(pair[0], write_edited(tmp_path / "mmproj.gguf", "projector", edit))


FOLDERS = {
    "published names": ("Youtu-VL-4B-Instruct-Q8_0.gguf", ["mmproj-Youtu-VL-4b-Instruct-BF16.gguf"], 0),
    "any spelling": ("a.gguf", ["B-MMPROJ.GGUF"], 0),
    "the namesake among several": ("tiny-Q8_0.gguf", ["mmproj-full-BF16.gguf", "tiny.mmproj-f16.gguf"], 1),
    "one without a name among several": ("tiny-Q8_0.gguf", ["mmproj-full-BF16.gguf", "mmproj-f16.gguf"], 1),
    "BF16 before F16": ("m-Q8_0.gguf", ["mmproj-m-F16.gguf", "mmproj-m-bf16.gguf", "mmproj-m-Q8_0.gguf"], 1),
    "F16 before others": ("m-Q8_0.gguf", ["mmproj-m-Q8_0.gguf", "mmproj-m-F16.gguf"], 1),
    "the tag before mmproj": ("m-Q8_0.gguf", ["m-f16_mmproj.gguf", "m-bf16_mmproj.gguf"], 1),
}


@pytest.mark.parametrize("name", FOLDERS)
def test_pair_is_found_by_its_names(name: str, tmp_path: Path) -> None:
    model, projectors, which = FOLDERS[name]
    for file in (model, *projectors, "notes.txt", ".half.mmproj.gguf"):
        (tmp_path / file).touch()
    (tmp_path / "a folder.gguf").mkdir()
    (tmp_path / "gone.gguf").symlink_to("nowhere")
    assert find_projector(tmp_path / model) == tmp_path / projectors[which]
    assert find_model(tmp_path) == tmp_path / model


ENCODINGS = [
    (["m-F16.gguf", "m-q8_0.gguf", "m-Q4_K_M.gguf"], 1),
    (["m-Q4_K_S.gguf", "m-Q4_K_M.gguf", "m-IQ4_XS.gguf"], 1),
    (["m-IQ4_XS.gguf", "m-UD-Q4_K_XL.gguf", "m-F16.gguf"], 2),
    (["m-Q8_0-00001-of-00002.gguf", "m-Q8_0-00002-of-00002.gguf", "m-F16.gguf"], 2),
    (["m-F16.gguf", "another-Q8_0.gguf"], 1),
    (["m-slim-Q8_0.gguf", "m-Q8_0.gguf", "m-old-Q8_0.gguf"], 1),
]


@pytest.mark.parametrize(("names", "which"), ENCODINGS)
def test_among_several_encodings_one_is_taken_and_said(
    names: list[str], which: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in names:
        (tmp_path / name).touch()
    for _ in range(2):
        assert find_model(tmp_path) == tmp_path / names[which]
    if not any("-of-" in name for name in names):
        (note,) = [record.getMessage() for record in caplog.records]  # once
        assert f"several language models lie in {tmp_path}: {names[which]} is used, not" in note
        assert all(name in note for name in names)


def test_nothing_to_find_is_reported_with_the_argument_to_give(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"one language model in .*; got none.*model=PATH"):
        find_model(tmp_path)
    with pytest.raises(ModelFileError, match=r"one projector in .*; got none.*mmproj=PATH"):
        find_projector(tmp_path / "model.gguf")


def test_several_that_fit_are_listed_not_guessed(tmp_path: Path) -> None:
    for file in ("m-Q8_0.gguf", "n-Q8_0.gguf", "mmproj-a-F16.gguf", "mmproj-b-BF16.gguf"):
        (tmp_path / file).touch()
    with pytest.raises(ModelFileError, match=r"got m-Q8_0.gguf, n-Q8_0.gguf.*model=PATH"):
        find_model(tmp_path)
    with pytest.raises(ModelFileError, match=r"got mmproj-a-F16.gguf, mmproj-b-BF16.gguf.*mmproj=PATH"):
        find_projector(tmp_path / "m-Q8_0.gguf")


def test_parts_are_refused_with_the_command_that_joins_them(tmp_path: Path) -> None:
    for n in (1, 2, 3):
        (tmp_path / f"m-Q8_0-0000{n}-of-00003.gguf").touch()
    first, whole = tmp_path / "m-Q8_0-00001-of-00003.gguf", tmp_path / "m-Q8_0.gguf"
    with pytest.raises(ModelFileError) as caught:
        find_model(tmp_path)
    assert "one of 3 parts" in str(caught.value)
    assert f"`llama-gguf-split --merge {first} {whole}`" in str(caught.value)


def test_links_that_lead_nowhere_and_unfinished_downloads_are_named(tmp_path: Path) -> None:
    (tmp_path / "m-Q8_0.gguf.part").touch()
    with pytest.raises(ModelFileError, match=r"got unfinished downloads: m-Q8_0\.gguf\.part"):
        find_model(tmp_path)
    (tmp_path / "m-Q8_0.gguf").symlink_to("gone")
    with pytest.raises(ModelFileError, match=r"got links that lead nowhere: m-Q8_0\.gguf"):
        find_model(tmp_path)


def test_folders_named_by_an_encoding_belong_to_the_folder_above(tmp_path: Path) -> None:
    (tmp_path / "Q8_0").mkdir()
    (tmp_path / "other").mkdir()
    for file in ("Q8_0/m.gguf", "other/n.gguf", "mmproj-F16.gguf"):
        (tmp_path / file).touch()
    assert find_model(tmp_path) == tmp_path / "Q8_0" / "m.gguf"
    assert find_projector(tmp_path / "Q8_0" / "m.gguf") == tmp_path / "mmproj-F16.gguf"


def test_folder_that_is_not_there_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="Check the path"):
        find_model(tmp_path / "nowhere")
