"""From class scores to a label map whose borders follow the picture's edges."""

from itertools import compress
from typing import Literal

import numpy as np

from youtu_gguf.decode.calibration import Calibration
from youtu_gguf.decode.probabilities import ProbabilityMaps
from youtu_gguf.errors import InputError
from youtu_gguf.refine import crf
from youtu_gguf.refine.guided import EPSILON, GuidedFilter
from youtu_gguf.types import F32, I32, U8, Size

Refine = Literal["auto", "crf", "guided", "none"]
Method = Literal["crf", "guided"]

GUIDED_RADIUS = 0.75
"""Radius of the guided filter, in sides of an image token. Ours: on the drawn scenes of scripts/bench/refinement.py,
larger windows gain hardly more."""

CONTENDER = 0.01
"""Share of the best class's probability that a class must reach somewhere for the CRF to consider it. Ours: the CRF
takes time and memory for every class, and one that is nowhere near has nothing to gain."""

_STRIP_PIXELS = 1 << 20


def choose_method(
    refine: Refine, *, background: bool, measured: Method | Literal["none"] | None = None
) -> Method | Literal["none"]:
    """Return the refinement that `refine` asks for; "auto" is what was `measured` to be best, where anything was.

    The reference refines label maps without background only (facts: dense maps, 3 and 4): what is refined are
    probabilities over the classes, and with background there are none.

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
    size = Size(rgb.shape[1], rgb.shape[0])
    maps = ProbabilityMaps(scores, size, calibration=calibration)
    if method == "crf":
        return _labels_by_crf(maps, rgb)
    side = (size.width / scores.shape[2] + size.height / scores.shape[1]) / 2
    return labels_by_guided_filter(maps, rgb, max(1, round(GUIDED_RADIUS * side)))


def labels_by_guided_filter(maps: ProbabilityMaps, rgb: U8, radius: int, epsilon: float = EPSILON) -> I32:
    """Return the (H, W) int32 index of the class whose filtered probability is the highest; ties go to the earlier.

    Works in strips of rows, one class at a time: memory grows neither with the classes nor with the picture's height.
    """
    width, height = maps.size
    halo = GuidedFilter.reach(radius)
    n_rows = max(2 * halo, _STRIP_PIXELS // width)
    result = np.empty((height, width), np.int32)
    for start in range(0, height, n_rows):
        stop = min(start + n_rows, height)
        first, last = max(0, start - halo), min(height, stop + halo)
        smooth = GuidedFilter(rgb[first:last], radius, epsilon)
        inner = slice(start - first, stop - first)
        best = np.full((stop - start, width), -np.inf, np.float32)
        for index, probability in enumerate(maps.rows(first, last)):
            refined = smooth(probability)[inner]
            result[start:stop][refined > best] = index
            np.maximum(best, refined, out=best)
    return result


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
