"""A fully connected CRF over a label map, by pydensecrf2: neighbours, and pixels of like colour, agree on their class.

Krähenbühl and Koltun, "Efficient Inference in Fully Connected CRFs with Gaussian Edge Potentials" (NIPS 2011). The
report names the method and not its constants (facts: dense maps, 3); those here are a guess, the usual ones of
segmentation.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

from youtu_gguf import machine
from youtu_gguf.errors import CapabilityError, EngineError
from youtu_gguf.types import F32, U8

GAUSSIAN = {"sxy": 3, "compat": 3}
"""Guess: by distance alone; reach in pixels, and weight."""

BILATERAL = {"sxy": 80, "srgb": 13, "compat": 10}
"""Guess: by distance and colour; reach in pixels and in colour values, and weight."""

ITERATIONS = 5
"""Guess: mean-field iterations."""

_PACKAGE = "pydensecrf"
_LEAST = 1e-8  # keeps the logarithm of a probability finite
_PIXEL_BYTES, _CLASS_BYTES = 500, 32
"""Memory per pixel, and per pixel and class: measured at 640x480 and 1280x960 with 2 to 30 classes, rounded up."""


def installed() -> bool:
    """Whether the library is there."""
    return find_spec(_PACKAGE) is not None


def library() -> Any:
    """Return the library's module.

    Raises:
        CapabilityError: It is missing or cannot be imported.
    """
    try:
        return import_module(f"{_PACKAGE}.densecrf")
    except ImportError as exc:
        raise CapabilityError(
            f"refining with a CRF needs the package pydensecrf2; importing it gave: {exc}. "
            "Install the extra crf (`pip install pydensecrf2`, which needs a C++ compiler), or use another refinement."
        ) from exc


def refine_by_crf(probabilities: F32, rgb: U8) -> F32:
    """Return refined class probabilities, (K, H, W) float32.

    Args:
        probabilities: (K, H, W) float32; only their ratios at a pixel matter.
        rgb: (H, W, 3) uint8, of the same size.

    Raises:
        CapabilityError: The library is missing.
    """
    densecrf = library()
    n_classes, height, width = probabilities.shape
    field = densecrf.DenseCRF2D(width, height, n_classes)
    field.setUnaryEnergy(-np.log(np.maximum(probabilities, np.float32(_LEAST))).reshape(n_classes, -1))
    field.addPairwiseGaussian(**GAUSSIAN)
    # The library asks for pixels it could write to; those of a decoded image are read-only.
    field.addPairwiseBilateral(**BILATERAL, rgbim=np.require(rgb, requirements=["C", "W"]))
    return np.array(field.inference(ITERATIONS), np.float32).reshape(probabilities.shape)


def check_memory(n_classes: int, n_pixels: int) -> None:
    """Refuse a label map whose CRF does not fit into the free memory.

    Raises:
        EngineError: It does not fit.
    """
    needed, free = n_pixels * (_PIXEL_BYTES + n_classes * _CLASS_BYTES), machine.usable_memory().free
    if needed > free:
        raise EngineError(
            f"a CRF of {n_classes} classes over {n_pixels / 1e6:.1f} megapixels needs {needed / 1e9:.1f} GB; "
            f"{free / 1e9:.1f} GB are free. Refine otherwise, or shrink the image."
        )
