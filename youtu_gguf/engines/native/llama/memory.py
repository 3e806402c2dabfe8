"""An estimate of the memory that the native engine will take.

What llama.cpp allocates follows from its graphs. The formulas give the buffers that its log reports, for
llama-cpp-python 0.3.36; scripts/bench/plan.py compares them with the memory in use.
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
"""Per patch and unit of width: what a layer needs besides the masks, in a large and in a small image (measured)."""

PYTHON_BYTES = 130_000_000
"""Interpreter, libraries and the token list (measured)."""
TOKEN_BYTES = 37_000
"""Per image token: pixels, embeddings and copies on their way into the caches (measured)."""
PATCHES_PER_TOKEN = MERGE**2


@dataclass(frozen=True)
class Memory:
    """Bytes in use at the peak, by purpose.

    Attributes:
        weights: The language model's file.
        projector: The projector's file.
        context: Keys and values of `n_ctx` positions.
        compute: Working memory of the language model.
        vision: Working memory for encoding one image.
        images: Most bytes that the cache of images takes.
        process: Python, its libraries, and the copies of an image on its way to the model.
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
        """Sum of all parts in bytes."""
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
    """Return the memory that a pair takes.

    Args:
        facts: Sizes of the language model.
        vision_width: `n_embd` of the vision tower.
        weights: Bytes of the language model's file.
        projector: Bytes of the projector's file.
        n_ctx: Positions of context.
        n_batch: Positions decoded in one batch.
        image_tokens: Image tokens of the largest image.
        cache_bytes: Most bytes that the cache of images takes.
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
