"""What a projector file must hold before llama.cpp may see it: some of its own checks end the process.

Keys, tensors and assertions: llama.cpp's clip loader and `youtuvl` graph (tools/mtmd/clip.cpp,
tools/mtmd/models/youtuvl.cpp of the release that llama-cpp-python 0.3.36 vendors).
"""

from __future__ import annotations

from dataclasses import dataclass

from gguf.constants import GGUFValueType

from youtu_gguf.facts import MERGE, PATCH_PX, PROJECTOR_TYPE, TOKEN_PX
from youtu_gguf.gguf.checks import Expect
from youtu_gguf.gguf.header import Header

MAX_LAYERS = 512
MAX_WIDTH = 1 << 20
MAX_WINDOW_PX = 4096
MAX_IMAGE_PX = 8192
"""The last two: llama.cpp refuses more."""
REMEDY = "Use the mmproj file published beside the model, or convert it again with a current llama.cpp."

# llama.cpp ends the process when one of these has another type, whether it needs the value or not.
_OPTIONAL_TYPES = {
    "general.name": GGUFValueType.STRING,
    "general.description": GGUFValueType.STRING,
    "clip.has_audio_encoder": GGUFValueType.BOOL,
    "clip.has_gen_audio_encoder": GGUFValueType.BOOL,
    "clip.use_gelu": GGUFValueType.BOOL,
    "clip.use_silu": GGUFValueType.BOOL,
    "clip.minicpmv_version": GGUFValueType.INT32,
    "clip.minicpmv_query_num": GGUFValueType.UINT32,
    "clip.vision.mm_patch_merge_type": GGUFValueType.STRING,
}


@dataclass(frozen=True)
class VisionFacts:
    """Sizes of a vision tower, and what else its graph depends on.

    Attributes:
        n_embd: Width of a patch.
        n_layer: Layers.
        n_head: Heads of each.
        n_out: Width of the image tokens that it hands to the language model.
        window_px: Side of an attention window in pixels.
        full_layers: The layers without windows.
        norm_eps: Added to the variance in layer norms.
        mean: What is subtracted from red, green and blue, which are 0 to 1.
        std: What they are then divided by.
        activation: "gelu", "silu" or "gelu_quick": the one that llama.cpp takes for the file, by ggml's name.
    """

    n_embd: int
    n_layer: int
    n_head: int
    n_out: int
    window_px: int
    full_layers: tuple[int, ...]
    norm_eps: float
    mean: tuple[float, ...]
    std: tuple[float, ...]
    activation: str


def check_vision(header: Header) -> VisionFacts:
    """Check metadata and every tensor of a `youtuvl` projector.

    Raises:
        ModelFileError: Something is missing, contradicts the rest, or would end the process.
    """
    expect = Expect(header, "projector", REMEDY)
    _check_kind(expect)
    for key, kind in _OPTIONAL_TYPES.items():
        expect.type(key, kind)
    n_layer = expect.integer("clip.vision.block_count", high=MAX_LAYERS)
    n_embd = expect.integer("clip.vision.embedding_length", high=MAX_WIDTH)
    n_ff = expect.integer("clip.vision.feed_forward_length", high=MAX_WIDTH)
    expect.integer("clip.vision.projection_dim", high=MAX_WIDTH)
    norm_eps = expect.real("clip.vision.attention.layer_norm_epsilon")
    n_head = _check_attention(expect, n_embd)
    mean, std = _check_geometry(expect)
    window_px, full_layers = _check_windows(expect, n_layer)
    n_out = _check_outer_tensors(expect, n_embd)
    for layer in range(n_layer):
        _check_layer(expect, f"v.blk.{layer}.", n_embd, n_ff)
    activation = _activation(expect)
    return VisionFacts(n_embd, n_layer, n_head, n_out, window_px, full_layers, norm_eps, mean, std, activation)


def _check_kind(expect: Expect) -> None:
    """Check that this is a vision projector of Youtu-VL and nothing else."""
    metadata = expect.header.metadata
    expect.type("clip.has_vision_encoder", GGUFValueType.BOOL, required=True)
    if not metadata["clip.has_vision_encoder"]:
        raise expect.failure("expected a vision encoder; the file says it has none")
    for key in ("clip.has_audio_encoder", "clip.has_gen_audio_encoder"):
        if expect.type(key, GGUFValueType.BOOL) and metadata[key]:
            raise expect.failure(f"expected a vision encoder alone; got {key} as well")
    expect.type("clip.projector_type", GGUFValueType.STRING)
    key = "clip.projector_type" if metadata.get("clip.projector_type") else "clip.vision.projector_type"
    expect.text(key, PROJECTOR_TYPE)


def _check_attention(expect: Expect, n_embd: int) -> int:
    """Return the number of heads."""
    n_head = expect.integer("clip.vision.attention.head_count", high=MAX_WIDTH)
    d_head = n_embd // n_head
    # The rotary embedding splits a head into four sections: sine and cosine for rows and columns.
    if n_embd % n_head or d_head % 4 or not d_head:
        raise expect.failure(f"expected heads of a multiple of 4 values; got a width of {n_embd} in {n_head} heads")
    expect.equal("clip.vision.attention.head_count_kv", n_head, "each head has its own key", default=n_head)
    expect.equal("clip.vision.attention.head_dim", d_head, "embedding_length / head_count", default=d_head)
    return n_head


def _check_geometry(expect: Expect) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return what the channels are normalised by: mean and standard deviation of each."""
    expect.equal("clip.vision.patch_size", PATCH_PX, "an image token covers 32x32 px")
    expect.equal("clip.vision.spatial_merge_size", MERGE, "an image token covers 32x32 px", default=MERGE)
    expect.integer("clip.vision.image_size", low=0, high=MAX_IMAGE_PX)
    mean, std = (
        expect.numbers(f"clip.vision.image_{name}", GGUFValueType.FLOAT32, at_least=3) for name in ("mean", "std")
    )
    if not (std > 0).all():
        raise expect.failure("expected clip.vision.image_std above 0")
    return tuple(mean[:3].tolist()), tuple(std[:3].tolist())


def _activation(expect: Expect) -> str:
    metadata = expect.header.metadata
    gelu, silu = metadata.get("clip.use_gelu"), metadata.get("clip.use_silu")
    if gelu and silu:
        raise expect.failure("expected one activation; got both clip.use_gelu and clip.use_silu")
    return "gelu" if gelu else "silu" if silu else "gelu_quick"


def _check_windows(expect: Expect, n_layer: int) -> tuple[int, tuple[int, ...]]:
    """Return the side of an attention window in pixels, and the layers without windows."""
    window_px = expect.integer("clip.vision.window_size", high=MAX_WINDOW_PX)
    if window_px % TOKEN_PX:  # below one token llama.cpp would never end
        raise expect.failure(f"expected clip.vision.window_size as a multiple of 32; got {window_px}")
    layers = expect.numbers("clip.vision.wa_layer_indexes", GGUFValueType.INT32, at_least=1)
    if not ((layers >= 0) & (layers < n_layer)).all():
        raise expect.failure(f"expected clip.vision.wa_layer_indexes from 0 to {n_layer - 1}; got {layers.tolist()}")
    return window_px, tuple(layers.tolist())


def _check_outer_tensors(expect: Expect, n_embd: int) -> int:
    """Check patch embedding, last norm and projector; return the projector's output width."""
    if "v.class_embd" in expect.header.tensors:
        raise expect.failure("expected no tensor v.class_embd; got one")
    expect.matrix("v.patch_embd.weight", 3 * PATCH_PX * PATCH_PX, n_embd)
    expect.vector("v.patch_embd.bias", n_embd, required=False)
    for name in ("v.pre_ln", "v.post_ln"):
        for part in ("weight", "bias"):
            expect.vector(f"{name}.{part}", n_embd, required=False)
    merged = n_embd * MERGE * MERGE
    n_hidden = _rows(expect, "mm.0.weight")
    n_out = _rows(expect, "mm.2.weight")
    expect.vector("mm.input_norm.weight", n_embd)
    expect.matrix("mm.0.weight", merged, n_hidden)
    expect.vector("mm.0.bias", n_hidden)
    expect.matrix("mm.2.weight", n_hidden, n_out)
    expect.vector("mm.2.bias", n_out)
    return n_out


def _rows(expect: Expect, name: str) -> int:
    """Return the output width of a linear layer, 1 where its matrix is missing or a single row."""
    tensor = expect.header.tensors.get(name)
    return tensor.shape[1] if tensor is not None and tensor.shape[1:] else 1


def _check_layer(expect: Expect, block: str, n_embd: int, n_ff: int) -> None:
    for name in ("ln1", "ln2"):
        expect.vector(f"{block}{name}.weight", n_embd)
        expect.vector(f"{block}{name}.bias", n_embd, required=False)
    for name in ("attn_q", "attn_k", "attn_v", "attn_out"):
        expect.matrix(f"{block}{name}.weight", n_embd, n_embd)
        expect.vector(f"{block}{name}.bias", n_embd, required=name != "attn_out")
    expect.matrix(f"{block}ffn_up.weight", n_embd, n_ff)
    expect.vector(f"{block}ffn_up.bias", n_ff, required=False)
    expect.matrix(f"{block}ffn_down.weight", n_ff, n_embd)
    expect.vector(f"{block}ffn_down.bias", n_embd, required=False)
