"""The questions of a calibration: which hypothesis does the evidence support?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import cv2
import numpy as np

from youtu_gguf.calibration.assumptions import DEFAULT, Calibration
from youtu_gguf.calibration.observe import PERIODS, SHIFTS, SPACINGS, Seen
from youtu_gguf.calibration.report import Finding
from youtu_gguf.calibration.sign_test import MAX_P_VALUE, Evidence, SignTest, sign_test
from youtu_gguf.decode.dense import label_map
from youtu_gguf.errors import CapabilityError
from youtu_gguf.facts import TOKEN_PX
from youtu_gguf.refine import crf
from youtu_gguf.refine.labels import refined_labels
from youtu_gguf.types import F32, I32, Normalise, Refinement

if TYPE_CHECKING:
    from youtu_gguf.engines.base import Vocabulary

BORDER_MARGIN = 0.1
"""Lead of a shift at left and right borders that makes a vote: an error of one token costs half of them."""

BORDER_HITS = 0.75
"""Share right at borders that the best shift must reach: halfway from being one position off (one half) to faultless.
If the truth were further off than what is tried, the nearest hypothesis would lead and must not win."""

RECALL_MARGIN = 0.05
"""Lead in `Seen.recall` that makes a vote for a spacing: about four image tokens of eighty."""

CONTINUES_MARGIN = 0.2
"""Lead that makes a vote on the first bin: it is at least 0.6 as near to its neighbour as depth tokens are to theirs,
or at most 0.4. On nano the first one comes to 0.95 or more, and two dozen other tokens in its place stay below 0.15."""

NEIGHBOURS, NEIGHBOURS_LEAD = 0.5, 0.3
"""Correlation of neighbouring depth tokens over an image, and its lead over that of tokens half the range away, below
which depth tokens carry no information there; random weights give both near 0."""

IOU_MARGIN = 0.01
"""Lead in mean IoU that makes a vote: what refinement gains on photographs is of the order of a hundredth or two, and
drawn edges flatter it."""

NEAR_MARGIN = 0.003
"""Lead in the share right near borders that makes a vote for an order of steps. It moves borders by a few pixels, and
not at all where they lie midway between two tokens, as half of the drawn ones do; nano's lead is 0.004 to 0.03."""

NAMED_MARGIN, NAMED = 0.1, 0.5
"""Lead in F1 over the classes named that makes a vote, about one name of four, and the F1 below which an answer under
either wording tells nothing."""

_MOST_ALIKE = 0.9999  # beyond, rounding decides

_SHIFT_WORDS = ("its own", "the one before", "the one after")
_SPACING_WORDS = ("no space", "a space")
_BASE_WORDS = ("bin 1", "bin 0")
_ORDERS: tuple[Normalise, ...] = ("grid", "pixels")
_ORDER_WORDS = ("image tokens", "pixels")
_PERIOD_WORDS = ("no period", "a period")


def best_reading(seen: Sequence[Seen]) -> tuple[int, bool]:
    """Return the shift and the spacing under which most is labelled right, over the images that are understood.

    Each of the two questions is asked with the other's best answer.
    """
    understood = [one for one in seen if one.is_understood]
    if not understood:
        return DEFAULT.position_shift, DEFAULT.leading_space
    readings = [(shift, spacing) for shift in SHIFTS for spacing in SPACINGS]
    return max(readings, key=lambda reading: float(np.mean([one.recall(*reading) for one in understood])))


def find_position_shift(seen: Sequence[Seen]) -> Finding:
    """Find which position's state describes an image token."""
    _, spacing = best_reading(seen)
    evidence = tuple(
        Evidence(one.image.name, tuple(one.border_hits(shift, spacing) for shift in SHIFTS), one.is_understood)
        for one in seen
    )
    test = sign_test(evidence, BORDER_MARGIN)
    best = None if test.best is None else SHIFTS[test.best]
    answer = best if test.is_decided else None
    reason = _reason(test, len(seen), _SHIFT_WORDS)
    if answer == 1:
        answer, reason = (
            None,
            "the state one position later fits best, which no known way of reading the model explains",
        )
    elif answer is not None and max(test.means) < BORDER_HITS:
        reason = f"{answer} leads, but is right at only {max(test.means):.0%} of borders; {BORDER_HITS:.0%} are wanted"
        answer = None
    figure = "share right of the image tokens at left and right borders, by the position whose state is read"
    return Finding("position_shift", figure, SHIFTS, _SHIFT_WORDS, evidence, test, answer, reason)


def find_leading_space(seen: Sequence[Seen], vocabulary: Vocabulary) -> Finding:
    """Find whether class names want a space before them."""
    shift, _ = best_reading(seen)
    evidence = tuple(
        Evidence(one.image.name, tuple(one.recall(shift, spacing) for spacing in SPACINGS), one.is_understood)
        for one in seen
    )
    test = sign_test(evidence, RECALL_MARGIN)
    best = None if test.best is None else SPACINGS[test.best]
    answer = best if test.is_decided else None
    reason = _reason(test, len(seen), _SPACING_WORDS)
    names = {name for one in seen for name in one.image.names}
    if all(vocabulary.tokenize(name) == vocabulary.tokenize(f" {name}") for name in names):
        answer, reason = None, "this vocabulary has the same tokens either way, so it makes no difference"
    elif answer is None and test.best is not None and min(test.means) >= max(test.means) - RECALL_MARGIN:
        reason += ". Either way about as much is right, so it hardly matters"
    figure = "share right of the image tokens, every class counting alike, by what stands before the names"
    return Finding("leading_space", figure, SPACINGS, _SPACING_WORDS, evidence, test, answer, reason)


def find_bin_base(seen: Sequence[Seen]) -> Finding:
    """Find whether the first depth token is the first distance (1), or stands apart from the distances (0)."""
    evidence = tuple(_bin_evidence(one) for one in seen)
    test = sign_test(evidence, CONTINUES_MARGIN)
    hypotheses = (1, 0)
    answer = hypotheses[test.best] if test.best is not None and test.is_decided else None
    reason = _reason(test, len(seen), _BASE_WORDS, "depth tokens go with their neighbours")
    figure = "how closely <custom_1> goes with <custom_2>: 1 as the next twenty with each other, 0 as with far ones"
    return Finding("bin_base", figure, hypotheses, _BASE_WORDS, evidence, test, answer, reason)


def _bin_evidence(one: Seen) -> Evidence:
    """Place the correlation of the first two depth tokens between that of far ones (0) and of the next pairs (1).

    Correlations are compared on Fisher's scale, on which 0.99 is as far from 0.9 as 0.9 from 0.4.
    """
    pairs = np.diagonal(_correlations(one.near, one.near), 1)
    neighbours = float(np.median(pairs[1:]))
    apart = float(np.median(_correlations(one.near[:, 1:], one.far)))
    understood = neighbours >= NEIGHBOURS and neighbours - apart >= NEIGHBOURS_LEAD
    low, first, high = np.arctanh(np.clip((apart, pairs[0], neighbours), -_MOST_ALIKE, _MOST_ALIKE))
    continues = float(np.clip((first - low) / (high - low), 0, 1)) if understood else 0.5
    return Evidence(one.image.name, (continues, 1 - continues), understood)


def _correlations(left: F32, right: F32) -> F32:
    """Return the correlation of every column of (n, a) with every one of (n, b), over the rows; a constant has 0."""
    units = []
    for values in (left, right):
        centred = values - values.mean(axis=0)
        length = np.linalg.norm(centred, axis=0)
        units.append(centred / np.where(length > 0, length, 1))
    result: F32 = units[0].T @ units[1]
    return result


def _reason(test: SignTest, n_images: int, words: Sequence[str], condition: str = "the layout is seen") -> str:
    """Return the result of the vote, in a sentence without its full stop; `words` name the hypotheses."""
    if test.best is None:
        return f"on none of {n_images} images {condition}: no conclusion"
    votes = f"on {test.n_ahead} of those '{words[test.best]}' is clearly ahead"
    if test.is_decided:
        chance = f"chance alone would do so once in {round(1 / test.p_value):,} times"
    else:
        chance = (
            f"chance alone would do so in {test.p_value:.0%} of all cases; at most {MAX_P_VALUE:.0%} counts as proof"
        )
    return f"on {test.n_images} of {n_images} images {condition}, and {votes} ({chance})"


def find_normalise(seen: Sequence[Seen], calibration: Calibration) -> Finding:
    """Find where scores are to become probabilities: which way brings label maps nearest to the drawn outlines.

    Maps are not refined here. Without background: in the order with one, the model's zero point would count too.

    Args:
        seen: Images; those without exact outlines are skipped.
        calibration: What was measured about the scores.
    """
    drawn = [one for one in seen if one.image.outlines]
    ways = [replace(calibration, normalise=order) for order in _ORDERS]
    evidence = tuple(
        Evidence(one.image.name, tuple(_right_near_borders(one, way) for way in ways), one.is_understood)
        for one in drawn
    )
    test = sign_test(evidence, NEAR_MARGIN)
    answer = _ORDERS[test.best] if test.best is not None and test.is_decided else None
    reason = _reason(test, len(drawn), _ORDER_WORDS)
    figure = "share right of the pixels within half an image token of a border, by where scores become probabilities"
    return Finding("normalise", figure, _ORDERS, _ORDER_WORDS, evidence, test, answer, reason)


def _right_near_borders(one: Seen, calibration: Calibration) -> float:
    scores = one.grid_scores(calibration.position_shift, calibration.leading_space)
    truth = one.image.labels
    window = np.ones((TOKEN_PX + 1, TOKEN_PX + 1), np.uint8)
    planes = truth.astype(np.float32)
    near = cv2.dilate(planes, window) != cv2.erode(planes, window)
    return float((label_map(scores, one.image.size, calibration=calibration) == truth)[near].mean())


def find_final_period(seen: Sequence[Seen]) -> Finding:
    """Find whether a period after the last class helps the model to name those that are there."""
    evidence = tuple(_named_evidence(one) for one in seen)
    test = sign_test(evidence, NAMED_MARGIN)
    answer = PERIODS[test.best] if test.best is not None and test.is_decided else None
    reason = _reason(test, len(seen), _PERIOD_WORDS, "the classes are named")
    if answer is None and test.best is not None and min(test.means) >= max(test.means) - NAMED_MARGIN:
        reason += ". Either way about as much is right, so it hardly matters"
    figure = "F1 of the classes that the model names in its answer, by what follows the last of those asked for"
    return Finding("final_period", figure, PERIODS, _PERIOD_WORDS, evidence, test, answer, reason)


def _named_evidence(one: Seen) -> Evidence:
    there = {one.image.names[k] for k in np.unique(one.image.labels) if k >= 0}
    named = [one.named.get(period, frozenset()) for period in PERIODS]
    scores = tuple(2 * len(there & names) / (len(there) + len(names)) for names in named)
    return Evidence(one.image.name, scores, max(scores) >= NAMED)


def find_refine(seen: Sequence[Seen], calibration: Calibration) -> Finding:
    """Find the refinement that brings label maps nearest to the drawn outlines.

    Decided only where the CRF could be tried: it is what the reference uses, and nothing beats it unseen.

    Args:
        seen: Images; those without exact outlines are skipped.
        calibration: What was measured about the scores.
    """
    missing = _missing_crf()
    ways: tuple[Refinement, ...] = ("none", "guided") if missing else ("none", "guided", "crf")
    drawn = [one for one in seen if one.image.outlines]
    evidence = tuple(
        Evidence(one.image.name, tuple(_mean_iou(one, way, calibration) for way in ways), one.is_understood)
        for one in drawn
    )
    test = sign_test(evidence, IOU_MARGIN)
    answer = ways[test.best] if test.best is not None and test.is_decided and not missing else None
    reason = _reason(test, len(drawn), ways)
    if missing:
        reason = f"the CRF could not be tried: {missing}. Of the others: {reason}"
    figure = "mean IoU of the label map with what was drawn, by refinement"
    return Finding("refine", figure, ways, ways, evidence, test, answer, reason)


def _missing_crf() -> str:
    if not crf.installed():
        return "pydensecrf2 (extra crf) is not installed"
    try:
        crf.library()
    except CapabilityError as exc:
        return str(exc).rstrip(".")
    return ""


def _mean_iou(one: Seen, way: Refinement, calibration: Calibration) -> float:
    scores = one.grid_scores(calibration.position_shift, calibration.leading_space)
    found: I32
    if way == "none":
        found = label_map(scores, one.image.size, calibration=calibration)
    else:
        found = refined_labels(scores, one.image.rgb, way, calibration=calibration)
    truth = one.image.labels
    both = [(found == k, truth == k) for k in np.unique(truth)]
    return float(np.mean([(a & b).sum() / (a | b).sum() for a, b in both]))
