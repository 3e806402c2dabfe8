"""From class scores to a label map whose borders follow the image's edges."""

from itertools import compress

import numpy as np

from youtu_gguf.calibration.assumptions import Calibration
from youtu_gguf.decode.dense import ProbabilityMaps
from youtu_gguf.errors import InputError
from youtu_gguf.refine import crf
from youtu_gguf.refine.guided import EPSILON, Fit, GuidedFilter
from youtu_gguf.types import F32, I32, U8, Bits, Method, Refine, Refinement, Size

GUIDED_RADIUS = 0.75
"""Radius of the guided filter, in sides of an image token. Our choice: on the images of scripts/bench/refine.py
--settings, larger windows gain hardly more."""

FIT_RADIUS = 6
"""Least radius of the filter's windows on the reduced image. Our choice: on drawn scenes, labels are as good as at full
size, and the filter takes a fraction of the time."""

CONTENDER = 0.01
"""Share of the best class's probability that a class must reach to be considered: somewhere by the CRF, within reach by
the guided filter. Our choice: both take time for every class, and one far below cannot win."""

_STRIP_PIXELS = 1 << 20
_BLOCK = 32
"""Pixels of the reduced image a side of a block: at a step of 4, its maps stay in a cache of 1 MB."""


def choose_method(refine: Refine, *, background: bool, measured: Refinement | None = None) -> Refinement:
    """Return the refinement that `refine` asks for; "auto" takes what was `measured` to be best, if anything was.

    The reference refines label maps without background only (facts: dense maps, 3 and 4): it refines
    probabilities over the classes, which do not exist with background.

    Raises:
        InputError: A refinement was named for a label map with background.
        CapabilityError: The CRF was named and is not installed, or is installed and cannot be imported.
    """
    if background:
        if refine in ("crf", "guided"):
            raise InputError(
                f"a label map with background is not refined; got refine={refine!r}. Leave one of the two out."
            )
        return "none"
    if refine == "auto" and measured is not None and (measured != "crf" or crf.installed()):
        refine = measured
    if refine == "auto":
        refine = "crf" if crf.installed() else "guided"
    if refine == "crf":
        crf.library()
    return refine


def refined_labels(scores: F32, rgb: U8, method: Method, *, calibration: Calibration) -> I32:
    """Return the (H, W) int32 index of the best class per pixel of `rgb`, after refinement by `method`.

    Args:
        scores: Grid scores (K, rows, cols), raw logits.
        rgb: (H, W, 3) uint8, the image that the grid spans.
        method: How to refine.
        calibration: How grid values lie on the image.

    Raises:
        CapabilityError: The CRF is not installed.
        EngineError: The CRF would need more memory than is free.
    """
    height, width = rgb.shape[:2]
    if method == "crf":
        return _labels_by_crf(ProbabilityMaps(scores, Size(width, height), calibration=calibration), rgb)
    side = (width / scores.shape[2] + height / scores.shape[1]) / 2
    return labels_by_guided_filter(scores, rgb, max(1, round(GUIDED_RADIUS * side)), calibration=calibration)


def labels_by_guided_filter(
    scores: F32,
    rgb: U8,
    radius: int,
    epsilon: float = EPSILON,
    step: int | None = None,
    *,
    calibration: Calibration,
) -> I32:
    """Return the (H, W) int32 index of the class whose filtered probability is the highest; ties go to the earlier.

    Functions of the colour are fitted on an image reduced by `step`, by default until windows have `FIT_RADIUS`. They
    are applied to the image in blocks, those of a class only where it is in the running within their reach. Works in
    strips of rows: memory does not grow with the image's height.
    """
    height, width = rgb.shape[:2]
    step = step or max(1, radius // FIT_RADIUS)
    maps = ProbabilityMaps(scores, Size(width, height), calibration=calibration, step=step)
    halo, side = GuidedFilter.reach(radius, step), step * _BLOCK
    n_rows = -(-max(2 * halo, _STRIP_PIXELS // width) // side) * side
    result = np.empty((height, width), np.int32)
    for start in range(0, height, n_rows):
        stop = min(start + n_rows, height)
        first, last = max(0, start - halo), min(height, stop + halo)
        probabilities = np.stack(list(maps.rows(first // step, -(-last // step))))
        smooth = GuidedFilter(rgb[first:last], radius, epsilon, step)
        _label_strip(result[start:stop], probabilities, smooth, start - first, halo)
    return result


def _label_strip(result: I32, probabilities: F32, smooth: GuidedFilter, above: int, halo: int) -> None:
    """Write the best class of every pixel of a strip, (n, W), which begins `above` rows down in what was filtered."""
    height, width = result.shape
    side = smooth.step * _BLOCK
    corners = [(y, x) for y in range(0, height, side) for x in range(0, width, side)]
    near = _in_the_running(probabilities, halo // smooth.step)
    blocks = near[:, above // smooth.step :]
    small = [(y // smooth.step, x // smooth.step) for y, x in corners]
    there = np.array([blocks[:, y : y + _BLOCK, x : x + _BLOCK].any(axis=(1, 2)) for y, x in small])
    best = np.full(result.shape, -np.inf, np.float32)
    for index, probability in enumerate(probabilities):
        fit: Fit | None = None
        for (y, x), classes in zip(corners, there, strict=True):
            rows, columns = slice(y, min(y + side, height)), slice(x, min(x + side, width))
            if not classes[index]:
                continue
            if classes.sum() == 1:  # no border within reach
                result[rows, columns] = index
                continue
            fit = fit or smooth.fit(probability)
            refined = smooth.at(fit, slice(rows.start + above, rows.stop + above), columns)
            result[rows, columns][refined > best[rows, columns]] = index
            np.maximum(best[rows, columns], refined, out=best[rows, columns])


def _in_the_running(probabilities: F32, reach: int) -> Bits:
    """Return (K, h, w) where each class reaches `CONTENDER` of the best one's probability within `reach` pixels."""
    import cv2

    least = CONTENDER * probabilities.max(axis=0)
    window = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    near = np.stack([cv2.dilate((p >= least).view(np.uint8), window) for p in probabilities])
    return np.asarray(near, np.bool_)


def _labels_by_crf(maps: ProbabilityMaps, rgb: U8) -> I32:
    height = maps.size.height
    best = np.zeros(rgb.shape[:2], np.float32)
    for probability in maps.rows(0, height):
        np.maximum(best, probability, out=best)
    contends = np.array([(p >= CONTENDER * best).any() for p in maps.rows(0, height)])
    indices = np.flatnonzero(contends).astype(np.int32)
    crf.check_memory(len(indices), rgb.shape[0] * rgb.shape[1])
    probabilities = np.empty((len(indices), *rgb.shape[:2]), np.float32)
    for slot, probability in zip(probabilities, compress(maps.rows(0, height), contends), strict=True):
        slot[:] = probability
    labels: I32 = indices[crf.refine_by_crf(probabilities, rgb).argmax(axis=0)]
    return labels
