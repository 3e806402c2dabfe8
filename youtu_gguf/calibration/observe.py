"""What a model sees in an image of known layout: the few logits that the calibration's questions need."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from youtu_gguf.calibration.drawn import LabelledImage
from youtu_gguf.config import Sampling
from youtu_gguf.decode.classes import parse_classes
from youtu_gguf.decode.dense import class_scores
from youtu_gguf.engines.base import PatchStates, Session, Vocabulary, collect
from youtu_gguf.errors import CapabilityError
from youtu_gguf.facts import BIN_TOKENS, TOKEN_PX
from youtu_gguf.prompts import ENGLISH
from youtu_gguf.tasks.base import find_tokens
from youtu_gguf.tasks.segment import class_tokens
from youtu_gguf.types import F32, I32, Bits, checked

if TYPE_CHECKING:
    from youtu_gguf.model import Model

SHIFTS = (0, -1, 1)
"""Position whose state may describe an image token, counted from its own. The last is a control that no known
interpretation of the model proposes."""

SPACINGS = (False, True)
"""Whether class names are tokenised with a space before them."""

PURE = 0.75
"""Share of an image token's pixels of one class from which the token counts: a mixed one has no right answer."""

PERIODS = (False, True)
"""Whether a period follows the last class of the question which are there."""

ANSWER = Sampling(temperature=0, max_tokens=64)
"""How that question is answered. Six names take less than 50 tokens."""

UNDERSTOOD = 0.5
"""How far from guessing (0) to faultless (1) an image must be labelled under some reading for its vote to count."""

NEAR_BINS = BIN_TOKENS[:21]
"""The first depth tokens: the one in question, and a run of neighbours to compare it with."""

FAR_BINS = BIN_TOKENS[500:520]
"""Depth tokens half the range away: how alike distant depth tokens are."""


@dataclass(frozen=True, eq=False)
class Seen:
    """An image, and what the model made of it.

    Args:
        image: What was shown.
        truth: (rows, cols) int32 index into the image's names, -1 where an image token is mixed.
        scores: By spacing, (1 + n, K) class scores: at the position before the image, and at the n image tokens.
        near: (n, 21) logits of `NEAR_BINS`.
        far: (n, 20) logits of `FAR_BINS`.
        named: By period, the classes that an answer named; empty where the image is not understood, and was not asked
            about.
    """

    image: LabelledImage
    truth: I32
    scores: Mapping[bool, F32]
    near: F32
    far: F32
    named: Mapping[bool, frozenset[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "truth", checked("truth", self.truth, (None, None), np.int32))

    def labels(self, shift: int, spacing: bool) -> I32:
        """Return (n - 1,) int32 labels of all image tokens but the last, which has no position behind it."""
        scores = self.scores[spacing]
        rows = scores[1 + shift : len(scores) - 1 + shift]
        return np.asarray(rows.argmax(axis=1), np.int32)

    def grid_scores(self, shift: int, spacing: bool) -> F32:
        """Return (K, rows, cols) class scores as `segment` would use them; `shift` is 0 or -1."""
        rows = self.scores[spacing][1 + shift : 1 + shift + self.truth.size]
        return np.ascontiguousarray(rows.T.reshape(-1, *self.truth.shape))

    def recall(self, shift: int, spacing: bool) -> float:
        """Return the share of image tokens that are labelled right, every class of the image counting the same."""
        truth, found = self.truth.ravel()[:-1], self.labels(shift, spacing)
        return float(np.mean([(found[truth == k] == k).mean() for k in np.unique(truth[truth >= 0])]))

    def border_hits(self, shift: int, spacing: bool) -> float:
        """Return the share labelled right of the image tokens beside a left or right border between two classes."""
        beside = _beside_border(self.truth).ravel()[:-1]
        truth, found = self.truth.ravel()[:-1], self.labels(shift, spacing)
        return float((found == truth)[beside].mean())

    @property
    def best_recall(self) -> float:
        """The highest `recall` under any reading."""
        return max(self.recall(shift, spacing) for shift in SHIFTS for spacing in SPACINGS)

    @property
    def is_understood(self) -> bool:
        """Whether the model sees what is in the image, read one way or another."""
        guessing = 1 / len(np.unique(self.truth[self.truth >= 0]))
        return self.best_recall >= guessing + UNDERSTOOD * (1 - guessing)


def look(model: Model, image: LabelledImage) -> Seen:
    """Show an image to the model, and ask which classes are there if it sees them.

    Raises:
        CapabilityError: The engine does not give the state before the image.
        ModelFileError: The vocabulary has no depth tokens.
    """
    vocabulary = model.engine.vocabulary
    near, far = (find_tokens(vocabulary, bins, "calibrating") for bins in (NEAR_BINS, FAR_BINS))
    with closing(model.open(image.rgb)) as scene:
        patches = scene.session().patches()
        seen = Seen(
            image,
            _token_labels(image),
            {spacing: _scores(patches, vocabulary, image.names, spacing) for spacing in SPACINGS},
            patches.logits(near).reshape(-1, len(near)),
            patches.logits(far).reshape(-1, len(far)),
        )
        if not seen.is_understood:
            return seen
        return replace(seen, named={period: _named(scene.session(), image.names, period) for period in PERIODS})


def _named(session: Session, names: tuple[str, ...], final_period: bool) -> frozenset[str]:
    question = ENGLISH.segment(names, background=False, final_period=final_period)
    return frozenset(parse_classes(collect(session.generate(question, ANSWER)).text).names)


def depth_answer(model: Model, image: LabelledImage) -> str:
    """Return what the model answers when it is asked to estimate the depth; the map is not part of it."""
    with closing(model.open(image.rgb)) as scene:
        return collect(scene.session().generate(ENGLISH.depth, ANSWER)).text


def _scores(patches: PatchStates, vocabulary: Vocabulary, names: tuple[str, ...], spacing: bool) -> F32:
    if patches.before is None:
        raise CapabilityError(
            "calibrating needs the state before the first image token, which this engine does not give. "
            'Use engine="native".'
        )
    flat = np.concatenate([patches.before[None], patches.hidden.reshape(-1, patches.hidden.shape[-1])])
    scores = class_scores(PatchStates(flat[None], patches.head), class_tokens(vocabulary, names, spacing))
    return np.ascontiguousarray(scores[:, 0].T)


def _token_labels(image: LabelledImage) -> I32:
    rows, cols = (side // TOKEN_PX for side in image.labels.shape)
    cells = image.labels.reshape(rows, TOKEN_PX, cols, TOKEN_PX)
    shares = np.stack([(cells == k).mean(axis=(1, 3)) for k in range(len(image.names))])
    return np.where(shares.max(axis=0) >= PURE, shares.argmax(axis=0), -1).astype(np.int32)


def _beside_border(truth: I32) -> Bits:
    """Return (rows, cols) whether a token and one beside it in its row belong to different classes."""
    differs = (truth[:, 1:] != truth[:, :-1]) & (truth[:, 1:] >= 0) & (truth[:, :-1] >= 0)
    beside = np.zeros(truth.shape, np.bool_)
    beside[:, 1:] |= differs
    beside[:, :-1] |= differs
    return beside
