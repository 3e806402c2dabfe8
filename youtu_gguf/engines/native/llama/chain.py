"""llama.cpp's samplers: the chain, where another token than the likeliest may be drawn, and the grammar."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from weakref import finalize

import numpy as np

from youtu_gguf.config import PENALTY_LAST_N, TOP_K
from youtu_gguf.engines.native.json_grammar import gbnf_of
from youtu_gguf.engines.native.llama import bindings
from youtu_gguf.engines.native.llama.bindings import lib
from youtu_gguf.engines.native.sampling import LikeliestDraw, Sampler, check_number, draws_likeliest
from youtu_gguf.errors import InputError
from youtu_gguf.types import F32, I32, Bits

if TYPE_CHECKING:
    from youtu_gguf.config import Sampling
    from youtu_gguf.engines.native.llama.handles import LlamaModel

_CANDIDATE = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])  # llama_token_data


def new_sampler(sampling: Sampling, model: LlamaModel, seen: Sequence[int]) -> Sampler:
    """Return what draws the tokens of one answer; `seen` are the tokens before it.

    Raises:
        InputError: The JSON schema cannot be enforced.
    """
    rules = None if sampling.json_schema is None else Grammar(model, gbnf_of(sampling.json_schema))
    draw = LikeliestDraw(sampling, seen) if draws_likeliest(sampling) else ChainDraw(sampling, model.n_vocab, seen)
    return Sampler(draw, scores=sampling.scores, rules=rules)


class ChainDraw:
    """Draws with penalties, top-k, top-p, temperature and a random number, by llama.cpp. See `sampling.Draw`.

    Attributes:
        handle: The chain.
    """

    def __init__(self, sampling: Sampling, n_vocab: int, seen: Sequence[int]) -> None:
        self.handle: Any = lib.llama_sampler_chain_init(lib.llama_sampler_chain_default_params())
        for link in self.links(sampling, n_vocab):
            lib.llama_sampler_chain_add(self.handle, link)
        self._finalize = finalize(self, lib.llama_sampler_free, self.handle)
        self._finalize.atexit = False  # a thread may be using it
        self._ids = np.arange(n_vocab, dtype=np.int32)
        self._candidates = np.empty(n_vocab, _CANDIDATE)
        for token in seen[-PENALTY_LAST_N:]:  # llama-server counts the prompt among the repeated tokens too
            self.accept(token)

    def links(self, sampling: Sampling, n_vocab: int) -> tuple[Any, ...]:
        """Return the samplers of the chain, in their order."""
        penalties = lib.llama_sampler_init_penalties(n_vocab, PENALTY_LAST_N, sampling.repeat_penalty, 0.0, 0.0)
        if sampling.temperature == 0:
            return penalties, lib.llama_sampler_init_greedy()
        return (
            penalties,
            lib.llama_sampler_init_top_k(TOP_K),
            lib.llama_sampler_init_top_p(sampling.top_p, 1),
            lib.llama_sampler_init_temp(sampling.temperature),
            lib.llama_sampler_init_dist(sampling.seed),
        )

    def draw(self, logits: F32) -> int:
        """Return the token; see `Draw.draw`."""
        check_number(logits.max())
        candidates = self._candidates
        candidates["id"], candidates["logit"] = self._ids, logits  # the chain sorts them in place
        return int(candidates["id"][_apply(self.handle, candidates)])

    def accept(self, token: int) -> None:
        """Count `token` as seen."""
        lib.llama_sampler_accept(self.handle, token)

    def close(self) -> None:
        """Free the chain and its links."""
        self._finalize()
        self.handle = None


class Grammar:
    """Which tokens may come next in one answer. See `sampling.Rules`.

    Args:
        model: Has the vocabulary.
        gbnf: The grammar, in llama.cpp's notation.

    Raises:
        InputError: llama.cpp does not take the grammar.
    """

    def __init__(self, model: LlamaModel, gbnf: str) -> None:
        self._handle: Any = lib.llama_sampler_init_grammar(model.vocab, gbnf.encode(), b"root")
        if not self._handle:
            raise InputError(f"json_schema must be one that llama.cpp can follow.{bindings.recent_warnings()}")
        self._finalize = finalize(self, lib.llama_sampler_free, self._handle)
        self._finalize.atexit = False  # a thread may be using it

    def refused(self, tokens: Sequence[int] | I32) -> Bits:
        """Return which of `tokens` may not come next."""
        candidates = np.zeros(len(tokens), _CANDIDATE)
        candidates["id"] = tokens
        _apply(self._handle, candidates)
        return np.isneginf(candidates["logit"])

    def accept(self, token: int) -> None:
        """Go on behind `token`, which must be one that may come: llama.cpp would end the process."""
        lib.llama_sampler_accept(self._handle, token)

    def close(self) -> None:
        """Free the grammar."""
        self._finalize()
        self._handle = None


def _apply(handle: Any, candidates: Any) -> int:
    """Apply a sampler to an array of `_CANDIDATE`; return the place of the token that it selected, or -1."""
    pointer = candidates.ctypes.data_as(lib.llama_token_data_p)
    array = lib.llama_token_data_array(data=pointer, size=len(candidates), selected=-1, sorted=False)
    lib.llama_sampler_apply(handle, ctypes.byref(array))
    return int(array.selected)
