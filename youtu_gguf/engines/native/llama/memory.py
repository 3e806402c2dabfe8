"""An estimate of the memory that the native engine will take, on processors and on other devices.

What llama.cpp allocates follows from its graphs. The formulas give the buffers that its log reports, for
llama-cpp-python 0.3.36; scripts/bench/plan.py compares them with the memory in use. This file needs no llama.cpp.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from youtu_gguf.errors import EngineError
from youtu_gguf.facts import MERGE
from youtu_gguf.gguf.header import Header
from youtu_gguf.gguf.language import LanguageFacts
from youtu_gguf.types import Vision

N_ANSWERS = 8
"""Most answers that are generated at the same time."""

N_SEQUENCES = 2 * N_ANSWERS + 3
"""Sequences of a context: the answers, one prefix for each of them to branch from, the last question, the ended
answers, and padding. llama.cpp keeps a row of logits for each."""

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

INPUT_MASK_BYTES = 4
"""Per pair of patches: the window mask as mtmd builds it, before it copies it into the graph."""
ENCODE_PATCH_BYTES = 26.4
PIXEL_BYTES = 30_000
ENCODE_BYTES = 8_000_000
"""For one image: per patch and unit of width, what stays of the graph besides its masks; per token, the pixels on their
way in; and the rest. Measured on processors, from 81 to 2,025 tokens, at widths of 192 and 1,152: the peaks were 584
and 672 MB at 2,025 tokens, 228 and 313 at 1,225, 7 and 19 at 81. The sum is 0 to 14 MB above them where an image takes
more than 100 MB, and up to 38 MB at 2,025 tokens."""

LAYER_MATRIX_BYTES, PROJECTOR_MATRIX_BYTES = 15, 64
"""Our own vision tower, per unit of width squared: the largest matrix of a layer and of the projector in F32."""
LAYER_PATCH_BYTES, PROJECTOR_PATCH_BYTES = 34, 16
PATCH_INPUT_BYTES = 7_500
"""Our own vision tower, per patch and unit of width: values of a layer and of the projector; per patch: its pixels.
Measured on processors: at a width of 1,152 the peaks were 94, 111, 206 and 330 MB for 81, 300, 1,200 and 2,040 tokens,
at 192 they were 26, 49 and 66 for 625, 1,200 and 2,040."""

DEVICE_BYTES = 100_000_000
"""On a device, for the workspaces of its libraries: what the parts below leave of the measured memory."""


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
    vision: Vision = "mtmd",
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
        vision: The vision tower.
    """
    latent = facts.kv_lora_rank + facts.rope_dim
    per_position = 4 * (facts.n_head * (latent + 2 * facts.kv_lora_rank) + latent + facts.kv_lora_rank) + 2 * n_ctx
    return Memory(
        weights=weights,
        projector=projector,
        context=n_ctx * facts.cache_values_per_token * CACHE_BYTES,
        compute=min(n_batch, n_ctx) * per_position + N_SEQUENCES * facts.n_vocab * 4,
        vision=vision_bytes(vision, vision_width, image_tokens),
        images=cache_bytes,
        process=PYTHON_BYTES + image_tokens * TOKEN_BYTES,
    )


@dataclass(frozen=True)
class DeviceMemory:
    """Bytes that a model takes on a device of its own, by purpose, if all of it is computed there.

    Measured on an H100 with the full-size Q8_0 model and BF16 projector: 7.1, 7.6 and 8.4 GB in use with a context of
    4,096, 16,384 and 32,768 (docs/gpu.md); the estimate is within 2 % of these.

    Attributes:
        n_layer: Layers of the language model without its head. llama.cpp counts the head as one more, the first that
            it gives to a device; it copies the head there where the model's file has the token table for both.
        head: The output matrix.
        layers: The weights of all layers.
        context: Keys and values, which lie where their layer is.
        compute: Working memory of the language model.
        projector: The vision tower and projector.
        vision: Working memory for encoding one image.
    """

    n_layer: int
    head: int
    layers: int
    context: int
    compute: int
    projector: int
    vision: int

    def total(self, n_gpu_layers: int, *, projector: bool = True) -> int:
        """Return the bytes in use with `n_gpu_layers` on the device, the head counted as one, 0 for none."""
        found = DEVICE_BYTES if n_gpu_layers or projector else 0
        if n_gpu_layers:
            found += self.compute + self.head + self._per_layer * (min(n_gpu_layers, self.n_layer + 1) - 1)
        return found + (self.projector + self.vision if projector else 0)

    def layers_that_fit(self, room: int, *, projector: bool = True) -> int:
        """Return how many layers, the head counted as one, fit into `room` bytes, with the projector or without."""
        return sum(self.total(n, projector=projector) <= room for n in range(1, self.n_layer + 2))

    @property
    def _per_layer(self) -> int:
        return (self.layers + self.context) // self.n_layer


def on_device(facts: LanguageFacts, memory: Memory, head: int) -> DeviceMemory:
    """Return what a model takes on a device, of which `memory` says what it takes on the processor.

    Args:
        facts: Sizes of the language model.
        memory: The estimate for the processor.
        head: Bytes of the output matrix in the model's file.
    """
    layers = memory.weights - head * (1 if facts.tied else 2)  # the token table stays with the processor
    return DeviceMemory(facts.n_layer, head, layers, memory.context, memory.compute, memory.projector, memory.vision)


def head_bytes(model: Header) -> int:
    """Return the bytes of the output matrix of a checked model file, which may be the token table."""
    return model.tensors.get("output.weight", model.tensors["token_embd.weight"]).n_bytes


class EncoderMemory:
    """What encoding an image with mtmd takes of the processor's memory, beside what earlier images have left in use.

    llama.cpp keeps the buffers of the largest image so far, so a second image of one size takes less than the first,
    but at a higher peak: its input stands beside all of them.

    Args:
        width: `n_embd` of the vision tower.
        on_device: Whether a GPU does the work: then only the input is in the processor's memory.
    """

    def __init__(self, width: int, *, on_device: bool = False) -> None:
        self._width = width
        self._on_device = on_device
        self._held = 0

    def needed(self, n_tokens: int) -> int:
        """Return the bytes that an image takes besides those in use now."""
        mask = INPUT_MASK_BYTES * (PATCHES_PER_TOKEN * n_tokens) ** 2
        inputs = mask + PIXEL_BYTES * n_tokens + ENCODE_BYTES
        graph = self._graph(n_tokens)
        if graph <= self._held:
            return inputs
        return max(inputs + mask, inputs - mask + graph) - self._held  # the mask has gone when all of the graph is used

    def keep(self, n_tokens: int) -> None:
        """Note that an image was encoded."""
        self._held = max(self._held, self._graph(n_tokens))

    def _graph(self, n_tokens: int) -> int:
        n_patches = 0 if self._on_device else PATCHES_PER_TOKEN * n_tokens
        return GRAPH_MASK_BYTES * n_patches**2 + round(ENCODE_PATCH_BYTES * n_patches * self._width)


class WindowedMemory:
    """What our own vision tower takes for an image; on a processor it keeps nothing of it.

    Args:
        width: `n_embd` of the vision tower.
        on_device: Whether a GPU does the work: then only the input is in the processor's memory.
    """

    def __init__(self, width: int, *, on_device: bool = False) -> None:
        self._width = width
        self._on_device = on_device

    def needed(self, n_tokens: int) -> int:
        """Return the bytes that an image takes."""
        n_patches, width = PATCHES_PER_TOKEN * n_tokens, self._width
        if self._on_device:
            return ENCODE_BYTES + PATCH_INPUT_BYTES * n_patches
        embedding = n_patches * (PATCH_INPUT_BYTES + 2 * 4 * width)
        layer = LAYER_MATRIX_BYTES * width**2 + LAYER_PATCH_BYTES * n_patches * width
        projector = PROJECTOR_MATRIX_BYTES * width**2 + PROJECTOR_PATCH_BYTES * n_patches * width
        return ENCODE_BYTES + max(embedding, layer, projector)


def vision_bytes(vision: Vision, width: int, n_tokens: int) -> int:
    """Return the working memory of a vision tower of this `width` for an image; "auto" counts as "windowed"."""
    if vision != "mtmd":
        return WindowedMemory(width).needed(n_tokens)
    n_patches = PATCHES_PER_TOKEN * n_tokens
    return max(
        n_patches**2 * GRAPH_MASK_BYTES + round(n_patches * width * PATCH_BYTES),
        round(n_patches * width * SMALL_PATCH_BYTES),
    )


def check_image(n_tokens: int, needed: int, free: int) -> None:
    """Refuse an image that does not fit into `free` bytes of memory: the system, or llama.cpp, would end the process.

    Raises:
        EngineError: It does not fit.
    """
    if needed > free:
        raise EngineError(
            f"an image of {n_tokens} tokens needs {needed / 1e9:.2f} GB of memory to encode; {free / 1e9:.2f} GB are "
            "free. Lower image_max_tokens, or give this process more memory."
        )


def check_context(memory: Memory, n_ctx: int, free: int, *, repack: bool) -> None:
    """Refuse a context that does not fit into `free` bytes of memory, before the model is loaded.

    The weights do not count, unless they are repacked: they are mapped, so the system can drop what it needs room for.

    Raises:
        EngineError: It does not fit.
    """
    needed = memory.context + memory.compute + (memory.weights if repack else 0)
    if needed > free:
        what = "and repacked weights need" if repack else "needs"
        raise EngineError(
            f"a context of {n_ctx} positions {what} {needed / 1e9:.2f} GB of memory besides the mapped files; "
            f"{free / 1e9:.2f} GB are free. Lower n_ctx; `youtu-gguf plan` says what fits."
        )
