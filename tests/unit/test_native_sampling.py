"""Drawing tokens without llama.cpp: the penalty, ties, the window of seen tokens, and scores."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from youtu_gguf.config import PENALTY_LAST_N, TOP_K, Sampling
from youtu_gguf.engines.native.sampling import Drawn, LikeliestDraw, Sampler, draws_likeliest, token_probability
from youtu_gguf.errors import EngineError
from youtu_gguf.types import F32, I32, Bits

DOUBLED = Sampling(repeat_penalty=2.0)
HALVED = Sampling(repeat_penalty=0.5)


def row(*values: float) -> F32:
    return np.array(values, np.float32)


class Rows:
    """Logits, a row for each index."""

    def __init__(self, *rows: F32) -> None:
        self.rows = rows

    def logits(self, index: int) -> F32:
        return self.rows[index]


@pytest.mark.parametrize(
    ("sampling", "logits", "seen", "token"),
    [
        (DOUBLED, row(1, 3, 2), [], 1),
        (DOUBLED, row(1, 3, 2), [1], 2),
        (DOUBLED, row(1, 3, 2), [1, 1, 1], 2),  # once, however often it was seen
        (DOUBLED, row(-3, -1, -2.5), [1], 1),
        (DOUBLED, row(-3, -2, -2.5), [1], 2),  # a negative logit is multiplied
        (HALVED, row(1, 3, 2), [2], 2),
        (HALVED, row(-3, -1, -1.5), [2], 2),
        (DOUBLED, row(2, 1, 2), [], 0),  # of equal logits the first
        (DOUBLED, row(4, 2, 4), [0, 2], 0),  # 2, 2 and 2
        (DOUBLED, row(4, 3, 4), [0, 2], 1),
        (DOUBLED, row(4, 1, 4), [0, 2], 0),
        (DOUBLED, row(-math.inf, -math.inf, -5), [2], 2),
        (DOUBLED, row(0, -1, -2), [0], 0),
    ],
)
def test_the_token_with_the_highest_penalised_logit_is_drawn(
    sampling: Sampling, logits: F32, seen: list[int], token: int
) -> None:
    before = logits.copy()
    assert LikeliestDraw(sampling, seen).draw(logits) == token
    assert np.array_equal(logits, before)


def test_only_the_last_tokens_are_penalised() -> None:
    draw = LikeliestDraw(DOUBLED, [1, *[0] * (PENALTY_LAST_N - 1)])
    logits = row(1, 3, 2)
    assert draw.draw(logits) == 2
    draw.accept(0)  # the window has no 1 any more
    assert draw.draw(logits) == 1


def test_a_drawn_token_is_penalised_from_the_next_draw_on() -> None:
    sampler = Sampler(LikeliestDraw(DOUBLED, []), scores=False)
    rows = Rows(row(1, 3, 2))
    assert [sampler.next(rows, 0) for _ in range(3)] == [Drawn(1), Drawn(2), Drawn(1)]


@pytest.mark.parametrize(
    "logits", [row(1, math.nan, 2), row(math.nan, 1, 2), row(*[-math.inf] * 3), row(*[math.nan] * 3), row(1, math.inf)]
)
@pytest.mark.parametrize("seen", [[], [0], [1]])
def test_logits_that_are_no_numbers_are_an_error(logits: F32, seen: list[int]) -> None:
    with pytest.raises(EngineError, match="logits must be finite numbers"):
        LikeliestDraw(DOUBLED, seen).draw(logits)


def test_a_score_is_the_probability_before_the_penalty() -> None:
    logits = np.log(row(0.1, 0.6, 0.3))
    sampler = Sampler(LikeliestDraw(Sampling(repeat_penalty=100.0, temperature=0.1), [1]), scores=True)
    drawn = sampler.next(Rows(logits), 0)
    assert drawn.token == 2  # negative logits: the penalty moves the likeliest behind
    assert drawn.probability == pytest.approx(0.3, rel=1e-6)


@pytest.mark.parametrize("n_vocab", [1, 7, 16_384, 16_385, 133_000])
def test_the_probability_of_a_token_is_its_softmax(n_vocab: int) -> None:
    logits = np.random.default_rng(0).normal(scale=30.0, size=n_vocab).astype(np.float32)
    exact = np.exp(logits.astype(np.float64) - logits.max())
    for token in {0, n_vocab // 2, int(logits.argmax())}:
        assert token_probability(logits, token) == pytest.approx(exact[token] / exact.sum(), rel=1e-5, abs=1e-37)


def test_which_sampling_can_draw_the_likeliest_token_only() -> None:
    limit = 1 / TOP_K
    assert np.float32(limit) <= np.float32(1) / np.float32(TOP_K)  # in llama.cpp's arithmetic too
    assert draws_likeliest(Sampling())
    assert draws_likeliest(Sampling(top_p=limit, temperature=5.0))
    assert draws_likeliest(Sampling(top_p=1.0, temperature=0))
    assert not draws_likeliest(Sampling(top_p=math.nextafter(limit, 1)))
    assert not draws_likeliest(Sampling(top_p=1.0, temperature=1e-6))


class OnlyThese:
    """Rules by which only some tokens may come; counts what is checked."""

    def __init__(self, *allowed: int) -> None:
        self.allowed = allowed
        self.checked: list[int] = []
        self.accepted: list[int] = []

    def refused(self, tokens: Sequence[int] | I32) -> Bits:
        self.checked.append(len(tokens))
        return ~np.isin(tokens, self.allowed)

    def accept(self, token: int) -> None:
        self.accepted.append(token)

    def close(self) -> None:
        self.checked.append(0)


FALLING = -np.arange(1000, dtype=np.float32)
"""Logits by which a token is the less likely the higher its id."""


@pytest.mark.parametrize(
    ("allowed", "token", "checked"),
    [
        ((0, 5), 0, [1]),
        ((1, 5), 1, [1, 1]),
        ((3, 5), 3, [1, 1, 256, 1]),
        ((300, 999), 300, [1, 1, 256, 1, 1000]),
        ((999,), 999, [1, 1, 256, 1, 1000]),
    ],
)
def test_a_refused_token_is_replaced_by_the_likeliest_that_may_come(
    allowed: tuple[int, ...], token: int, checked: list[int]
) -> None:
    rules = OnlyThese(*allowed)
    rows = Rows(FALLING.copy())
    sampler = Sampler(LikeliestDraw(Sampling(repeat_penalty=1.0), []), scores=True, rules=rules)
    drawn = sampler.next(rows, 0)
    assert (drawn.token, rules.checked, rules.accepted) == (token, checked, [token])
    assert drawn.probability == token_probability(FALLING, token)
    assert np.array_equal(rows.rows[0], FALLING)
    sampler.close()
    assert rules.checked[-1] == 0


def test_rules_without_any_token_are_an_error() -> None:
    sampler = Sampler(LikeliestDraw(Sampling(), []), scores=False, rules=OnlyThese())
    with pytest.raises(EngineError, match="no token of this model continues what json_schema allows"):
        sampler.next(Rows(FALLING.copy()), 0)
