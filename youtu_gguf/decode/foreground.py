"""From the scores of background and foreground to the pixels of a target.

Source: Youtu-VL report (arXiv 2601.19798), sections 2.2, A.1.5 and A.1.7 (facts: dense maps, 2 and 6).
"""

import numpy as np

from youtu_gguf.calibration.assumptions import DEFAULT, Calibration
from youtu_gguf.decode.dense import upsample_scores
from youtu_gguf.errors import InputError
from youtu_gguf.types import F32, Bits, Size


def foreground(scores: F32, size: Size, *, calibration: Calibration = DEFAULT) -> tuple[Bits, float]:
    """Return where the foreground outscores the background, and how clearly.

    Args:
        scores: Grid scores (2, rows, cols) of background and foreground, in this order, raw logits.
        size: Width and height of the result, in any frame that the grid spans.
        calibration: How grid values lie on the image.

    Returns:
        (H, W) bool, and the mean of sigmoid(foreground - background) over its pixels: above 0.5, or 0 where there are
        none. The score is our own: the report has none.

    Raises:
        InputError: `scores` is not a finite (2, rows, cols), or `size` is empty.
    """
    if len(scores) != 2:  # noqa: PLR2004
        raise InputError(f"scores must be (2, rows, cols): background, foreground; got {scores.shape}.")
    lead = _lead(scores, size, calibration)
    bits: Bits = lead > 0
    return bits, _score(lead, bits)


def foreground_score(scores: F32, bits: Bits, *, calibration: Calibration = DEFAULT) -> float:
    """Return how clearly pixels that were chosen in another way stand out: the score as `foreground` gives it.

    Args:
        scores: As there.
        bits: (H, W) bool, over what the grid spans.
        calibration: How grid values lie on the image.
    """
    return _score(_lead(scores, Size(bits.shape[1], bits.shape[0]), calibration), bits)


def _lead(scores: F32, size: Size, calibration: Calibration) -> F32:
    lead: F32 = upsample_scores(scores[1:] - scores[:1], size, calibration=calibration)[0]
    return lead


def _score(lead: F32, bits: Bits) -> float:
    return float(np.mean(1 / (1 + np.exp(-lead[bits])))) if bits.any() else 0.0
