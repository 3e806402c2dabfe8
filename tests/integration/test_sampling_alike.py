"""Drawing the likeliest token ourselves, beside llama.cpp's chain of samplers with the same settings."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from youtu_gguf.config import TOP_K, Sampling
from youtu_gguf.engines.native.llama.chain import ChainDraw
from youtu_gguf.engines.native.sampling import LikeliestDraw
from youtu_gguf.errors import EngineError
from youtu_gguf.types import F32

N_VOCAB = 500
N_TOKENS = 250
"""Of each answer; every draw changes which tokens are penalised."""


def rows_of(kind: str, rng: np.random.Generator) -> Iterator[F32]:
    """Yield rows of logits whose highest are close together, so that the penalty often decides."""
    for _ in range(N_TOKENS):
        logits = rng.normal(scale=3.0, size=N_VOCAB)
        best = rng.choice(N_VOCAB // 10, 8, replace=False)  # the same tokens again and again
        logits[best] = 9 + rng.normal(scale=0.4, size=8)
        if kind == "negative":
            logits -= 40
        elif kind == "around zero":
            logits = -1 - np.abs(logits)
            logits[best] = rng.normal(scale=0.4, size=8)
        elif kind == "ties":
            logits = np.round(logits * 2) / 2
        elif kind == "equal":
            logits[:] = rng.choice([-1.0, 0.0, 1.0])
        elif kind == "barred":
            logits[rng.random(N_VOCAB) < 0.9] = -np.inf
            logits[best[0]] = 1.0
        yield logits.astype(np.float32)


@pytest.mark.parametrize("kind", ["plain", "negative", "around zero", "ties", "equal", "barred"])
@pytest.mark.parametrize("penalty", [1.05, 1.0, 0.9, 3.0])
@pytest.mark.parametrize(("temperature", "top_p"), [(0.1, 0.001), (0.0, 1.0), (2.0, 1 / TOP_K)])
def test_every_token_is_the_one_that_the_chain_draws(
    kind: str, penalty: float, temperature: float, top_p: float
) -> None:
    sampling = Sampling(temperature=temperature, top_p=top_p, repeat_penalty=penalty)
    rng = np.random.default_rng(7)
    seen = rng.integers(0, N_VOCAB, 100).tolist()
    ours, chain = LikeliestDraw(sampling, seen), ChainDraw(sampling, N_VOCAB, seen)
    n_ties = 0
    for logits in rows_of(kind, rng):
        before = logits.copy()
        token, expected = ours.draw(logits), chain.draw(logits)
        assert np.array_equal(logits, before)
        if token != expected:  # above temperature 0 the chain draws any of several equal ones
            assert temperature
            assert token < expected
            assert penalised(logits, token, seen, penalty) == penalised(logits, expected, seen, penalty)
            n_ties += 1
        ours.accept(token)
        chain.accept(token)
        seen.append(token)
    chain.close()
    assert n_ties == 0 or kind in ("ties", "equal")


def penalised(logits: F32, token: int, seen: list[int], penalty: float) -> np.float32:
    value = logits[token]
    if token not in seen[-64:]:
        return value
    return value * np.float32(penalty) if value <= 0 else value / np.float32(penalty)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_the_chain_is_not_given_logits_that_are_no_numbers(bad: float) -> None:
    chain = ChainDraw(Sampling(top_p=0.9), N_VOCAB, [])
    logits = np.zeros(N_VOCAB, np.float32)
    logits[3] = bad
    with pytest.raises(EngineError, match="logits must be finite numbers"):
        chain.draw(logits)
    chain.close()
