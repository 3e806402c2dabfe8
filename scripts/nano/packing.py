"""The lessons of a step, laid side by side in one sequence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from scripts.nano.choice import Known, weights_of, written
from scripts.nano.shards import Taught

BLOCK = 16
"""Sequences are filled up to a multiple of this, so that few lengths occur."""


class Packed(NamedTuple):
    """Lessons of a batch, side by side.

    Attributes:
        text: (batch, n) tokens.
        positions: (batch, start + n) positions of whole sequences, of which images and what is before them are `start`.
        group: (batch, start + n) 0 = all later tokens see it, -1 = filling, else the number of the lesson.
        targets: (batch, n) the token that each text token should predict; -1 = none.
        weights: (batch, n) of the targets.
    """

    text: Tensor
    positions: Tensor
    group: Tensor
    targets: Tensor
    weights: Tensor


def pack(picked: Sequence[Sequence[Taught]], start: int, known: Known, rng: np.random.Generator) -> Packed:
    """Lay the lessons of each image side by side, behind `start` tokens that all of them see."""
    longest = max((sum(len(t.question) + len(t.answer) for t in lessons) for lessons in picked), default=0)
    n = -(-longest // BLOCK) * BLOCK
    batch = len(picked)
    text = torch.zeros(batch, n, dtype=torch.long)
    positions = torch.arange(start + n).repeat(batch, 1)
    group = torch.full((batch, start + n), -1, dtype=torch.long)
    group[:, :start] = 0
    targets = torch.full((batch, n), -1, dtype=torch.long)
    weights = torch.zeros(batch, n)
    for row, lessons in enumerate(picked):
        offset = 0
        for number, lesson in enumerate(lessons, 1):
            tokens = lesson.question + lesson.answer
            end, first = offset + len(tokens), offset + len(lesson.question)
            text[row, offset:end] = torch.tensor(lesson.question + written(lesson, known, rng))
            positions[row, start + offset : start + end] = start + torch.arange(len(tokens))
            group[row, start + offset : start + end] = number
            targets[row, first - 1 : end - 1] = torch.tensor(lesson.answer)
            weights[row, first - 1 : end - 1] = torch.from_numpy(weights_of(lesson, known))
            offset = end
    return Packed(text, positions, group, targets, weights)


def visible(group: Tensor) -> Tensor:
    """Return (batch, 1, n, n): a token sees earlier ones of its own group and of group 0."""
    n = group.shape[1]
    seen = (group[:, None, :] == group[:, :, None]) | (group == 0)[:, None, :]
    return (seen & torch.ones(n, n, dtype=torch.bool, device=group.device).tril())[:, None]
