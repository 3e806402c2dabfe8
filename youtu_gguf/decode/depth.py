"""From the logits of the depth tokens to a distance per pixel, and the range that an answer about depth states.

Argmax over `<custom_1>`..`<custom_1000>` after upsampling the logits x2, then the bins resized to full size; bin 0 is
invalid. Source: Youtu-VL report (arXiv 2601.19798), sections 2.2, A.1.5 and A.1.7 (facts: dense maps, 5).
"""

import math
import re

import numpy as np
import numpy.typing as npt

from youtu_gguf.arguments import short_repr
from youtu_gguf.calibration.assumptions import DEFAULT, Calibration
from youtu_gguf.decode.resample import axis_taps, blend, check_maps, check_size, upsample
from youtu_gguf.errors import InputError
from youtu_gguf.facts import DEPTH_SCALES, N_BINS, TOKEN_PX, DepthScale
from youtu_gguf.images.exif import DIAGONAL_35MM
from youtu_gguf.types import F32, I32, Bits, DepthUnit, Size

ASSUMED_MM = 26.0
"""Equivalent for 35 mm film of a focal length that is assumed: that of most telephones' main camera."""

MAX_FOCAL_PX = 1e6
"""Beyond any lens; far beyond, distances would overflow."""

_STATED = re.compile(
    r"(?P<log>log[- ]?)?(?:uniform|linear)(?:ly)? quanti(?:fi|[sz])ed (?:in)?to 1 ?- ?1000 "
    r"from (?P<near>[0-9]{1,4}(?:\.[0-9]{1,4})?) ?m? ?- ?(?P<far>[0-9]{1,4}(?:\.[0-9]{1,4})?) ?m\b"
    r"(?: at (?:a )?focal length (?:of )?(?P<focal>[0-9]{1,5}(?:\.[0-9]{1,4})?))?",
    re.IGNORECASE,
)

_MAJORITY = 0.5
"""Share of a pixel's bilinear weight that valid bins must hold; at one half, edges stay where they were."""


def depth_unit(scale: DepthScale, focal_px: float | None) -> DepthUnit:
    """Return the unit of distances on `scale` when the image's focal length is `focal_px` (None: unknown)."""
    return "m" if scale.focal_px is None or focal_px is not None else "relative"


def depth_scale(name: str) -> DepthScale:
    """Return the scale called `name`.

    Raises:
        InputError: There is no such scale.
    """
    if not isinstance(name, str) or name not in DEPTH_SCALES:
        raise InputError(f"expected a depth scale among {', '.join(DEPTH_SCALES)}; got {short_repr(name)}.")
    return DEPTH_SCALES[name]


def stated_scale(text: str) -> DepthScale | None:
    """Return the range that an answer to "Estimate the depth." states; None where it states none, as it need not.

    A real answer reads "This is the <depth>, log-uniform quantified to 1-1000 from 0.5-100m at focal length 2000."
    (facts: dense maps, 5); what follows `<depth>` varies.
    """
    found = _STATED.search(text)
    if found is None:
        return None
    focal_px = float(found["focal"]) if found["focal"] else None
    return DepthScale(float(found["near"]), float(found["far"]), bool(found["log"]), focal_px)


def depth_bins(logits: F32, *, calibration: Calibration = DEFAULT) -> I32:
    """Return the most likely bin on a grid twice as fine: (2 x rows, 2 x cols) int32.

    Args:
        logits: (rows, cols, 1000) raw logits of `<custom_1>`..`<custom_1000>`, in this order.
        calibration: The bin of the first token, and how grid values lie on the image.

    Returns:
        Bins 1..1000; with `bin_base` 0, bins 0..999 where 0 is invalid. Equal logits go to the nearer bin.

    Raises:
        InputError: `logits` is not a finite (rows, cols, 1000).
    """
    check_maps("depth logits", logits, f"(rows, cols, {N_BINS})")
    rows, cols, n_bins = logits.shape
    if n_bins != N_BINS:
        raise InputError(f"depth logits must be (rows, cols, {N_BINS}); got {logits.shape}.")
    down = axis_taps(rows, 2 * rows, align_corners=calibration.align_corners)
    across = axis_taps(cols, 2 * cols, align_corners=calibration.align_corners)
    bins = np.empty((2 * rows, 2 * cols), np.int32)
    fine = np.empty((2 * cols, N_BINS), np.float32)
    for row, (low, high, weight) in enumerate(zip(*down, strict=True)):  # all rows at once would be 1000 maps
        line = logits[high] - logits[low]
        line *= weight
        line += logits[low]
        if calibration.align_corners:
            fine[:] = blend(line, across)
        else:
            _refine_four_times(line, fine)
        bins[row] = fine.argmax(axis=1)
    bins += np.int32(calibration.bin_base)
    return bins


def _refine_four_times(line: F32, fine: F32) -> None:
    """Write `line` (cols, n) upsampled to (2 x cols, n), inner values times 4, which is of no matter to an argmax.

    Half-pixel, two values lie between any two neighbours, at 1/4 and 3/4 of the way. So this takes half the operations.
    """
    triple = line * np.float32(3)
    inner = fine[1:-1].reshape(-1, 2, line.shape[1])
    fine[0], fine[-1] = line[0], line[-1]
    np.add(triple[:-1], line[1:], out=inner[:, 0])
    np.add(line[:-1], triple[1:], out=inner[:, 1])


def bins_to_depth(bins: npt.ArrayLike, scale: DepthScale) -> F32:
    """Return distances in metres for bins, same shape; bin 0 and below is 0, invalid.

    With t = (bin - 1) / 999, so that bin 1 is the near end and bin 1000 the far end as on the open scale:
    logarithmic `near x (far / near)^t`, which on the open scale is 0.5 x 200^t; linear `near + (far - near) x t`.
    On a scale that starts at 0 m, bin 1 is 0 m and so reads as invalid. Bins may be fractional, as resizing makes them.
    """
    numbers = np.asarray(bins, np.float32)
    depth = _distances(_steps(numbers, scale), scale)
    return np.where(numbers > 0, depth, np.float32(0))


def _steps(bins: F32, scale: DepthScale) -> F32:
    """Return what grows evenly with the bin: log metres on a logarithmic scale, else metres."""
    t = (bins - 1) / np.float32(N_BINS - 1)
    near, far = np.log([scale.near_m, scale.far_m]) if scale.log else (scale.near_m, scale.far_m)
    steps: F32 = np.float32(near) + t * np.float32(far - near)
    return steps


def _distances(steps: F32, scale: DepthScale) -> F32:
    """Turn `_steps` into metres, in place."""
    return np.exp(steps, out=steps) if scale.log else np.maximum(steps, 0, out=steps)


def resize_bins(bins: I32, size: Size, *, calibration: Calibration = DEFAULT) -> F32:
    """Return (H, W) float32 bins, fractional between grid values; 0 = invalid.

    Invalid bins lend no weight: a pixel takes the mean of the valid ones around it, by their bilinear weights, and
    is invalid itself where those weigh less than half.
    """
    numbers = bins.astype(np.float32)
    return _resize_valid(numbers, numbers > 0, size, calibration)[0]


def _resize_valid(values: F32, valid: Bits, size: Size, calibration: Calibration) -> tuple[F32, Bits | None]:
    """Return (H, W) means of the valid ones of grid values, and where they hold; 0 elsewhere, None if everywhere."""
    check_maps("depth bins", values[None])
    check_size(size)
    if valid.all():
        return upsample(values, size, align_corners=calibration.align_corners), None
    maps = np.stack([values * valid, valid.astype(np.float32)])
    resized, share = upsample(maps, size, align_corners=calibration.align_corners)
    kept: Bits = share >= _MAJORITY
    return np.divide(resized, share, out=np.zeros_like(resized), where=kept), kept


def depth_map(
    logits: F32,
    size: Size,
    scale: str = "open",
    focal_px: float | None = None,
    *,
    calibration: Calibration = DEFAULT,
) -> F32:
    """Return the distance of every pixel: (H, W) float32, 0 = invalid; the unit is that of `depth_unit`.

    Args:
        logits: (rows, cols, 1000) raw logits of `<custom_1>`..`<custom_1000>`, in this order.
        size: Width and height of the result, in any frame that the grid spans.
        scale: A name of `DEPTH_SCALES`.
        focal_px: Focal length in pixels of the **prepared** image. Open-world distances are multiplied by
            `focal_px / 2000`, which makes them metres. Other scales are in metres without it.
        calibration: The bin of the first token, and how grid values lie on the image.

    Raises:
        InputError: No such scale, a focal length that is not positive or that the scale does not use, broken logits,
            an empty size.
    """
    chosen = depth_scale(scale)
    factor = _focal_factor(chosen, scale, focal_px)
    bins = depth_bins(logits, calibration=calibration).astype(np.float32)
    # What is evenly spaced may be resized in place of the bins: their weights add up to 1.
    steps, kept = _resize_valid(_steps(bins, chosen), bins > 0, size, calibration)
    metres = _distances(steps, chosen)
    metres *= factor
    if kept is not None:
        metres *= kept
    return metres


def assumed_focal(size: Size) -> float:
    """Return the focal length in pixels of a camera as most telephones have it, for an image of that size."""
    return ASSUMED_MM / DIAGONAL_35MM * math.hypot(*size)


def check_focal(focal_px: float, frame: str, most: float = MAX_FOCAL_PX) -> None:
    """Refuse a focal length, in pixels of the `frame` image, that no camera has.

    Raises:
        InputError: It is not positive, or above `most`.
    """
    if not 0 < focal_px <= most:
        raise InputError(
            f"the focal length must be positive, in pixels of the {frame} image, up to {most:,.0f}; got {focal_px}."
        )


def _focal_factor(scale: DepthScale, name: str, focal_px: float | None) -> np.float32:
    if focal_px is None:
        return np.float32(1)
    if scale.focal_px is None:
        raise InputError(
            f"scale {name!r} is in metres already; expected no focal length, got {focal_px}. Leave it out."
        )
    check_focal(focal_px, "prepared", MAX_FOCAL_PX * TOKEN_PX)  # a single source pixel is prepared as a whole token
    return np.float32(focal_px / scale.focal_px)
