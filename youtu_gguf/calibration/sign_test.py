"""A sign test between hypotheses: each image has one vote, and chance must be ruled out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from statistics import fmean

MAX_P_VALUE = 0.01
"""Highest probability of a result by chance, if every image tossed a coin: the usual strict level of a sign test. Seven
of seven images pass it, ten of eleven, and eleven of twelve."""


@dataclass(frozen=True)
class Evidence:
    """The evidence of one image: a figure for every hypothesis, higher is better. It counts if it was understood."""

    image: str
    figures: tuple[float, ...]
    understood: bool


@dataclass(frozen=True)
class SignTest:
    """The outcome.

    Attributes:
        best: Index of the hypothesis with the highest mean; None where no image counts.
        means: Of the figures over the images that count.
        n_ahead: Images where the best is ahead of every other by the margin.
        n_images: Images that count.
    """

    best: int | None
    means: tuple[float, ...]
    n_ahead: int
    n_images: int

    @property
    def p_value(self) -> float:
        """Probability of as many votes or more if every image tossed a coin; draws count against the best."""
        n = self.n_images
        return sum(comb(n, k) for k in range(self.n_ahead, n + 1)) / float(2**n)

    @property
    def is_decided(self) -> bool:
        """Whether chance is ruled out."""
        return self.best is not None and self.p_value <= MAX_P_VALUE


def sign_test(evidence: Sequence[Evidence], margin: float) -> SignTest:
    """Count the votes of the images that were understood; a vote needs a lead of `margin` over every other figure."""
    counted = [evidence.figures for evidence in evidence if evidence.understood]
    if not counted:
        return SignTest(None, (), 0, 0)
    means = tuple(fmean(column) for column in zip(*counted, strict=True))
    best = means.index(max(means))
    leads = [figures[best] - max(figures[:best] + figures[best + 1 :]) for figures in counted]
    return SignTest(best, means, sum(lead >= margin for lead in leads), len(counted))
