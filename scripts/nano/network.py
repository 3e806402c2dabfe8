"""Youtu-VL's architecture in PyTorch, as llama.cpp runs it: vision tower, projector, language model with a tied head.

Parameters have the names of the GGUF tensors that they become. Shapes: docs/facts.md. The smooth tables of coordinates
and depth bins are needed for training only; `named_weights` folds them into `token_embd.weight`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - its usual name

PATCH, MERGE = 16, 2
VISION_ROPE_BASE, LANGUAGE_ROPE_BASE = 10_000.0, 500_000.0
EPS = 1e-6
N_WAVES = 24
"""Number of frequencies of the smooth tables, with a sine and a cosine each."""


@dataclass(frozen=True)
class Sizes:
    """Sizes of both halves; the names are those of `youtu_gguf.weights.synthetic.pair`'s shapes."""

    n_embd: int = 192
    n_layer: int = 6
    n_ff: int = 512
    n_head: int = 4
    q_lora: int = 96
    kv_lora: int = 64
    qk_nope: int = 32
    qk_rope: int = 16
    v_head: int = 48
    vision_n_embd: int = 192
    vision_n_layer: int = 6
    vision_n_ff: int = 640
    vision_n_head: int = 4
    full_layers: tuple[int, ...] = (1, 3, 5)
    window_px: int = 256


@dataclass(frozen=True)
class Ramp:
    """A run of tokens that stand for evenly spaced numbers: ids first, first + step, ... (count of them)."""

    first: int
    step: int
    count: int
    shortest: float
    longest: float

    def ids(self) -> Tensor:
        """Return the token ids."""
        return torch.arange(self.count) * self.step + self.first

    def waves(self) -> Tensor:
        """Return sines and cosines of the numbers, (count, 2 N_WAVES)."""
        wavelengths = np.geomspace(self.shortest, self.longest, N_WAVES)
        angle = 2 * np.pi * np.arange(self.count)[:, None] / wavelengths
        return torch.tensor(np.concatenate([np.sin(angle), np.cos(angle)], axis=1), dtype=torch.float32)


class Table(nn.Module):
    """The token embedding, which is also the head. Rows of ramps are a linear map of their waves, and hence smooth."""

    def __init__(self, n_vocab: int, n_embd: int, ramps: dict[str, Ramp]) -> None:
        super().__init__()
        self.plain = nn.Parameter(torch.randn(n_vocab, n_embd) * 0.5 * n_embd**-0.5)
        self.maps = nn.ParameterDict(
            {name: nn.Parameter(torch.randn(2 * N_WAVES, n_embd) * 0.1 * n_embd**-0.5) for name in ramps}
        )
        self.ramps = tuple(ramps)  # a ParameterDict sorts the names of a plain dict, so its order is another one
        source = torch.arange(n_vocab)
        for offset, (name, ramp) in zip(_offsets(n_vocab, ramps), ramps.items(), strict=True):
            self.register_buffer(f"waves_{name}", ramp.waves(), persistent=False)
            source[ramp.ids()] = torch.arange(ramp.count) + offset
        self.register_buffer("source", source, persistent=False)

    def forward(self) -> Tensor:
        """Return the whole table (n_vocab, n_embd)."""
        parts = [self.plain, *(getattr(self, f"waves_{name}") @ self.maps[name] for name in self.ramps)]
        table: Tensor = torch.cat(parts)[self.source]
        return table


def _offsets(n_vocab: int, ramps: dict[str, Ramp]) -> list[int]:
    counts = [ramp.count for ramp in ramps.values()]
    return [n_vocab + sum(counts[:i]) for i in range(len(counts))]


class Rms(nn.Module):
    """Root-mean-square norm."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise the last axis."""
        return F.rms_norm(x, self.weight.shape, self.weight.to(x.dtype), EPS)


class Norm(nn.LayerNorm):
    """Layer norm in the type of its input."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise the last axis."""
        return F.layer_norm(x, self.normalized_shape, self.weight.to(x.dtype), self.bias.to(x.dtype), self.eps)


class Weight(nn.Module):
    """A single tensor named `weight`."""

    def __init__(self, *shape: int, std: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(*shape) * std)


MOST_MASKED = 1024
"""Patches up to which windows are a mask of all pairs; beyond it, most of the pairs would be computed in vain."""


def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    """Attention of (..., n, d), on processors in float32; `mask` is True where a row's token sees a column's."""
    if q.is_cuda:
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    return F.scaled_dot_product_attention(q.float(), k.float(), v.float(), attn_mask=mask).to(q.dtype)


class VisionBlock(nn.Module):
    """Self-attention and two linear layers."""

    def __init__(self, s: Sizes) -> None:
        super().__init__()
        d = s.vision_n_embd
        self.n_head = s.vision_n_head
        self.ln1, self.ln2 = Norm(d, EPS), Norm(d, EPS)
        self.attn_q, self.attn_k, self.attn_v, self.attn_out = (nn.Linear(d, d) for _ in range(4))
        self.ffn_up, self.ffn_down = nn.Linear(d, s.vision_n_ff), nn.Linear(s.vision_n_ff, d)

    def forward(self, x: Tensor, turn: tuple[Tensor, Tensor], windows: Windows | None) -> Tensor:
        """x (batch, n, d); without windows, all patches see each other."""
        normed = self.ln1(x)
        q, k, v = (self._heads(layer(normed)) for layer in (self.attn_q, self.attn_k, self.attn_v))
        q, k = _turn_halves(q, turn), _turn_halves(k, turn)
        mixed = attend(q, k, v, None) if windows is None else windows.attend(q, k, v)
        x = x + self.attn_out(mixed.transpose(1, 2).flatten(2))
        return x + self.ffn_down(F.gelu(self.ffn_up(self.ln2(x)), approximate="tanh"))

    def _heads(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.n_head, -1)).transpose(1, 2)


def _turn_halves(x: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
    cosine, sine = turn
    first, second = x.chunk(2, dim=-1)
    return torch.cat([first * cosine - second * sine, second * cosine + first * sine], dim=-1)


class Windows(NamedTuple):
    """Which patches see each other: either `mask`, or, of many patches, `members` and `there`.

    `mask` (n, n) is True inside one window. `members` (w, m) are the patches of each window, filled up with 0, and
    `there` (w, 1, m) is True where one is no filling; `back` (n,) are the places of the patches among the members.
    """

    mask: Tensor | None
    members: Tensor
    there: Tensor
    back: Tensor

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attention of (batch, heads, n, d) inside windows."""
        if self.mask is not None:
            return attend(q, k, v, self.mask)
        cut = [x[:, :, self.members] for x in (q, k, v)]
        return attend(cut[0], cut[1], cut[2], self.there).flatten(2, 3)[:, :, self.back]


class Place(NamedTuple):
    """Positions of the patches of a grid: cosine and sine (n, d / 2) of their angles; `windows` is None if the whole
    image is one."""

    cosine: Tensor
    sine: Tensor
    windows: Windows | None


@cache
def place(sizes: Sizes, rows: int, cols: int, device: str = "cpu") -> Place:
    """Return the positions of the patches of a grid of image tokens."""
    grid = torch.from_numpy(np.indices((rows * MERGE, cols * MERGE)))
    blocks = grid.unflatten(1, (rows, MERGE)).unflatten(3, (cols, MERGE))
    row, col = blocks.permute(0, 1, 3, 2, 4).flatten(1)
    quarter = sizes.vision_n_embd // sizes.vision_n_head // 4
    frequency = VISION_ROPE_BASE ** (-torch.arange(quarter) / quarter)
    angle = torch.cat([row[:, None] * frequency, col[:, None] * frequency], dim=1)
    size = sizes.window_px // PATCH
    windows = _windows((row // size) * len(row) + col // size)
    return Place(*(x if x is None else _moved(x, device) for x in (angle.cos(), angle.sin(), windows)))


def _windows(number: Tensor) -> Windows | None:
    """Return the windows of patches, given the number (n,) of each one's window."""
    _, number, counts = torch.unique(number, return_inverse=True, return_counts=True)
    if len(counts) == 1:
        return None
    order = torch.argsort(number, stable=True)
    at = torch.arange(len(order)) - (counts.cumsum(0) - counts)[number[order]]
    members = torch.zeros(len(counts), int(counts.max()), dtype=torch.long)
    members[number[order], at] = order
    there = (torch.arange(members.shape[1]) < counts[:, None])[:, None]
    back = torch.empty_like(order)
    back[order] = number[order] * members.shape[1] + at
    mask = number == number[:, None] if len(order) <= MOST_MASKED else None
    return Windows(mask, members, there, back)


def _moved(value: Any, device: str) -> Any:
    if isinstance(value, Windows):
        return Windows(*(None if x is None else x.to(device) for x in value))
    return value.to(device)


class Tower(nn.Module):
    """Patches to post-norm states; full attention in `full_layers`, windows elsewhere."""

    def __init__(self, s: Sizes) -> None:
        super().__init__()
        self.sizes = s
        self.patch_embd = nn.Linear(3 * PATCH * PATCH, s.vision_n_embd)
        self.blk = nn.ModuleList(VisionBlock(s) for _ in range(s.vision_n_layer))
        self.post_ln = Norm(s.vision_n_embd, EPS)

    def forward(self, patches: Tensor, place: Place) -> Tensor:
        """Patches (batch, n, 768) in the order of `cut_patches`."""
        x = self.patch_embd(patches)
        turn = place.cosine.to(x.dtype), place.sine.to(x.dtype)
        for i, block in enumerate(self.blk):
            x = block(x, turn, None if i in self.sizes.full_layers else place.windows)
        return self.post_ln(x)


class Projector(nn.Module):
    """Norm, 2x2 merge, two linear layers."""

    def __init__(self, s: Sizes) -> None:
        super().__init__()
        merged = s.vision_n_embd * MERGE * MERGE
        self.input_norm = Rms(s.vision_n_embd)
        self.add_module("0", nn.Linear(merged, merged))
        self.add_module("2", nn.Linear(merged, s.n_embd))

    def forward(self, x: Tensor) -> Tensor:
        """Four neighbouring patches become one image token."""
        merged = self.input_norm(x).unflatten(1, (-1, MERGE * MERGE)).flatten(2)
        first, second = self.get_submodule("0"), self.get_submodule("2")
        result: Tensor = second(F.gelu(first(merged), approximate="tanh"))
        return result


class LanguageBlock(nn.Module):
    """Multi-head latent attention and SwiGLU."""

    def __init__(self, s: Sizes) -> None:
        super().__init__()
        self.s = s
        linear = lambda n_in, n_out: nn.Linear(n_in, n_out, bias=False)  # noqa: E731
        self.attn_norm, self.ffn_norm = Rms(s.n_embd), Rms(s.n_embd)
        self.attn_q_a, self.attn_q_a_norm = linear(s.n_embd, s.q_lora), Rms(s.q_lora)
        self.attn_q_b = linear(s.q_lora, s.n_head * (s.qk_nope + s.qk_rope))
        self.attn_kv_a_mqa, self.attn_kv_a_norm = linear(s.n_embd, s.kv_lora + s.qk_rope), Rms(s.kv_lora)
        self.attn_k_b = Weight(s.n_head, s.kv_lora, s.qk_nope, std=s.kv_lora**-0.5)
        self.attn_v_b = Weight(s.n_head, s.v_head, s.kv_lora, std=s.kv_lora**-0.5)
        self.attn_output = linear(s.n_head * s.v_head, s.n_embd)
        self.ffn_gate, self.ffn_up = linear(s.n_embd, s.n_ff), linear(s.n_embd, s.n_ff)
        self.ffn_down = linear(s.n_ff, s.n_embd)

    def forward(self, x: Tensor, turn: tuple[Tensor, Tensor], mask: Tensor) -> Tensor:
        """x (batch, n, d), mask (batch, 1, n, n)."""
        s, normed = self.s, self.attn_norm(x)
        query = self.attn_q_b(self.attn_q_a_norm(self.attn_q_a(normed)))
        query = query.unflatten(-1, (s.n_head, -1)).transpose(1, 2)
        latent, key_turned = self.attn_kv_a_mqa(normed).split([s.kv_lora, s.qk_rope], dim=-1)
        latent = self.attn_kv_a_norm(latent)
        keys = F.linear(latent, self.attn_k_b.weight.transpose(1, 2).flatten(0, 1))
        values = F.linear(latent, self.attn_v_b.weight.flatten(0, 1))
        keys = keys.unflatten(-1, (s.n_head, -1)).transpose(1, 2)
        values = values.unflatten(-1, (s.n_head, -1)).transpose(1, 2)
        plain, turned = query.split([s.qk_nope, s.qk_rope], dim=-1)
        key_turned = _turn_pairs(key_turned[:, None], turn).expand(-1, s.n_head, -1, -1)
        q = torch.cat([plain, _turn_pairs(turned, turn)], dim=-1)
        k = torch.cat([keys, key_turned], dim=-1)
        mixed = attend(q, k, values, mask)
        x = x + self.attn_output(mixed.transpose(1, 2).flatten(2))
        normed = self.ffn_norm(x)
        return x + self.ffn_down(F.silu(self.ffn_gate(normed)) * self.ffn_up(normed))


def _turn_pairs(x: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
    cosine, sine = turn
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack([even * cosine - odd * sine, odd * cosine + even * sine], dim=-1).flatten(-2)


class Network(nn.Module):
    """The whole model."""

    def __init__(self, sizes: Sizes, n_vocab: int, ramps: dict[str, Ramp]) -> None:
        super().__init__()
        self.sizes, self.ramps = sizes, ramps
        self.v, self.mm = Tower(sizes), Projector(sizes)
        self.table = Table(n_vocab, sizes.n_embd, ramps)
        self.blk = nn.ModuleList(LanguageBlock(sizes) for _ in range(sizes.n_layer))
        self.output_norm = Rms(sizes.n_embd)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=module.in_features**-0.5)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        for block in self.v.blk:  # the residual stream starts as the patch embedding alone
            nn.init.zeros_(block.attn_out.weight), nn.init.zeros_(block.ffn_down.weight)
        for block in self.blk:
            nn.init.zeros_(block.attn_output.weight), nn.init.zeros_(block.ffn_down.weight)

    def see(self, patches: Tensor, where: Place) -> Tensor:
        """Return the image tokens (batch, n / 4, n_embd)."""
        result: Tensor = self.mm(self.v(patches, where))
        return result

    def think(self, x: Tensor, positions: Tensor, mask: Tensor) -> Tensor:
        """Return the final hidden states of embeddings (batch, n, n_embd).

        `positions` (batch, n) or (1, n); `mask` (batch or 1, 1, n, n), True where a row's token sees a column's.
        """
        half = self.sizes.qk_rope // 2
        frequency = LANGUAGE_ROPE_BASE ** (-torch.arange(half, device=x.device) / half)
        angle = (positions[..., None] * frequency)[:, None]
        turn = (angle.cos().to(x.dtype), angle.sin().to(x.dtype))
        for block in self.blk:
            x = block(x, turn, mask)
        result: Tensor = self.output_norm(x)
        return result

    def named_weights(self) -> dict[str, npt.NDArray[np.float32]]:
        """Return the tensors under their GGUF names, float32."""
        weights = {name: value for name, value in self.state_dict().items() if not name.startswith("table.")}
        weights["token_embd.weight"] = self.table()
        return {name: value.detach().float().cpu().numpy().copy() for name, value in weights.items()}


def cut_patches(rgb: Tensor) -> Tensor:
    """Cut prepared images (batch, H, W, 3) uint8 into patches (batch, n, 768), scaled to -1..1.

    The four patches of an image token lie next to each other; values in the order row, column, channel.
    """
    height, width = rgb.shape[1:3]
    scaled = rgb.float() / 127.5 - 1
    cut = scaled.view(-1, height // (MERGE * PATCH), MERGE, PATCH, width // (MERGE * PATCH), MERGE, PATCH, 3)
    return cut.permute(0, 1, 4, 2, 5, 3, 6, 7).reshape(len(rgb), -1, 3 * PATCH * PATCH)
