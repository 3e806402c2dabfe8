"""What is in a synthetic pair: shapes, tensors and metadata, in the order in which llama.cpp's converter writes them.

Shapes, prompt and tokens: docs/facts.md. Names and keys: llama.cpp's `deepseek2` and `youtuvl` loaders. Order: its
converter (conversion/base.py, deepseek.py, youtuvl.py) on a checkpoint whose tensors are sorted by name, as the
safetensors library writes them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from gguf import GGUFWriter
from gguf.constants import ExpertGatingFuncType, GGMLQuantizationType, LlamaFileType

from youtu_gguf.facts import (
    BEGIN,
    END,
    LANGUAGE,
    MERGE,
    N_BASE,
    N_CODEBOOK,
    N_CONTROL,
    NORM_EPS,
    PATCH_PX,
    PRE_TOKENIZER,
    ROPE_BASE,
    VISION,
    LanguageShape,
    VisionShape,
)
from youtu_gguf.gguf.writer import TensorSpec
from youtu_gguf.weights.synthetic.tokens import TokenTable, VocabularyShape, make_tokens
from youtu_gguf.weights.synthetic.variants import Variant

EMBEDDING_GAIN, QUERY_GAIN = 0.25, 2.0
"""Weaker embeddings and sharper attention than 1/sqrt(fan-in). With 1 and 1 a greedy answer of 120 tokens of the tiny
model holds about 12 different ones, since a tied head favours the token that came last; with these, about 50. Sharper
attention still would magnify llama.cpp's half-precision steps beyond what a comparison with a reference can bear."""

RANDOM_WEIGHTS = "Random weights in the architecture of Youtu-VL; its answers mean nothing."


@dataclass(frozen=True)
class Shape:
    """A model's sizes. `pooled` cuts the weights from a pool of random blocks, as only big files need."""

    name: str
    language: LanguageShape
    vision: VisionShape
    vocabulary: VocabularyShape
    pooled: bool = False


TINY = Shape(
    "Youtu-VL-tiny-synthetic",
    LanguageShape(3, 64, 96, 4, q_lora=64, kv_lora=32, qk_nope=32, qk_rope=16, v_head=32),
    VisionShape(4, 48, 96, 2, full_layers=(1, 3)),
    VocabularyShape(n_base=384, n_control=6, n_codebook=64),
)
FULL = Shape(
    "Youtu-VL-full-synthetic",
    LANGUAGE,
    VISION,
    VocabularyShape(N_BASE, N_CONTROL, N_CODEBOOK),
    pooled=True,
)
SIZES = {"tiny": TINY, "full": FULL}
FILE_TYPES = {
    "F32": LlamaFileType.ALL_F32,
    "F16": LlamaFileType.MOSTLY_F16,
    "BF16": LlamaFileType.MOSTLY_BF16,
    "Q8_0": LlamaFileType.MOSTLY_Q8_0,
}
"""Encodings a pair can be written in."""


def language_tensors(shape: Shape, kind: GGMLQuantizationType, *, tied: bool = True) -> list[TensorSpec]:
    """List the tensors of a language model, in file order."""
    s, n_vocab = shape.language, shape.vocabulary.n_tokens
    embedding = TensorSpec("token_embd.weight", (s.n_embd, n_vocab), kind, "matrix", EMBEDDING_GAIN * s.n_embd**-0.5)
    specs = [embedding] if tied else [replace(embedding, name="output.weight"), embedding]
    for i in _checkpoint_order(s.n_layer):
        block = f"blk.{i}."
        specs += [
            _norm(block + "attn_norm", s.n_embd),
            _matrix(block + "ffn_down", s.n_ff, s.n_embd, kind),
            _matrix(block + "ffn_gate", s.n_embd, s.n_ff, kind),
            _matrix(block + "ffn_up", s.n_embd, s.n_ff, kind),
            _norm(block + "ffn_norm", s.n_embd),
            _norm(block + "attn_kv_a_norm", s.kv_lora),
            _matrix(block + "attn_kv_a_mqa", s.n_embd, s.kv_lora + s.qk_rope, kind),
            # Transposed per head: the query is taken into the latent space instead of the keys out of it.
            TensorSpec(block + "attn_k_b.weight", (s.qk_nope, s.kv_lora, s.n_head), kind, "matrix", s.kv_lora**-0.5),
            TensorSpec(block + "attn_v_b.weight", (s.kv_lora, s.v_head, s.n_head), kind, "matrix", s.kv_lora**-0.5),
            _matrix(block + "attn_output", s.n_head * s.v_head, s.n_embd, kind),
            _norm(block + "attn_q_a_norm", s.q_lora),
            _matrix(block + "attn_q_a", s.n_embd, s.q_lora, kind),
            _matrix(block + "attn_q_b", s.q_lora, s.n_head * (s.qk_nope + s.qk_rope), kind, QUERY_GAIN),
        ]
    return [*specs, _norm("output_norm", s.n_embd)]


def vision_tensors(
    shape: Shape, kind: GGMLQuantizationType, patch_kind: GGMLQuantizationType | None = None
) -> list[TensorSpec]:
    """List the tensors of a projector file, in file order.

    Without `patch_kind` the patch embedding is F16 in an F16 file and F32 in any other, as the converter has it.
    """
    f16, f32 = GGMLQuantizationType.F16, GGMLQuantizationType.F32
    s, merged = shape.vision, shape.vision.n_embd * MERGE * MERGE
    specs = [
        _norm("mm.input_norm", s.n_embd),
        *_linear("mm.0", merged, merged, kind),
        *_linear("mm.2", merged, shape.language.n_embd, kind),
        *_linear("v.patch_embd", 3 * PATCH_PX * PATCH_PX, s.n_embd, patch_kind or (f16 if kind == f16 else f32)),
    ]
    for i in _checkpoint_order(s.n_layer):
        block = f"v.blk.{i}."
        specs += [*_layer_norm(block + "ln1", s.n_embd), *_layer_norm(block + "ln2", s.n_embd)]
        specs += _linear(block + "ffn_up", s.n_embd, s.n_ff, kind)
        specs += _linear(block + "ffn_down", s.n_ff, s.n_embd, kind)
        for name in ("attn_k", "attn_out", "attn_q", "attn_v"):
            specs += _linear(block + name, s.n_embd, s.n_embd, kind)
    return [*specs, *_layer_norm("v.post_ln", s.n_embd)]


def _checkpoint_order(n_layer: int) -> list[int]:
    """Return the layers as a checkpoint has them: sorted as text, 0, 1, 10, 11."""
    return sorted(range(n_layer), key=str)


def _norm(name: str, width: int) -> TensorSpec:
    return TensorSpec(f"{name}.weight", (width,), GGMLQuantizationType.F32, "norm")


def _bias(name: str, width: int) -> TensorSpec:
    return TensorSpec(f"{name}.bias", (width,), GGMLQuantizationType.F32, "bias")


def _layer_norm(name: str, width: int) -> list[TensorSpec]:
    return [_bias(name, width), _norm(name, width)]


def _matrix(name: str, n_in: int, n_out: int, kind: GGMLQuantizationType, gain: float = 1.0) -> TensorSpec:
    """Return a matrix whose outputs are `gain` times the size of its inputs."""
    return TensorSpec(f"{name}.weight", (n_in, n_out), kind, "matrix", gain * n_in**-0.5)


def _linear(name: str, n_in: int, n_out: int, kind: GGMLQuantizationType) -> list[TensorSpec]:
    return [_bias(name, n_out), _matrix(name, n_in, n_out, kind)]


def describe_language(
    writer: GGUFWriter,
    shape: Shape,
    quant: str,
    table: TokenTable | None = None,
    description: str = RANDOM_WEIGHTS,
    variant: Variant | None = None,
) -> None:
    """Write a language model's metadata, as llama.cpp's converter would; `table` replaces the made-up tokens."""
    s, variant = shape.language, variant or Variant()
    table = table or make_tokens(shape.vocabulary, naming=variant.naming)
    writer.add_type("model")
    writer.add_name(shape.name)
    writer.add_description(description)
    writer.add_block_count(s.n_layer)
    writer.add_context_length(s.n_ctx)
    writer.add_embedding_length(s.n_embd)
    writer.add_feed_forward_length(s.n_ff)
    writer.add_head_count(s.n_head)
    writer.add_head_count_kv(1)
    writer.add_rope_freq_base(ROPE_BASE)
    writer.add_layer_norm_rms_eps(NORM_EPS)
    if variant.experts:
        writer.add_expert_count(256)
        writer.add_expert_used_count(8)
        writer.add_expert_group_count(8)
        writer.add_expert_group_used_count(4)
        writer.add_expert_gating_func(ExpertGatingFuncType.SIGMOID)
    writer.add_file_type(FILE_TYPES[quant])
    # llama.cpp reads these of every deepseek2 file; a dense model leads with all its layers and has no experts.
    writer.add_leading_dense_block_count(s.n_layer)
    writer.add_vocab_size(len(table.texts))
    writer.add_q_lora_rank(s.q_lora)
    writer.add_kv_lora_rank(s.kv_lora)
    writer.add_key_length(s.kv_lora + s.qk_rope)
    writer.add_value_length(s.kv_lora)
    writer.add_key_length_mla(s.qk_nope + s.qk_rope)
    writer.add_value_length_mla(s.v_head)
    writer.add_expert_feed_forward_length(s.n_ff)
    writer.add_expert_shared_count(1 if variant.experts else 0)
    if variant.experts:
        writer.add_expert_weights_scale(2.5)
        writer.add_expert_weights_norm(True)
    writer.add_rope_dimension_count(s.qk_rope)
    writer.add_quantization_version(2)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(PRE_TOKENIZER)
    writer.add_token_list(table.texts)
    writer.add_token_types(table.types)
    writer.add_token_merges(table.merges)
    writer.add_bos_token_id(table.texts.index(BEGIN))
    writer.add_eos_token_id(table.texts.index(END))
    writer.add_pad_token_id(table.texts.index(END))
    if variant.add_bos is not None:
        writer.add_add_bos_token(variant.add_bos)
    if variant.chat_template is not None:
        writer.add_chat_template(variant.chat_template)


def describe_vision(writer: GGUFWriter, shape: Shape, quant: str, description: str = RANDOM_WEIGHTS) -> None:
    """Write a projector's metadata, as llama.cpp's converter would."""
    s = shape.vision
    writer.add_type("mmproj")
    writer.add_name(shape.name)
    writer.add_description(description)
    writer.add_file_type(FILE_TYPES[quant])
    writer.add_clip_has_vision_encoder(True)
    writer.add_vision_projection_dim(shape.language.n_embd)
    writer.add_vision_image_size(560)  # what the converter writes; the real size is the caller's
    writer.add_vision_patch_size(PATCH_PX)
    writer.add_vision_embedding_length(s.n_embd)
    writer.add_vision_feed_forward_length(s.n_ff)
    writer.add_vision_block_count(s.n_layer)
    writer.add_vision_head_count(s.n_head)
    writer.add_vision_image_mean([0.5, 0.5, 0.5])
    writer.add_vision_image_std([0.5, 0.5, 0.5])
    writer.add_clip_projector_type("youtuvl")
    writer.add_vision_attention_layernorm_eps(NORM_EPS)
    writer.add_vision_use_gelu(True)
    writer.add_vision_spatial_merge_size(MERGE)
    writer.add_vision_window_size(s.window_px)
    writer.add_vision_wa_layer_indexes(list(s.full_layers))
    writer.add_quantization_version(2)
