"""From the states of image tokens to maps: a class per pixel, its margin, probabilities, foreground. No refinement.

Source: Youtu-VL report (arXiv 2601.19798), sections 2.2, A.1.5 and A.1.7 (facts: dense maps, 1-4 and 6).
"""

from collections.abc import Iterator, Sequence

import numpy as np

from youtu_gguf.calibration.assumptions import DEFAULT, Calibration
from youtu_gguf.decode.cells import STRIP_PIXELS, best_of_cells, best_two_of_cells
from youtu_gguf.decode.resample import (
    Taps,
    axis_taps,
    blend,
    check_maps,
    check_size,
    stretch_columns,
    strips,
    upsample,
)
from youtu_gguf.engines.base import PatchStates
from youtu_gguf.errors import InputError
from youtu_gguf.facts import CLASS_TEMPERATURE
from youtu_gguf.types import F32, I32, Bits, Size


def class_scores(patches: PatchStates, classes: Sequence[Sequence[int]]) -> F32:
    """Score every class at every image token: the mean of the raw logits of the tokens of its name.

    Args:
        patches: States of the image tokens.
        classes: Token ids per class, each non-empty; an id that comes twice counts twice.

    Returns:
        (K, rows, cols) float32 raw logits; higher is likelier, not normalised.

    Raises:
        InputError: There are no classes, or a class has no tokens.

    Source: Youtu-VL report (arXiv 2601.19798), section 2.2 (facts: dense maps, 1).
    """
    if not classes:
        raise InputError("expected at least one class; got none. Name the classes to score.")
    empty = [index for index, ids in enumerate(classes) if not len(ids)]
    if empty:
        raise InputError(f"every class needs at least one token; classes {empty} (counted from 0) have none.")
    union = sorted({token for ids in classes for token in ids})
    column = {token: index for index, token in enumerate(union)}
    mean = np.zeros((len(classes), len(union)), np.float32)
    for index, ids in enumerate(classes):
        for token in ids:
            mean[index, column[token]] += 1 / len(ids)
    flat = patches.hidden.reshape(-1, patches.hidden.shape[-1])
    scores = flat @ (mean @ patches.head.rows(union)).T  # the mean of logits is the logit of the mean row
    return np.ascontiguousarray(scores.T).reshape(len(classes), *patches.grid)


def upsample_scores(scores: F32, size: Size, *, calibration: Calibration = DEFAULT) -> F32:
    """Return (K, H, W) float32 from grid scores (K, rows, cols), bilinear.

    Raises:
        InputError: `scores` is not a finite (K, rows, cols), or `size` is empty.
    """
    check_maps("scores", scores)
    check_size(size)
    return upsample(scores, size, align_corners=calibration.align_corners)


def label_map(scores: F32, size: Size, *, background: bool = False, calibration: Calibration = DEFAULT) -> I32:
    """Return the (H, W) int32 index of the best class per pixel; equal scores go to the earlier class.

    Probabilities over the classes, or sigmoids with a background, are upsampled bilinearly and compared; or else the
    scores are, as the calibration says. The full (K, H, W) never exists: in addition to the result it takes
    K x rows x W values.

    Args:
        scores: Grid scores (K, rows, cols), raw logits.
        size: Width and height of the result, in any frame that the grid spans.
        background: Give -1 to pixels where no class reaches the constant background channel; a class that equals
            it wins.
        calibration: Where scores become probabilities, and how grid values lie on the image.

    Raises:
        InputError: `scores` is not a finite (K, rows, cols), or `size` is empty.

    Source: Youtu-VL report (arXiv 2601.19798), sections 2.2, A.1.5 and A.1.7, and for the order of steps a port of the
    authors' decoder (facts: dense maps, 2 to 4).
    """
    check_maps("scores", scores)
    check_size(size)
    values = _upsampled_values(scores, calibration, background=background)
    result = np.empty((size.height, size.width), np.int32)
    for rows, ids in best_of_cells(values, size, align_corners=calibration.align_corners):
        result[rows] = ids
    if background:
        result[result == len(scores)] = -1
    return result


def label_margin(scores: F32, size: Size, *, background: bool = False, calibration: Calibration = DEFAULT) -> F32:
    """Return how clear each pixel's class is: (H, W) float32, what `label_map` compares there, best minus second best.

    Without background that is the lead in the softmax at temperature 0.2, 0..1; a single class has margin 1. With
    background it is the lead among the sigmoids of the classes and the constant 0.5, 0..0.5: how far the best class is
    above the background channel or the next class, or, where the background wins, below it.
    Takes K x rows x W values in addition to the result, as `label_map` does.

    Args:
        scores: Grid scores (K, rows, cols), raw logits.
        size: Width and height of the result, in any frame that the grid spans.
        background: Whether a pixel may belong to no class.
        calibration: Where scores become probabilities, and how grid values lie on the image.

    Raises:
        InputError: `scores` is not a finite (K, rows, cols), or `size` is empty.
    """
    check_maps("scores", scores)
    check_size(size)
    result = np.ones((size.height, size.width), np.float32)
    if len(scores) == 1 and not background:
        return result
    corners = calibration.align_corners
    if calibration.normalise == "pixels" and not background:
        wide = stretch_columns(scores, size.width, align_corners=corners)
        taps = axis_taps(scores.shape[1], size.height, align_corners=corners)
        for strip in strips(taps, max(1, STRIP_PIXELS // size.width)):
            rows = slice(strip.start, strip.stop)
            result[rows] = _probability_lead(wide[:, strip.low], wide[:, strip.high], taps.weight[rows, None])
        return result
    values = _upsampled_values(scores, calibration, background=background)
    for rows, best, second in best_two_of_cells(values, size, align_corners=corners):
        if calibration.normalise == "pixels":
            result[rows] = _above_half(best, calibration) - _above_half(second, calibration)
        else:
            np.subtract(best, second, out=result[rows])
    return result


def _upsampled_values(scores: F32, calibration: Calibration, *, background: bool) -> F32:
    """Return the (K, rows, cols) values to upsample and compare; those of the background, if any, come last.

    The background's constant 0.5 is 0 here. For scores too: the sigmoid rises steadily and is 0.5 at 0, so the order of
    the classes is that of their scores. As the last it loses where it is equal.
    """
    pixels = calibration.normalise == "pixels"
    if not background:
        return scores if pixels else _softmax(scores)
    values = scores if pixels else _above_half(scores, calibration)
    return np.concatenate([values, np.zeros_like(values[:1])])


def _above_half(scores: F32, calibration: Calibration) -> F32:
    """Return by how much the sigmoids of scores are above the background's 0.5."""
    # sigmoid(x / d) = (1 + tanh(x / 2d)) / 2, which cannot overflow.
    above: F32 = np.tanh(scores * np.float32(0.5 / calibration.sigmoid_divisor)) * np.float32(0.5)
    return above


def _softmax(scores: F32) -> F32:
    """Return the softmax over the classes at temperature 0.2, same shape."""
    raised: F32 = np.exp((scores - scores.max(axis=0)) / np.float32(CLASS_TEMPERATURE))
    raised /= raised.sum(axis=0)
    return raised


def _probability_lead(low: F32, high: F32, weight: F32) -> F32:
    """Return (n, W) the lead among the probabilities of (K, W) scores between two grid rows."""
    best = np.full((len(weight), low.shape[1]), -np.inf, np.float32)
    second, total = best.copy(), np.zeros_like(best)
    for bottom, top in zip(low, high, strict=True):
        score = bottom + (top - bottom) * weight
        np.maximum(second, np.minimum(best, score), out=second)
        np.maximum(best, score, out=best)
    for bottom, top in zip(low, high, strict=True):
        total += np.exp((bottom + (top - bottom) * weight - best) / np.float32(CLASS_TEMPERATURE))
    lead: F32 = (1 - np.exp((second - best) / np.float32(CLASS_TEMPERATURE))) / total
    return lead


class ProbabilityMaps:
    """The softmax at temperature 0.2 of class scores at every pixel, upsampled bilinearly before it or after it.

    Args:
        scores: Grid scores (K, rows, cols), raw logits.
        size: Width and height of the maps, in any frame that the grid spans.
        calibration: Where scores become probabilities, and how grid values lie on the image.
        step: Take only the middles of squares of so many pixels, the incomplete ones at the right and bottom included;
            rows and maps are then counted in squares.

    Raises:
        InputError: `scores` is not a finite (K, rows, cols), or `size` is empty.
    """

    def __init__(self, scores: F32, size: Size, *, calibration: Calibration = DEFAULT, step: int = 1) -> None:
        check_maps("scores", scores)
        check_size(size)
        self.size = size
        self.n_classes, n_rows, _ = scores.shape
        self._ready, corners = calibration.normalise == "grid", calibration.align_corners
        values = _softmax(scores) if self._ready else scores / np.float32(CLASS_TEMPERATURE)
        self._wide = stretch_columns(values, size.width, align_corners=corners, step=step)
        self._taps = axis_taps(n_rows, size.height, align_corners=corners, step=step)

    def stack(self, start: int, stop: int) -> F32:
        """Return (K, stop - start, W) float32 maps of all classes."""
        low, high, weight = self._taps
        maps = blend(self._wide, Taps(low[start:stop], high[start:stop], weight[start:stop]))
        if not self._ready:
            maps -= maps.max(axis=0)
            np.exp(maps, out=maps)
            maps /= maps.sum(axis=0)
        return maps

    def rows(self, start: int, stop: int) -> Iterator[F32]:
        """Yield a (stop - start, W) float32 map per class, in order; there is never more than one at a time."""
        low, high, weight = self._taps
        taps = Taps(low[start:stop], high[start:stop], weight[start:stop])
        if self._ready:
            for wide in self._wide:
                yield blend(wide, taps)
            return
        best = blend(self._wide[0], taps)
        for wide in self._wide[1:]:
            np.maximum(best, blend(wide, taps), out=best)
        total = np.zeros_like(best)
        for wide in self._wide:
            total += np.exp(blend(wide, taps) - best)
        for wide in self._wide:
            yield np.exp(blend(wide, taps) - best) / total


def foreground(scores: F32, size: Size, *, calibration: Calibration = DEFAULT) -> tuple[Bits, float]:
    """Return where the foreground outscores the background, and how clearly.

    Args:
        scores: Grid scores (2, rows, cols) of background and foreground, in this order, raw logits.
        size: Width and height of the result, in any frame that the grid spans.
        calibration: Where scores become probabilities, and how grid values lie on the image.

    Returns:
        (H, W) bool, and their score: the mean over them of sigmoid(foreground - background), upsampled before the
        sigmoid or after it; 0 where there are none. The score is our own: the report has none.

    Raises:
        InputError: `scores` is not a finite (2, rows, cols), or `size` is empty.
    """
    if len(scores) != 2:  # noqa: PLR2004
        raise InputError(f"scores must be (2, rows, cols): background, foreground; got {scores.shape}.")
    bits: Bits = label_map(scores, size, calibration=calibration) == 1
    return bits, foreground_score(scores, bits, calibration=calibration)


def foreground_score(scores: F32, bits: Bits, *, calibration: Calibration = DEFAULT) -> float:
    """Return how clearly pixels that were chosen in another way stand out: the score as `foreground` gives it.

    Args:
        scores: As there.
        bits: (H, W) bool, over what the grid spans.
        calibration: As there.
    """
    if not bits.any():
        return 0.0
    lead, size = scores[1:] - scores[:1], Size(bits.shape[1], bits.shape[0])
    if calibration.normalise == "grid":
        return float(upsample_scores(_sigmoid(lead), size, calibration=calibration)[0][bits].mean())
    return float(_sigmoid(upsample_scores(lead, size, calibration=calibration)[0][bits]).mean())


def _sigmoid(values: F32) -> F32:
    result: F32 = (1 + np.tanh(values * np.float32(0.5))) * np.float32(0.5)
    return result
