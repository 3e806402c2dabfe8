"""The question how borders between classes are best pulled to the edges of the picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from youtu_gguf.calibration.assumptions import Calibration
from youtu_gguf.calibration.observe import Seen
from youtu_gguf.calibration.questions import reason_of
from youtu_gguf.calibration.report import Finding
from youtu_gguf.calibration.sign_test import Evidence, sign_test
from youtu_gguf.decode.dense import label_map
from youtu_gguf.errors import CapabilityError
from youtu_gguf.refine import crf
from youtu_gguf.refine.labels import refined_labels
from youtu_gguf.types import I32, Refinement

IOU_MARGIN = 0.01
"""Lead in mean IoU that makes a vote: what refinement gains on photographs is of the order of a hundredth or two, and
drawn edges flatter it."""


def find_refine(seen: Sequence[Seen], calibration: Calibration) -> Finding:
    """Find the refinement that brings label maps nearest to the drawn outlines.

    Decided only where the CRF could be tried: it is what the reference uses, and nothing beats it unseen.

    Args:
        seen: Pictures; those without outlines to the pixel are passed over.
        calibration: What was found out about the scores.
    """
    missing = _missing_crf()
    ways: tuple[Refinement, ...] = ("none", "guided") if missing else ("none", "guided", "crf")
    drawn = [one for one in seen if one.picture.outlines]
    evidence = tuple(
        Evidence(one.picture.name, tuple(_mean_iou(one, way, calibration) for way in ways), one.is_understood)
        for one in drawn
    )
    test = sign_test(evidence, IOU_MARGIN)
    answer = ways[test.best] if test.best is not None and test.is_decided and not missing else None
    reason = reason_of(test, len(drawn), ways)
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
        found = label_map(scores, one.picture.size, calibration=calibration)
    else:
        found = refined_labels(scores, one.picture.rgb, way, calibration=calibration)
    truth = one.picture.labels
    both = [(found == k, truth == k) for k in np.unique(truth)]
    return float(np.mean([(a & b).sum() / (a | b).sum() for a, b in both]))
