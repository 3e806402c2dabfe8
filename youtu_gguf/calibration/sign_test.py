"""How pictures decide between hypotheses: each has one vote, and luck must be ruled out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from statistics import fmean

LUCK = 0.01
"""Highest probability of a result by luck, if every picture threw a coin: the usual strict level of a sign test. Seven
of seven pictures pass it, ten of eleven, and eleven of twelve."""


@dataclass(frozen=True)
class Ballot:
    """What one picture says: a figure for every hypothesis, higher is better. It counts if it was understood."""

    picture: str
    figures: tuple[float, ...]
    understood: bool


@dataclass(frozen=True)
class Election:
    """The outcome.

    Attributes:
        best: Index of the hypothesis with the highest mean; None where no picture counts.
        means: Of the figures over the pictures that count.
        n_votes: Pictures where the best is ahead of every other by the margin.
        n_ballots: Pictures that count.
    """

    best: int | None
    means: tuple[float, ...]
    n_votes: int
    n_ballots: int

    @property
    def luck(self) -> float:
        """Probability of as many votes or more if every picture threw a coin; draws count against the best."""
        n = self.n_ballots
        return sum(comb(n, k) for k in range(self.n_votes, n + 1)) / float(2**n)

    @property
    def is_decided(self) -> bool:
        """Whether luck is ruled out."""
        return self.best is not None and self.luck <= LUCK


def elect(ballots: Sequence[Ballot], margin: float) -> Election:
    """Count the votes of the pictures that were understood; a vote needs a lead of `margin` over every other figure."""
    counted = [ballot.figures for ballot in ballots if ballot.understood]
    if not counted:
        return Election(None, (), 0, 0)
    means = tuple(fmean(column) for column in zip(*counted, strict=True))
    best = means.index(max(means))
    leads = [figures[best] - max(figures[:best] + figures[best + 1 :]) for figures in counted]
    return Election(best, means, sum(lead >= margin for lead in leads), len(counted))
