"""The language model: multi-head latent attention, dense SwiGLU layers, a head that may be tied to the embedding.

Facts: "Shapes" and "Prompt". Attention is written out as in the DeepSeek-V2 report (arXiv 2405.04434, section 2.1):
keys and values are taken out of the latent space for every head, and one rotary key is shared by all heads.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tests.reference.weights import F32, Weights, attention, rms_norm

ARCHITECTURE = "deepseek2"


def embed_tokens(weights: Weights, ids: Sequence[int]) -> F32:
    """Return the embeddings of tokens, (n, dim)."""
    return weights["token_embd.weight"][list(ids)]


def forward(weights: Weights, embeddings: F32) -> F32:
    """Run a sequence (n, dim) from position 0; return the hidden states (n, dim) after the last norm."""
    eps = weights.value(f"{ARCHITECTURE}.attention.layer_norm_rms_epsilon")
    x = embeddings
    for i in range(weights.value(f"{ARCHITECTURE}.block_count")):
        block = f"blk.{i}"
        x = x + attend(weights, block, rms_norm(x, weights[f"{block}.attn_norm.weight"], eps), eps)
        x = x + feed_forward(weights, block, rms_norm(x, weights[f"{block}.ffn_norm.weight"], eps))
    return rms_norm(x, weights["output_norm.weight"], eps)


def logits(weights: Weights, hidden: F32, ids: Sequence[int] | None = None) -> F32:
    """Score the tokens `ids` (all when None) at every hidden state: (n, k)."""
    head = weights["output.weight" if "output.weight" in weights else "token_embd.weight"]
    return hidden @ (head if ids is None else head[list(ids)]).T


def attend(weights: Weights, block: str, x: F32, eps: float) -> F32:
    """Causal multi-head latent attention."""
    n, n_head = len(x), weights.value(f"{ARCHITECTURE}.attention.head_count")
    d_rope = weights.value(f"{ARCHITECTURE}.rope.dimension_count")
    d_latent = weights.value(f"{ARCHITECTURE}.attention.kv_lora_rank")

    low = rms_norm(weights.linear(x, f"{block}.attn_q_a"), weights[f"{block}.attn_q_a_norm.weight"], eps)
    query = weights.linear(low, f"{block}.attn_q_b").reshape(n, n_head, -1).transpose(1, 0, 2)
    both = weights.linear(x, f"{block}.attn_kv_a_mqa")
    latent = rms_norm(both[:, :d_latent], weights[f"{block}.attn_kv_a_norm.weight"], eps)
    key_rope = np.broadcast_to(rotate(weights, both[None, :, d_latent:]), (n_head, n, d_rope))

    key_plain = latent @ weights[f"{block}.attn_k_b.weight"]  # (heads, latent, d)
    value = latent @ weights[f"{block}.attn_v_b.weight"].transpose(0, 2, 1)  # stored (heads, d, latent)
    q = np.concatenate([query[..., :-d_rope], rotate(weights, query[..., -d_rope:])], axis=-1)
    k = np.concatenate([key_plain, key_rope], axis=-1)
    causal = np.tril(np.ones((n, n), dtype=np.bool_))
    return weights.linear(attention(q, k, value, causal), f"{block}.attn_output")


def rotate(weights: Weights, x: F32) -> F32:
    """Rotate neighbouring values (2i, 2i + 1) of (heads, n, d) by the position along n."""
    base = weights.value(f"{ARCHITECTURE}.rope.freq_base")
    frequency = base ** (-np.arange(0, x.shape[-1], 2) / x.shape[-1])
    angle = np.arange(x.shape[-2])[:, None] * frequency
    cosine, sine = np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)
    even, odd = x[..., 0::2], x[..., 1::2]
    return np.stack([even * cosine - odd * sine, odd * cosine + even * sine], axis=-1).reshape(x.shape)


def feed_forward(weights: Weights, block: str, x: F32) -> F32:
    """SwiGLU."""
    gate = weights.linear(x, f"{block}.ffn_gate")
    return weights.linear(gate / (1 + np.exp(-gate)) * weights.linear(x, f"{block}.ffn_up"), f"{block}.ffn_down")
