"""The check that a device encodes images rightly, with encoders that do and that do not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from youtu_gguf.engines.native.encoder_check import (
    IMAGES_IN_A_ROW,
    MAX_DIFFERENCE,
    check_alike,
    check_encoder,
    least_cosine,
)
from youtu_gguf.engines.native.vision.base import finite
from youtu_gguf.errors import EngineError
from youtu_gguf.types import F32, PreparedImage


class Encoder:
    """Embeddings computed from pixels; those of a third image of one size in a row by `wrong`, after other sizes."""

    def __init__(self, wrong: Callable[[F32], F32] = lambda right: right) -> None:
        self.wrong = wrong
        self.sizes: list[tuple[int, int]] = []

    def __call__(self, image: PreparedImage) -> F32:
        rows, cols = image.grid
        tokens = image.rgb.reshape(rows, 32, cols, 32, 3).swapaxes(1, 2).reshape(rows * cols, -1)
        right = tokens[:, ::7].astype(np.float32) - 128
        self.sizes.append(image.size)
        recorded = self.sizes[-3:] == [image.size] * 3 and len(set(self.sizes)) > 1
        return self.wrong(right) if recorded else right


def test_an_encoder_that_always_gives_the_same_passes() -> None:
    encoder = Encoder()
    check_encoder(encoder, 2048, cuda_graphs=False)
    assert sum(width * height for width, height in encoder.sizes) // 1024 < 3500  # image tokens: cheap
    check_encoder(Encoder(lambda right: right * np.float32(1 + MAX_DIFFERENCE / 2)), 2048, cuda_graphs=True)


def test_with_cuda_graphs_the_sizes_are_those_that_are_known_to_fail() -> None:
    encoder = Encoder()
    check_encoder(encoder, 2048, cuda_graphs=True)
    known = [(640, 480), (1280, 960), (640, 480), (288, 288)]
    assert encoder.sizes[-4 * IMAGES_IN_A_ROW :] == [size for size in known for _ in range(IMAGES_IN_A_ROW)]


@pytest.mark.parametrize("most", [1, 15, 100, 300])
def test_images_are_no_larger_than_is_allowed(most: int) -> None:
    encoder = Encoder()
    check_encoder(encoder, most, cuda_graphs=True)
    assert max(width * height for width, height in encoder.sizes) // 1024 <= most


@pytest.mark.parametrize(
    "wrong", [lambda right: right[::-1], lambda right: right * 0, lambda right: right * np.float32(1.1)]
)
def test_an_encoder_that_goes_wrong_on_the_third_image_is_refused(wrong: Callable[[F32], F32]) -> None:
    with pytest.raises(EngineError, match=r"image 3 of 320x224 px .* differs from its first .*mmproj_device"):
        check_encoder(Encoder(wrong), 2048, cuda_graphs=False)
    with pytest.raises(EngineError, match=r"image 3 of 640x480 px .* Leave cuda_graphs out"):
        check_encoder(Encoder(wrong), 2048, cuda_graphs=True)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_refused(value: float) -> None:
    def wrong(right: F32) -> F32:
        right[-1, -1] = value
        return right

    with pytest.raises(EngineError, match="must give finite embeddings; those of an image of 320x224 px"):
        check_encoder(Encoder(wrong), 2048, cuda_graphs=False)
    with pytest.raises(EngineError, match="finite"):
        check_encoder(lambda image: np.full((image.grid.n_tokens, 8), value, np.float32), 2048, cuda_graphs=False)


def test_towers_that_agree_pass_and_others_do_not() -> None:
    one = np.random.default_rng(0).normal(size=(6, 64)).astype(np.float32)
    check_alike(one, 3 * one, quantised=False)
    rounded = one + np.float32(0.03) * np.random.default_rng(1).normal(size=one.shape).astype(np.float32)
    assert 0.998 < least_cosine(rounded, one) < 0.9999
    check_alike(rounded, one, quantised=True)
    with pytest.raises(EngineError, match=r"cosine of an image token is 0\.99\d+ \(at least 0\.9999\)"):
        check_alike(rounded, one, quantised=False)
    with pytest.raises(EngineError, match=r"cosine of an image token is -1\.0+ \(at least 0\.998\)"):
        check_alike(-one, one, quantised=True)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_embeddings_that_are_not_finite_are_never_alike_and_refused(value: float) -> None:
    one = np.ones((3, 4), np.float32)
    other = one.copy()
    other[1, 2] = value
    with pytest.raises(EngineError, match="cosine of an image token is nan"):
        check_alike(other, one, quantised=True)
    with pytest.raises(EngineError, match="embeddings of an image must be finite"):
        finite(other)
    assert finite(one) is one
