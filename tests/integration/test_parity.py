"""The native engine against the NumPy reference on the tiny F32 pair.

Grids in image tokens (a window is 8 x 8 of them): smaller than a window, one whole window, several windows with
remainders on both axes, a single row, a single column.

The engine holds keys and values in 16 bits and its GELU comes from a 16-bit table, so agreement is stated as a cosine
per token, not bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from tests.conftest import Pair
from tests.reference import vision
from tests.reference.compare import compare, least_cosine, picture
from tests.reference.weights import Weights
from youtu_gguf.config import make_settings
from youtu_gguf.engines.native.engine import NativeEngine
from youtu_gguf.gguf.pair import check_pair

GRIDS = [(3, 5), (8, 8), (10, 19), (1, 11), (13, 1)]


@pytest.fixture(scope="module")
def engine(tiny_pair_f32: Pair) -> Iterator[NativeEngine]:
    loaded = NativeEngine(check_pair(*tiny_pair_f32), make_settings(n_ctx=1024, threads=1))
    yield loaded
    loaded.close()


@pytest.fixture(scope="module")
def weights(tiny_pair_f32: Pair) -> tuple[Weights, Weights]:
    return Weights(tiny_pair_f32[0]), Weights(tiny_pair_f32[1])


@pytest.mark.parametrize("grid", GRIDS, ids=lambda grid: f"{grid[0]}x{grid[1]}")
def test_projector_states_and_logits_agree_with_the_reference(
    grid: tuple[int, int], engine: NativeEngine, weights: tuple[Weights, Weights]
) -> None:
    agreement = compare(engine, *weights, picture(*grid), "What is in the picture?")
    assert agreement.embeddings >= 0.99999
    assert agreement.hidden >= 0.99999
    assert agreement.logits <= 0.01


def test_the_bounds_notice_a_wrong_grid(engine: NativeEngine, weights: tuple[Weights, Weights]) -> None:
    """The same pixels, read as if each row of image tokens were shifted by one: far outside the bounds."""
    image = picture(3, 5)
    shifted = np.roll(vision.encode_image(weights[1], image.rgb), 1, axis=0)
    assert least_cosine(engine.vision.encode(image), shifted) < 0.99
