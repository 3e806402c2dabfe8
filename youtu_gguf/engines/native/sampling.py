"""Drawing the tokens of an answer from logits of the whole vocabulary. Must not know llama.cpp."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from youtu_gguf.config import PENALTY_LAST_N, TOP_K, Sampling
from youtu_gguf.errors import EngineError
from youtu_gguf.types import F32, I32, Bits

_BLOCK = 1 << 14
"""Logits whose exponentials are added up at a time: they stay in the processor's cache."""


class Drawn(NamedTuple):
    """A token of an answer.

    Attributes:
        token: Its id.
        probability: That of the token among all tokens, before temperature and penalties; None if not requested.
    """

    token: int
    probability: float | None = None


class LogitsSource(Protocol):
    """What leaves logits: a context of llama.cpp."""

    def logits(self, index: int) -> F32:
        """Return the (n_vocab,) logits of the token at `index` of the last batch, which may be written to."""
        ...


class Draw(Protocol):
    """Draws the tokens of one answer."""

    def draw(self, logits: F32) -> int:
        """Return the next token; leaves the logits unchanged, and does not count the token as seen.

        Raises:
            EngineError: The logits are not numbers.
        """
        ...

    def accept(self, token: int) -> None:
        """Count `token` as seen: later draws penalise it."""
        ...

    def close(self) -> None:
        """Release what it holds. Safe to call twice."""
        ...


class Rules(Protocol):
    """Which tokens may come next in one answer."""

    def refused(self, tokens: Sequence[int] | I32) -> Bits:
        """Return which of `tokens` may not come next."""
        ...

    def accept(self, token: int) -> None:
        """Go on behind `token`, which must be one that may come."""
        ...

    def close(self) -> None:
        """Release what it holds. Safe to call twice."""
        ...


WIDER = 256
"""How many of the likeliest tokens are checked against the rules once two were refused, before all are. To check all
283,386 takes some 40 ms, one a few microseconds; mostly the token that is drawn first may come."""


class Sampler:
    """Gives the tokens of one answer, with their probabilities if `scores`, and only such as the `rules` allow."""

    def __init__(self, draw: Draw, *, scores: bool, rules: Rules | None = None) -> None:
        self._draw, self._scores, self._rules = draw, scores, rules

    def next(self, context: LogitsSource, index: int = -1) -> Drawn:
        """Draw the token that follows the one at `index` of the last batch.

        Raises:
            EngineError: The logits are not numbers, or the vocabulary lacks what the rules ask for.
        """
        logits = context.logits(index)
        token = self._draw.draw(logits)
        if self._rules is not None:
            if self._rules.refused([token])[0]:
                token = self._redraw(logits.copy(), token, self._rules)
            self._rules.accept(token)
        self._draw.accept(token)
        return Drawn(token, token_probability(logits, token) if self._scores else None)

    def _redraw(self, logits: F32, refused: int, rules: Rules) -> int:
        """Return the token that the rules allow instead of `refused`; changes the logits."""
        logits[refused] = -math.inf
        for n in (min(WIDER, len(logits)), len(logits)):
            token = self._draw.draw(logits)
            if not rules.refused([token])[0]:
                return token
            likeliest = np.argpartition(logits, -n)[-n:].astype(np.int32)
            logits[likeliest[rules.refused(likeliest)]] = -math.inf
        if np.isneginf(logits.max()):
            raise EngineError("no token of this model continues what json_schema allows. Ask without it.")
        return self._draw.draw(logits)

    def close(self) -> None:
        """Release what it holds. Safe to call twice."""
        self._draw.close()
        if self._rules is not None:
            self._rules.close()


def draws_likeliest(sampling: Sampling) -> bool:
    """Return whether llama.cpp's chain (penalties, top-k, top-p, temperature, draw) can draw one token only.

    At temperature 0 that is its rule. Otherwise top-k keeps `TOP_K` tokens, the likeliest of which has at least
    1/`TOP_K` of their probability, and top-p ends with the token that reaches `top_p` (llama-sampler.cpp,
    `llama_sampler_top_p_apply`): up to 1/`TOP_K` that is the first. Temperature comes after both.
    """
    return sampling.temperature == 0 or sampling.top_p <= 1 / TOP_K


class LikeliestDraw:
    """Draws the token with the highest logit after the penalty; of equal ones the one with the lowest id.

    It is the token that llama.cpp's chain draws where `draws_likeliest`, in 1/50 of the time. Among equal logits the
    chain takes, above temperature 0, any one, depending on how the C++ library sorts.

    Args:
        sampling: Its `repeat_penalty`.
        seen: Tokens before the answer; the last `PENALTY_LAST_N` count, as in llama-server.
    """

    def __init__(self, sampling: Sampling, seen: Sequence[int]) -> None:
        self._penalty = np.float32(sampling.repeat_penalty)
        self._recent = np.zeros(PENALTY_LAST_N, np.intp)
        self._n_seen = 0
        for token in seen[-PENALTY_LAST_N:]:
            self.accept(token)

    def draw(self, logits: F32) -> int:
        """Return the token; see `Draw.draw`."""
        recent = self._recent[: self._n_seen]
        kept = logits[recent]
        with np.errstate(all="ignore"):  # a penalty far from 1 may exceed float32, as in llama.cpp
            logits[recent] = np.where(kept <= 0, kept * self._penalty, kept / self._penalty)
        try:
            token = int(logits.argmax())  # of logits with a NaN, the place of that
        finally:
            logits[recent] = kept
        check_number(logits[token])
        return token

    def accept(self, token: int) -> None:
        """Count `token` as seen, instead of the one `PENALTY_LAST_N` before it."""
        self._recent[self._n_seen % PENALTY_LAST_N] = token
        self._n_seen += 1

    def close(self) -> None:
        """Do nothing."""


def check_number(highest: float) -> None:
    """Check the highest logit of a row; NumPy's maximum of a row with a NaN is NaN.

    Raises:
        EngineError: It is infinite or NaN.
    """
    if not math.isfinite(highest):
        raise EngineError(
            f"the logits must be finite numbers; the highest of them is {highest}. The weights are damaged, or the "
            "device computes wrongly: check the files with youtu-gguf inspect, or try device=cpu."
        )


def token_probability(logits: F32, token: int) -> float:
    """Return the probability of `token` among all tokens, at temperature 1."""
    highest = logits.max()
    buffer = np.empty(min(_BLOCK, len(logits)), np.float32)
    total = 0.0
    for first in range(0, len(logits), _BLOCK):
        part = logits[first : first + _BLOCK]
        exponentials = np.subtract(part, highest, out=buffer[: len(part)])
        total += float(np.exp(exponentials, out=exponentials).sum())
    return float(np.exp(logits[token] - highest)) / total
