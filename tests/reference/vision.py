"""The vision tower and the projector: SigLIP2 shape, 2-D rotary positions, window attention, 2x2 merge.

Facts: "Shapes" and "Image preparation". The rotary scheme and the order of patches are those of Qwen2.5-VL, which the
facts' "2-D rope" and "window attention" name: the four patches of one image token lie next to each other, half of a
head's frequencies turn with the row and half with the column.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tests.reference.weights import F32, Weights, attention, layer_norm, rms_norm

PATCH = 16
MERGE = 2
ROPE_BASE = 10_000.0
MERGER_EPS = 1e-6


def encode_image(weights: Weights, rgb: npt.NDArray[np.uint8]) -> F32:
    """Turn a prepared image (H, W, 3) into image tokens (n_tokens, dim) in raster order."""
    x = weights.linear(patchify(rgb), "v.patch_embd")
    row, column = patch_positions(*rgb.shape[:2])
    turn = rotation(row, column, x.shape[1] // weights.value("clip.vision.attention.head_count"))
    window = weights.value("clip.vision.window_size") // PATCH
    same_window = (row // window == row[:, None] // window) & (column // window == column[:, None] // window)
    for i in range(weights.value("clip.vision.block_count")):
        is_full = i in weights.value("clip.vision.wa_layer_indexes")
        allowed = np.ones_like(same_window) if is_full else same_window
        x = x + attend(weights, f"v.blk.{i}", x, turn, allowed)
        x = x + feed_forward(weights, f"v.blk.{i}", x)
    if "v.post_ln.weight" in weights:
        x = norm(weights, "v.post_ln", x)
    return project(weights, x)


def patchify(rgb: npt.NDArray[np.uint8]) -> F32:
    """Scale to -1..1 and cut into patches (n, 768), values in the order row, column, channel."""
    scaled = (rgb.astype(np.float32) / 255 - 0.5) / 0.5
    cut = scaled.reshape(-1, MERGE, PATCH, rgb.shape[1] // (MERGE * PATCH), MERGE, PATCH, 3)
    return cut.transpose(0, 3, 1, 4, 2, 5, 6).reshape(-1, PATCH * PATCH * 3)


def patch_positions(height: int, width: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return row and column of every patch, in the order of `patchify`."""
    grid = np.indices((height // PATCH, width // PATCH))
    blocks = grid.reshape(2, height // (MERGE * PATCH), MERGE, -1, MERGE)
    row, column = blocks.transpose(0, 1, 3, 2, 4).reshape(2, -1)
    return row, column


def rotation(row: npt.NDArray[np.int64], column: npt.NDArray[np.int64], d_head: int) -> tuple[F32, F32]:
    """Return cosine and sine (n, d_head / 2): the first half of the angles from the row, the rest from the column."""
    frequency = ROPE_BASE ** (-np.arange(d_head // 4) / (d_head // 4))
    angle = np.concatenate([row[:, None] * frequency, column[:, None] * frequency], axis=1)
    return np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)


def rotate(x: F32, turn: tuple[F32, F32]) -> F32:
    """Rotate value i of a head (heads, n, d) together with value i + d/2."""
    cosine, sine = turn
    first, second = np.split(x, 2, axis=-1)
    return np.concatenate([first * cosine - second * sine, second * cosine + first * sine], axis=-1)


def attend(weights: Weights, block: str, x: F32, turn: tuple[F32, F32], allowed: npt.NDArray[np.bool_]) -> F32:
    """Self-attention where `allowed` (n, n)."""
    normed = norm(weights, f"{block}.ln1", x)

    def heads(part: str) -> F32:
        d_head = 2 * turn[0].shape[1]
        return weights.linear(normed, f"{block}.{part}").reshape(len(x), -1, d_head).transpose(1, 0, 2)

    q, k, v = rotate(heads("attn_q"), turn), rotate(heads("attn_k"), turn), heads("attn_v")
    return weights.linear(attention(q, k, v, allowed), f"{block}.attn_out")


def feed_forward(weights: Weights, block: str, x: F32) -> F32:
    """Two linear layers with a GELU between them."""
    normed = norm(weights, f"{block}.ln2", x)
    return weights.linear(gelu(weights.linear(normed, f"{block}.ffn_up")), f"{block}.ffn_down")


def norm(weights: Weights, name: str, x: F32) -> F32:
    """Apply the layer norm `name`."""
    eps = weights.value("clip.vision.attention.layer_norm_epsilon")
    return layer_norm(x, weights[f"{name}.weight"], weights[f"{name}.bias"], eps)


def project(weights: Weights, x: F32) -> F32:
    """Merge each four patches into one token of the language model's width."""
    normed = rms_norm(x, weights["mm.input_norm.weight"], MERGER_EPS)
    merged = normed.reshape(-1, MERGE * MERGE * x.shape[1])
    return weights.linear(gelu(weights.linear(merged, "mm.0")), "mm.2")


def gelu(x: F32) -> F32:
    """GELU in its tanh form."""
    return 0.5 * x * (1 + np.tanh(np.float32(np.sqrt(2 / np.pi)) * (x + np.float32(0.044715) * x**3)))
