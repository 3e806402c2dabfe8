"""From the probabilities of an answer's tokens to a score per item.

The score of an item is the geometric mean of the probabilities of the tokens that wrote what it says: exp of their mean
log, so that it does not fall with the number of tokens. The parsers give the characters of an item's words and numbers
(`spans`), without the tags around them. docs/scores.md explains why, and what the scores mean.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import accumulate
from math import exp, isnan, log, nan

import numpy as np

from youtu_gguf.engines.base import Answer, TokenScore
from youtu_gguf.types import F32, Span, Spans


def item_scores(answer: Answer, items: Sequence[Spans]) -> F32 | None:
    """Score the items of an answer.

    Args:
        answer: The answer, with the probabilities of its tokens.
        items: Per item, the characters of `answer.text` that say it; spans may overlap, also those of other items.

    Returns:
        (n,) float32 in 0..1: 0 where a token has probability 0, NaN where no token overlaps the item. None where the
        answer carries no probabilities.
    """
    if not answer.tokens:
        return None
    means = _Means(answer.tokens)
    return np.array([means.over(spans) for spans in items], np.float32)


def item_score(answer: Answer, spans: Spans) -> float | None:
    """Score a single item as `item_scores` does; None also where no token overlaps it."""
    if not answer.tokens:
        return None
    score = _Means(answer.tokens).over(spans)
    return None if isnan(score) else score


def answer_score(answer: Answer) -> float | None:
    """Score the whole text of an answer; the token that ended it writes nothing and does not count."""
    return item_score(answer, ((0, len(answer.text)),))


class _Means:
    """Geometric means over any tokens of an answer: running sums make a stretch of them cost two binary searches."""

    def __init__(self, tokens: Sequence[TokenScore]) -> None:
        probabilities = [token.probability for token in tokens]
        self._starts = [token.start for token in tokens]
        self._stops = [token.stop for token in tokens]
        self._logs = [0.0, *accumulate(log(p) if p > 0 else 0.0 for p in probabilities)]
        self._zeros = [0, *accumulate(p <= 0 for p in probabilities)]

    def over(self, spans: Spans) -> float:
        """Return the mean over the tokens that overlap `spans`, each counted once; NaN where there are none."""
        total, n_tokens, done = 0.0, 0, 0
        for start, last in sorted(map(self._tokens_in, spans)):
            first = max(start, done)
            if first >= last:
                continue
            if self._zeros[last] > self._zeros[first]:
                return 0.0
            total += self._logs[last] - self._logs[first]
            n_tokens += last - first
            done = last
        return min(1.0, exp(total / n_tokens)) if n_tokens else nan  # a rounded probability may exceed 1

    def _tokens_in(self, span: Span) -> tuple[int, int]:
        """Return the first and one past the last token that overlaps `span`.

        A token that writes nothing belongs to the character after it: it is a part of that character.
        """
        start, stop = span
        if start >= stop:
            return 0, 0
        first = min(bisect_right(self._stops, start), bisect_left(self._starts, start))
        return first, bisect_left(self._starts, stop)
