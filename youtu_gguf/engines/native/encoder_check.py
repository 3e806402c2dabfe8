"""Checks of a vision tower.

A device must give the same embeddings for an image whatever came before it. Our own tower must give what llama.cpp's
gives. This file needs no llama.cpp.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from youtu_gguf.errors import EngineError
from youtu_gguf.facts import TOKEN_PX
from youtu_gguf.types import F32, PreparedImage

Grid = tuple[int, int]

ALIKE, ALIKE_QUANTISED = 0.9999, 0.998
"""Least cosine between the embeddings of one image token by two vision towers, where the matrices have 16 bits or more,
and where they have fewer: llama.cpp then rounds the activations too. By BF16 it loses 1e-5 and by Q8_0 1e-4 (nano,
float32 as reference). A tower that ignores the windows gives less than 0.996 (nano)."""

ORDER: tuple[Grid, ...] = ((15, 20), (30, 40), (15, 20), (9, 9))
"""Rows and columns of image tokens, in an order that CUDA graphs are known to get wrong (environment.py)."""

IMAGES_IN_A_ROW = 3
"""CUDA graphs are recorded for the second image of one size and used from then on."""

MAX_DIFFERENCE = 0.02
"""Largest relative difference between two encodings of one image. Wrong ones differed by about 1 (their cosine was 0.4
and 0.2); kernels that add up in another order in half precision should differ by less than 0.01, which has not been
measured on a GPU."""


def check_encoder(encode: Callable[[PreparedImage], F32], image_max_tokens: int, *, cuda_graphs: bool) -> None:
    """Encode small images in a known order, and check that each gives what it gave between images of other sizes.

    With `cuda_graphs` the sizes are those that are known to fail; without, half of that: six encodings of 300 tokens
    and fifteen smaller ones. What that costs on a GPU has not been measured; docs/gpu.md has the time of one. Sizes
    above `image_max_tokens` are halved until all fit.

    Raises:
        EngineError: An image gives other embeddings than before, or some that are not finite.
    """
    halvings = 0 if cuda_graphs else 1
    while max(rows * cols for rows, cols in _order(halvings)) > max(image_max_tokens, 1):
        halvings += 1
    order = _order(halvings)
    expected = {
        (grid, i): _finite(encode(image(grid, i)), grid)
        for i in range(IMAGES_IN_A_ROW)
        for grid in dict.fromkeys(order)
    }
    for grid in order:
        for i in range(IMAGES_IN_A_ROW):
            difference = relative_difference(expected[grid, i], _finite(encode(image(grid, i)), grid))
            if difference > MAX_DIFFERENCE:
                raise EngineError(
                    f"this device must encode an image the same way every time; image {i + 1} of {_pixels(grid)} after "
                    f"images of other sizes differs from its first encoding by {difference:.2g} (at most "
                    f"{MAX_DIFFERENCE}). {_remedy(cuda_graphs=cuda_graphs)}"
                )


def check_alike(ours: F32, theirs: F32, *, quantised: bool) -> None:
    """Check that two vision towers give the same embeddings, each (n_tokens, n_embd), of one image.

    With `quantised`, the matrices have fewer than 16 bits.

    Raises:
        EngineError: They differ.
    """
    least, wanted = least_cosine(ours, theirs), ALIKE_QUANTISED if quantised else ALIKE
    if not least >= wanted:
        raise EngineError(
            "the windowed vision tower must give the embeddings of llama.cpp's own; the cosine of an image token is "
            f"{least:.6f} (at least {wanted})."
        )


def least_cosine(one: F32, other: F32) -> float:
    """Return the least cosine between rows of two arrays of embeddings; NaN where some are not finite."""
    products = np.einsum("nd,nd->n", one, other, dtype=np.float64)
    norms = np.linalg.norm(one.astype(np.float64), axis=1) * np.linalg.norm(other.astype(np.float64), axis=1)
    with np.errstate(invalid="ignore"):
        return float((products / norms).min())


def relative_difference(expected: F32, found: F32) -> float:
    """Return the norm of the difference between two embeddings of one image, relative to that of the first."""
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


def image(grid: Grid, number: int) -> PreparedImage:
    """Return test image `number` of `grid`: blocks of colour, so that all tokens differ."""
    rows, cols = grid
    blocks = np.random.default_rng((rows, cols, number)).integers(0, 256, (rows * 4, cols * 4, 3), dtype=np.uint8)
    return PreparedImage(np.kron(blocks, np.ones((TOKEN_PX // 4, TOKEN_PX // 4, 1), np.uint8)))


def _order(halvings: int) -> list[Grid]:
    return [(max(1, rows >> halvings), max(1, cols >> halvings)) for rows, cols in ORDER]


def _finite(embeddings: F32, grid: Grid) -> F32:
    if not np.isfinite(embeddings).all():
        raise EngineError(
            f"this device must give finite embeddings; those of an image of {_pixels(grid)} have values that are not. "
            f"{_remedy(cuda_graphs=False)}"
        )
    return embeddings


def _pixels(grid: Grid) -> str:
    return f"{grid[1] * TOKEN_PX}x{grid[0] * TOKEN_PX} px"


def _remedy(*, cuda_graphs: bool) -> str:
    first = "Leave cuda_graphs out, or use" if cuda_graphs else "Use"
    return f'{first} mmproj_device="cpu", and please report the device and the version of its driver.'
