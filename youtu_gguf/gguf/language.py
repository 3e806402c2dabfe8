"""What a language model file must hold before llama.cpp may see it: some of its own checks end the process.

Keys, tensors and assertions: llama.cpp's `deepseek2` loader (src/models/deepseek2.cpp, src/llama-model.cpp,
src/llama-vocab.cpp of the release that llama-cpp-python 0.3.36 vendors).
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from gguf.constants import GGUFValueType

from youtu_gguf.facts import LANGUAGE_ARCHITECTURE, PRE_TOKENIZER, PROMPT_TOKENS
from youtu_gguf.gguf.checks import Expect
from youtu_gguf.gguf.header import Header

MAX_LAYERS = 512
"""llama.cpp's LLAMA_MAX_LAYERS."""
MAX_EXPERTS = 1024
"""llama.cpp's LLAMA_MAX_EXPERTS."""
MAX_WIDTH = 1 << 20
ROPE_SCALINGS = ("none", "linear", "yarn", "longrope")
"""llama.cpp's rope scaling names; it ends the process on any other."""
REMEDY = "Use a Youtu-VL GGUF made by a current llama.cpp converter."


_EXPERT_TENSOR = re.compile(r"_(exps|shexp|chexps)\.|\.ffn_gate_inp|exp_probs_b")


@dataclass(frozen=True)
class LanguageFacts:
    """Sizes of a language model: width, layers, vocabulary, and what its key-value cache holds per layer."""

    n_embd: int
    n_layer: int
    n_vocab: int
    n_head: int
    kv_lora_rank: int
    rope_dim: int
    n_ctx_train: int
    tied: bool

    @property
    def cache_values_per_token(self) -> int:
        """Values that the key-value cache keeps for one token, over all layers."""
        return (self.kv_lora_rank + self.rope_dim) * self.n_layer


@dataclass(frozen=True)
class _Heads:
    """Sizes inside one attention layer."""

    n_head: int
    q_lora: int
    kv_lora: int
    rope: int
    key: int
    value: int


def check_language(header: Header) -> LanguageFacts:
    """Check metadata, vocabulary and every tensor of a `deepseek2` file whose layers are all dense.

    Raises:
        ModelFileError: Something is missing, contradicts the rest, or would end the process.
    """
    expect = Expect(header, "language model", REMEDY)
    n_layer = expect.integer(f"{LANGUAGE_ARCHITECTURE}.block_count", high=MAX_LAYERS)
    n_embd = expect.integer(f"{LANGUAGE_ARCHITECTURE}.embedding_length", high=MAX_WIDTH)
    n_ff = expect.integer(f"{LANGUAGE_ARCHITECTURE}.feed_forward_length", high=MAX_WIDTH)
    n_ctx_train = expect.integer(f"{LANGUAGE_ARCHITECTURE}.context_length")
    expect.real(f"{LANGUAGE_ARCHITECTURE}.attention.layer_norm_rms_epsilon")
    expect.equal(f"{LANGUAGE_ARCHITECTURE}.embedding_length_out", n_embd, "embedding_length", default=n_embd)
    _check_dense(expect, n_layer)
    _check_rope(expect)
    heads = _check_heads(expect)
    n_vocab = _check_vocabulary(expect)
    tied = _check_outer_tensors(expect, n_embd, n_vocab)
    for layer in range(n_layer):
        _check_layer(expect, f"blk.{layer}.", n_embd, n_ff, heads)
    return LanguageFacts(n_embd, n_layer, n_vocab, heads.n_head, heads.kv_lora, heads.rope, n_ctx_train, tied)


def _check_dense(expect: Expect, n_layer: int) -> None:
    """Check that all layers are dense and none predict further tokens.

    Converters keep the keys of experts that a configuration has left over. They have no effect where every layer is
    dense, but llama.cpp still asserts that they agree with each other.
    """
    family = LANGUAGE_ARCHITECTURE
    dense = expect.integer(f"{family}.leading_dense_block_count", low=0)
    routed = [name for name in expect.header.tensors if _EXPERT_TENSOR.search(name)]
    if dense < n_layer or routed:
        got = f"tensor {routed[0]}" if routed else f"{family}.leading_dense_block_count = {dense} of {n_layer} layers"
        raise expect.failure(f"expected a model without experts; got {got}")
    expect.integer(f"{family}.expert_shared_count", low=0)
    expect.integer(f"{family}.expert_feed_forward_length")
    expect.equal(f"{family}.nextn_predict_layers", 0, "Youtu-VL predicts one token at a time", default=0)
    experts = expect.integer(f"{family}.expert_count", low=0, high=MAX_EXPERTS, default=0)
    used = expect.integer(f"{family}.expert_used_count", low=0, high=experts, default=0)
    groups = expect.integer(f"{family}.expert_group_count", low=0, high=max(0, experts - 1), default=0)
    used_groups = expect.integer(f"{family}.expert_group_used_count", low=0, default=0)
    if experts and not used:
        raise expect.failure(f"expected {family}.expert_used_count from 1 to {experts}; got 0")
    if groups > 1 and (experts % groups or not 0 < used_groups < groups):
        raise expect.failure(
            f"expected {family}.expert_group_count to divide expert_count and to be above expert_group_used_count; "
            f"got {groups}, {experts} and {used_groups}"
        )
    for name, kind in (
        ("expert_weights_scale", GGUFValueType.FLOAT32),
        ("expert_weights_norm", GGUFValueType.BOOL),
        ("expert_gating_func", GGUFValueType.UINT32),
    ):
        expect.type(f"{family}.{name}", kind)


def _check_rope(expect: Expect) -> None:
    key = f"{LANGUAGE_ARCHITECTURE}.rope.scaling.type"
    if expect.type(key, GGUFValueType.STRING):
        expect.text(key, *ROPE_SCALINGS)
    key = f"{LANGUAGE_ARCHITECTURE}.rope.freq_base"
    if expect.type(key, GGUFValueType.FLOAT32):
        expect.real(key)


def _check_heads(expect: Expect) -> _Heads:
    """Check the keys of multi-head latent attention against each other."""
    attention = f"{LANGUAGE_ARCHITECTURE}.attention."
    heads = _Heads(
        n_head=expect.integer(attention + "head_count", high=MAX_WIDTH),
        q_lora=expect.integer(attention + "q_lora_rank", high=MAX_WIDTH),
        kv_lora=expect.integer(attention + "kv_lora_rank", high=MAX_WIDTH),
        rope=expect.integer(f"{LANGUAGE_ARCHITECTURE}.rope.dimension_count", low=2, high=MAX_WIDTH),
        key=expect.integer(attention + "key_length_mla", high=MAX_WIDTH),
        value=expect.integer(attention + "value_length_mla", high=MAX_WIDTH),
    )
    if heads.rope % 2 or heads.key <= heads.rope:
        raise expect.failure(
            f"expected an even {LANGUAGE_ARCHITECTURE}.rope.dimension_count below key_length_mla; "
            f"got {heads.rope} and {heads.key}"
        )
    expect.equal(attention + "head_count_kv", 1, "latent attention shares one key among the heads")
    expect.equal(attention + "key_length", heads.kv_lora + heads.rope, "kv_lora_rank + rope.dimension_count")
    expect.equal(attention + "value_length", heads.kv_lora, "kv_lora_rank")
    if attention + "temperature_scale" in expect.header.types:
        raise expect.failure(f"expected no {attention}temperature_scale; got one")
    return heads


def _check_vocabulary(expect: Expect) -> int:
    """Check the tokenizer; return the number of tokens."""
    expect.text("tokenizer.ggml.model", "gpt2")
    expect.text("tokenizer.ggml.pre", PRE_TOKENIZER)
    tokens = expect.array("tokenizer.ggml.tokens", GGUFValueType.STRING, at_least=1)
    n_vocab = len(tokens)
    expect.array("tokenizer.ggml.token_type", GGUFValueType.INT32, at_least=n_vocab)
    expect.array("tokenizer.ggml.merges", GGUFValueType.STRING, at_least=0)
    expect.equal(f"{LANGUAGE_ARCHITECTURE}.vocab_size", n_vocab, "tokens in the token list", default=n_vocab)
    for name in ("bos", "eos"):
        expect.integer(f"tokenizer.ggml.{name}_token_id", low=0, high=n_vocab - 1, default=0)
    for key in expect.header.types:
        if key.startswith("tokenizer.") and key.endswith("_token_id"):
            expect.type(key, GGUFValueType.UINT32)
    # llama.cpp ends the process when two tokens have the same text.
    counts = Counter(tokens.byte_strings())
    if len(counts) != n_vocab:
        twice = next(text for text, count in counts.items() if count > 1)
        raise expect.failure(f"expected each token once; got {twice.decode('utf-8', 'replace')!r} several times")
    missing = [token for token in PROMPT_TOKENS if token.encode() not in counts]
    if missing:
        raise expect.failure(f"expected the tokens {', '.join(PROMPT_TOKENS)}; got none named {missing[0]}")
    return n_vocab


def _check_outer_tensors(expect: Expect, n_embd: int, n_vocab: int) -> bool:
    """Check embedding, head and last norm; return whether the head is tied to the embedding."""
    expect.matrix("token_embd.weight", n_embd, n_vocab)
    expect.vector("output_norm.weight", n_embd)
    tied = "output.weight" not in expect.header.tensors
    if not tied:
        expect.matrix("output.weight", n_embd, n_vocab)
    return tied


def _check_layer(expect: Expect, block: str, n_embd: int, n_ff: int, heads: _Heads) -> None:
    for name, width in (
        ("attn_norm", n_embd),
        ("attn_q_a_norm", heads.q_lora),
        ("attn_kv_a_norm", heads.kv_lora),
        ("ffn_norm", n_embd),
    ):
        expect.vector(f"{block}{name}.weight", width)
    for name, shape in (
        ("attn_q_a", (n_embd, heads.q_lora)),
        ("attn_q_b", (heads.q_lora, heads.n_head * heads.key)),
        ("attn_kv_a_mqa", (n_embd, heads.kv_lora + heads.rope)),
        ("attn_k_b", (heads.key - heads.rope, heads.kv_lora, heads.n_head)),
        ("attn_v_b", (heads.kv_lora, heads.value, heads.n_head)),
        ("attn_output", (heads.n_head * heads.value, n_embd)),
        ("ffn_gate", (n_embd, n_ff)),
        ("ffn_up", (n_embd, n_ff)),
        ("ffn_down", (n_ff, n_embd)),
    ):
        expect.matrix(f"{block}{name}.weight", *shape)
