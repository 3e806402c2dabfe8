"""From class scores to a label map whose borders follow the image's edges."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import compress
from typing import Any

import numpy as np
import numpy.typing as npt

from youtu_gguf import machine
from youtu_gguf.calibration.assumptions import Calibration
from youtu_gguf.decode.dense import ProbabilityMaps
from youtu_gguf.errors import InputError
from youtu_gguf.refine import crf
from youtu_gguf.refine.guided import EPSILON, GuidedFilter, limit_threads
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

_STRIPS_BYTES = 64 << 20
"""Most memory of the strips that are filtered at the same time, unless a single one takes more. Ours."""
_PIXEL_BYTES, _CLASS_BYTES = 24, 5
"""What a strip takes per pixel: colours, labels and their values; and per class and pixel of the reduced image."""
_PIECE_PIXELS = 1 << 16
"""Pixels of a class worked on at once: six maps of them stay in a cache of 2 MB, and OpenCV does not split them."""
_BLOCK = 8
"""Pixels of the reduced image a side of a block, for which it is decided which classes are considered. Our choice: at a
step of 4 it is as large as an image token."""


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
    strips of rows, one for each processor at a time: memory does not grow with the image's height.
    """
    height, width = rgb.shape[:2]
    step = step or max(1, radius // FIT_RADIUS)
    maps = ProbabilityMaps(scores, Size(width, height), calibration=calibration, step=step)
    reach, side = GuidedFilter.reach(radius, step), step * _BLOCK
    halo = -(-reach // side) * side
    n_cores = machine.usable_cores()
    limit_threads(n_cores)
    row_bytes = width * (_PIXEL_BYTES + len(scores) * _CLASS_BYTES // step**2)
    rows_at_once = max(4 * halo, _STRIPS_BYTES // row_bytes)
    n_threads = max(
        1, min(n_cores, rows_at_once // (4 * halo), height // (6 * halo))
    )  # what strips share costs a third at most
    n_rows = min(rows_at_once // n_threads - 2 * halo, -(-height // n_threads))
    n_rows = -(-n_rows // side) * side
    result = np.empty((height, width), np.int32)

    def label(start: int) -> None:
        stop = min(start + n_rows, height)
        first, last = max(0, start - halo), min(height, stop + halo)
        probabilities = maps.stack(first // step, -(-last // step))
        smooth = GuidedFilter(rgb[first:last], radius, epsilon, step)
        _label_strip(result[start:stop], probabilities, smooth, start - first, -(-reach // (2 * step)))

    with ThreadPoolExecutor(n_threads) as pool:
        list(pool.map(label, range(0, height, n_rows)))
    return result


def _label_strip(result: I32, probabilities: F32, smooth: GuidedFilter, above: int, reach: int) -> None:
    """Write the best class of every pixel of a strip, (n, W), which begins `above` rows down in what was filtered."""
    height, width = result.shape
    side = smooth.step * _BLOCK
    near = _in_the_running(probabilities, reach)[:, above // side :][:, : -(-height // side)]
    contested = near.sum(axis=0) > 1  # elsewhere no border is within reach
    small = np.min_scalar_type(len(probabilities) - 1)
    ids = _at_pixels(np.where(contested, 0, near.argmax(axis=0)).astype(small), side)[:height, :width]
    best = _at_pixels(np.where(contested, -np.inf, np.inf).astype(np.float32), side)[:height, :width]
    for index, blocks in enumerate(near & contested):
        for rows, columns in _rectangles(blocks, side, height, width):
            fit = smooth.fit(probabilities[index], slice(rows.start + above, rows.stop + above), columns)
            n_rows = max(1, _PIECE_PIXELS // ((columns.stop - columns.start) * smooth.step)) * smooth.step
            for start in range(rows.start, rows.stop, n_rows):
                stop = min(start + n_rows, rows.stop)
                refined = smooth.at(fit, slice(start + above, stop + above), columns)
                seen, highest = ids[start:stop, columns], best[start:stop, columns]
                better = refined > highest
                np.maximum(highest, refined, out=highest)
                # Classes come in rising order, so "take this one where it is better" is a maximum: no masked copy.
                np.maximum(seen, better.view(np.uint8) * small.type(index), out=seen)
    result[:] = ids


def _in_the_running(probabilities: F32, reach: int) -> Bits:
    """Return (K, h, w) blocks where each class reaches `CONTENDER` of the best one's probability within `reach`.

    Half the filter's reach is enough: what is farther away is in fewer than half of the windows around a pixel.
    """
    import cv2

    part = _BLOCK // 2
    here = _any_in_squares(probabilities >= CONTENDER * probabilities.max(axis=0), part)
    window = np.ones((2 * -(-reach // part) + 1,) * 2, np.uint8)
    return _any_in_squares(np.array([cv2.dilate(bits, window) for bits in here.view(np.uint8)], np.bool_), 2)


def _any_in_squares(bits: Bits, side: int) -> Bits:
    """Return (K, h, w) whether any of (K, H, W) is True in each square; the last ones may be incomplete."""
    for axis in (1, 2):
        bits = np.logical_or.reduceat(bits, np.arange(0, bits.shape[axis], side), axis=axis)
    return bits


def _at_pixels(blocks: npt.NDArray[Any], side: int) -> npt.NDArray[Any]:
    """Return blocks as squares of `side` pixels."""
    return blocks.repeat(side, axis=0).repeat(side, axis=1)


def _rectangles(blocks: Bits, side: int, height: int, width: int) -> Iterator[tuple[slice, slice]]:
    """Yield rows and columns of pixels of rectangles around the connected parts of `blocks`."""
    import cv2

    _, _, stats, _ = cv2.connectedComponentsWithStats(blocks.view(np.uint8))
    for x, y, w, h, _ in (stats[1:] * side).tolist():
        yield slice(y, min(y + h, height)), slice(x, min(x + w, width))


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
