"""How pictures decide between hypotheses: each has one vote, and luck must be ruled out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from statistics import fmean

MAX_P_VALUE = 0.01
"""Highest probability of a result by luck, if every picture threw a coin: the usual strict level of a sign test. Seven
of seven pictures pass it, ten of eleven, and eleven of twelve."""


@dataclass(frozen=True)
class Evidence:
    """What one picture says: a figure for every hypothesis, higher is better. It counts if it was understood."""

    picture: str
    figures: tuple[float, ...]
    understood: bool


@dataclass(frozen=True)
class SignTest:
    """The outcome.

    Attributes:
        best: Index of the hypothesis with the highest mean; None where no picture counts.
        means: Of the figures over the pictures that count.
        n_ahead: Pictures where the best is ahead of every other by the margin.
        n_images: Pictures that count.
    """

    best: int | None
    means: tuple[float, ...]
    n_ahead: int
    n_images: int

    @property
    def p_value(self) -> float:
        """Probability of as many votes or more if every picture threw a coin; draws count against the best."""
        n = self.n_images
        return sum(comb(n, k) for k in range(self.n_ahead, n + 1)) / float(2**n)

    @property
    def is_decided(self) -> bool:
        """Whether luck is ruled out."""
        return self.best is not None and self.p_value <= MAX_P_VALUE


def sign_test(evidence: Sequence[Evidence], margin: float) -> SignTest:
    """Count the votes of the pictures that were understood; a vote needs a lead of `margin` over every other figure."""
    counted = [evidence.figures for evidence in evidence if evidence.understood]
    if not counted:
        return SignTest(None, (), 0, 0)
    means = tuple(fmean(column) for column in zip(*counted, strict=True))
    best = means.index(max(means))
    leads = [figures[best] - max(figures[:best] + figures[best + 1 :]) for figures in counted]
    return SignTest(best, means, sum(lead >= margin for lead in leads), len(counted))
