"""The vision tower as graphs of ggml: one for the patches, one for each layer, and one for the projector.

What is computed is what llama.cpp's own graph computes (tools/mtmd/models/youtuvl.cpp), with one difference: a layer
with windows attends within each window, where llama.cpp attends to the whole image and masks the rest.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gguf.constants import GGMLQuantizationType as Kind

from youtu_gguf.engines.native.vision.ggml import PRECISE, functions, sections
from youtu_gguf.engines.native.vision.windows import PATCHES_PER_TOKEN
from youtu_gguf.gguf.vision import VisionFacts

Group = tuple[int, int]

HALVES = (Kind.F16, Kind.BF16)
"""Weights of two bytes, which may be computed with as other types."""

MERGER_EPS = 1e-6
ROPE_MODE = 24
"""GGML_ROPE_TYPE_VISION of ggml.h."""
ROPE_CONTEXT, ROPE_BASE = 32768, 10_000.0
"""Arguments of youtuvl.cpp; the first has no effect without scaling."""

F32_BYTES = 4
MOST_NODES = 512
"""Most nodes of a graph, and most tensors: a layer with four sizes of windows has about 100."""


@dataclass(frozen=True)
class Tensor:
    """A tensor of ggml, and the type of its values."""

    handle: Any
    kind: Kind


@dataclass(frozen=True)
class Graph:
    """A graph of ggml under construction, and the context that holds its tensors."""

    context: Any
    handle: Any


class Graphs:
    """Builds the tower's graphs.

    Args:
        facts: Sizes.
        weights: The projector's tensors by name.
        compute_as: Matrices of 16 bits are converted to this type, and those of fewer bits to F32, each as it is
            needed: that takes a hundredth of the time of multiplying with it. None computes with them unchanged.
        keys_as: The type of keys and values.
    """

    def __init__(
        self, facts: VisionFacts, weights: Mapping[str, Tensor], compute_as: Kind | None, keys_as: Kind
    ) -> None:
        self._g = functions()
        self._facts = facts
        self._weights = weights
        self._compute_as = compute_as
        self._keys_as = keys_as
        self._d_head = facts.n_embd // facts.n_head

    def embed(self, graph: Graph, patches: Any) -> Any:
        """Return (n_patches, n_embd) of patches of (n_patches, 768) values."""
        x = self._linear(graph, "v.patch_embd", patches)
        return self._layer_norm(graph, "v.pre_ln", x)

    def layer(self, graph: Graph, i: int, x: Any, positions: Any, groups: Sequence[Group]) -> Any:
        """Return what layer `i` makes of `x`, (n_patches, n_embd), whose patches attend within `groups` of windows."""
        block, d_head, n_head, n = f"v.blk.{i}", self._d_head, self._facts.n_head, sum(s * k for s, k in groups)
        normed = self._layer_norm(graph, f"{block}.ln1", x)
        q, k, v = (
            self._g.reshape_3d(graph.context, self._linear(graph, f"{block}.attn_{part}", normed), d_head, n_head, n)
            for part in "qkv"
        )
        q, k = self._rotated(graph, q, positions), self._rotated(graph, k, positions)
        attended = self._linear(graph, f"{block}.attn_out", self._attend(graph, q, k, v, groups))
        x = self._g.add(graph.context, attended, x)
        hidden = self._linear(graph, f"{block}.ffn_up", self._layer_norm(graph, f"{block}.ln2", x))
        hidden = getattr(self._g, self._facts.activation)(graph.context, hidden)
        return self._g.add(graph.context, self._linear(graph, f"{block}.ffn_down", hidden), x)

    def project(self, graph: Graph, x: Any, n_tokens: int) -> Any:
        """Return the embeddings, (n_tokens, n_out), of the last layer's (n_patches, n_embd)."""
        g = self._g
        x = g.rms_norm(graph.context, self._layer_norm(graph, "v.post_ln", x), MERGER_EPS)
        x = g.mul(graph.context, x, self._weights["mm.input_norm.weight"].handle)
        x = g.reshape_2d(graph.context, x, PATCHES_PER_TOKEN * self._facts.n_embd, n_tokens)
        return self._linear(graph, "mm.2", g.gelu(graph.context, self._linear(graph, "mm.0", x)))

    def _linear(self, graph: Graph, name: str, x: Any) -> Any:
        weight = self._weights[f"{name}.weight"]
        matrix = weight.handle
        self._g.build_forward_expand(graph.handle, x)  # first, or all converted matrices would be in memory at once
        kind = self._kind_of(weight.kind)
        if kind is not weight.kind:
            matrix = self._g.cast(graph.context, matrix, kind)
        y = self._g.mul_mat(graph.context, matrix, x)
        bias = self._weights.get(f"{name}.bias")
        return y if bias is None else self._g.add(graph.context, y, bias.handle)

    def _kind_of(self, kind: Kind) -> Kind:
        """Return the type that a matrix of type `kind` is multiplied as."""
        if self._compute_as is None:
            return kind
        return self._compute_as if kind in HALVES else Kind.F32

    def _layer_norm(self, graph: Graph, name: str, x: Any) -> Any:
        """Return the layer norm `name` of `x`, or `x` where the file has none."""
        weight, bias = self._weights.get(f"{name}.weight"), self._weights.get(f"{name}.bias")
        if weight is None:
            return x
        y = self._g.mul(graph.context, self._g.norm(graph.context, x, self._facts.norm_eps), weight.handle)
        return y if bias is None else self._g.add(graph.context, y, bias.handle)

    def _rotated(self, graph: Graph, x: Any, positions: Any) -> Any:
        quarter = sections(self._d_head // 4)
        return self._g.rope_multi(
            graph.context, x, positions, None, self._d_head // 2, quarter, ROPE_MODE, ROPE_CONTEXT, ROPE_BASE,
            1.0, 0.0, 1.0, 32.0, 1.0,
        )  # fmt: skip

    def _attend(self, graph: Graph, q: Any, k: Any, v: Any, groups: Sequence[Group]) -> Any:
        g, d_head, n_head = self._g, self._d_head, self._facts.n_head
        row = F32_BYTES * d_head * n_head
        parts, start = [], 0
        for size, count in groups:
            queries, keys, values = (
                g.permute(
                    graph.context,
                    g.view_4d(
                        graph.context, x, d_head, n_head, size, count, F32_BYTES * d_head, row, row * size, row * start
                    ),
                    0, 2, 1, 3,
                )
                for x in (q, k, v)
            )  # fmt: skip
            keys, values = self._by_head(graph, keys), self._by_head(graph, values)
            part = g.flash_attn_ext(graph.context, queries, keys, values, None, 1 / math.sqrt(d_head), 0.0, 0.0)
            g.prec_set_acc(part, PRECISE)
            parts.append(g.reshape_2d(graph.context, part, d_head * n_head, size * count))
            start += size * count
        joined = parts[0]
        for part in parts[1:]:
            joined = g.concat(graph.context, joined, part, 1)
        return joined

    def _by_head(self, graph: Graph, x: Any) -> Any:
        """Return keys or values as a copy in which those of a head lie next to each other."""
        if self._keys_as is Kind.F32:
            return self._g.cont(graph.context, x)
        return self._g.cast(graph.context, x, self._keys_as)
