"""How much memory the native engine takes, before it takes it.

What llama.cpp allocates follows from its graphs: the formulas here give the buffers its log names, as they were at
llama-cpp-python 0.3.36 (scripts/bench/plan.py holds them against the memory in use).
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from youtu_gguf.engines.native.llama.handles import N_SEQUENCES
from youtu_gguf.facts import MERGE
from youtu_gguf.gguf.language import LanguageFacts

CACHE_BYTES = 2
"""Keys and values are kept as F16."""

GRAPH_MASK_BYTES = 4 + 2
"""Per pair of patches: the window mask in the graph, as floats and cast to half."""
PATCH_BYTES = 18.75
SMALL_PATCH_BYTES = 46.9
"""Per patch and unit of width: what a layer needs beside the masks, in a large and in a small image (measured)."""

PYTHON_BYTES = 130_000_000
"""Interpreter, libraries and the token list (measured)."""
TOKEN_BYTES = 37_000
"""Per image token: pixels, embeddings and copies on their way into the caches (measured)."""
PATCHES_PER_TOKEN = MERGE**2


@dataclass(frozen=True)
class Memory:
    """Bytes in use at the peak, by what they are for.

    Attributes:
        weights: The language model's file.
        projector: The projector's file.
        context: Keys and values of `n_ctx` positions.
        compute: What the language model computes in.
        vision: What one image is encoded in.
        images: What has been seen of images, at most.
        process: Python, its libraries, and what an image passes through.
    """

    weights: int
    projector: int
    context: int
    compute: int
    vision: int
    images: int
    process: int

    @property
    def total(self) -> int:
        """Bytes of all of it."""
        return sum(getattr(self, field.name) for field in fields(self))


def estimate(
    facts: LanguageFacts,
    vision_width: int,
    weights: int,
    projector: int,
    n_ctx: int,
    n_batch: int,
    image_tokens: int,
    cache_bytes: int,
) -> Memory:
    """Return what a pair takes.

    Args:
        facts: Sizes of the language model.
        vision_width: `n_embd` of the vision tower.
        weights: Bytes of the language model's file.
        projector: Bytes of the projector's file.
        n_ctx: Positions of context.
        n_batch: Positions decoded in one go.
        image_tokens: Tokens of the largest image.
        cache_bytes: Most bytes kept of images seen.
    """
    n_patches = PATCHES_PER_TOKEN * image_tokens
    latent = facts.kv_lora_rank + facts.rope_dim
    per_position = 4 * (facts.n_head * (latent + 2 * facts.kv_lora_rank) + latent + facts.kv_lora_rank) + 2 * n_ctx
    return Memory(
        weights=weights,
        projector=projector,
        context=n_ctx * facts.cache_values_per_token * CACHE_BYTES,
        compute=min(n_batch, n_ctx) * per_position + N_SEQUENCES * facts.n_vocab * 4,
        vision=max(
            n_patches**2 * GRAPH_MASK_BYTES + round(n_patches * vision_width * PATCH_BYTES),
            round(n_patches * vision_width * SMALL_PATCH_BYTES),
        ),
        images=cache_bytes,
        process=PYTHON_BYTES + image_tokens * TOKEN_BYTES,
    )
