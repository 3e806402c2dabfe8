"""What an image and a context take of the memory, and what is refused because of it."""

from __future__ import annotations

import pytest

from youtu_gguf.engines.native.llama.memory import (
    EncoderMemory,
    Memory,
    WindowedMemory,
    check_context,
    check_image,
    vision_bytes,
)
from youtu_gguf.errors import EngineError

MB = 10**6


@pytest.mark.parametrize(
    ("width", "n_tokens", "peak_mb"),
    [
        (192, 81, 7), (192, 625, 72), (192, 1225, 228), (192, 2025, 584),
        (1152, 81, 19), (1152, 289, 54), (1152, 625, 125), (1152, 1225, 313), (1152, 2025, 672), (1152, 2040, 695),
    ],
)  # fmt: skip
def test_the_first_image_takes_what_was_measured(width: int, n_tokens: int, peak_mb: int) -> None:
    needed = EncoderMemory(width).needed(n_tokens) / MB
    assert peak_mb <= needed <= 1.1 * peak_mb + 15


@pytest.mark.parametrize(
    ("width", "n_tokens", "peak_mb"),
    [
        (192, 625, 26), (192, 1200, 49), (192, 2040, 66),
        (1152, 1, 87), (1152, 81, 94), (1152, 300, 111), (1152, 625, 130), (1152, 1200, 206), (1152, 2040, 330),
    ],
)  # fmt: skip
def test_our_own_tower_takes_what_was_measured(width: int, n_tokens: int, peak_mb: int) -> None:
    needed = WindowedMemory(width).needed(n_tokens) / MB
    assert peak_mb <= needed <= 1.1 * peak_mb + 15


def test_our_own_tower_takes_less_than_mtmd_for_a_large_image_and_on_a_gpu_only_the_input_counts() -> None:
    assert WindowedMemory(1152).needed(2040) < EncoderMemory(1152).needed(2040) / 1.9
    assert WindowedMemory(1152, on_device=True).needed(2040) < 70 * MB
    assert vision_bytes("auto", 1152, 2040) == WindowedMemory(1152).needed(2040) < vision_bytes("mtmd", 1152, 2040)


def test_a_second_image_takes_its_input_beside_what_the_first_has_left() -> None:
    memory = EncoderMemory(1152)
    memory.keep(2025)
    assert memory.needed(2025) / MB == pytest.approx(331, rel=0.03)  # measured
    assert memory.needed(81) / MB < 12
    assert memory.needed(4000) < EncoderMemory(1152).needed(4000)


def test_a_smaller_image_in_between_changes_nothing() -> None:
    memory = EncoderMemory(1152)
    memory.keep(2025)
    before = memory.needed(2025)
    memory.keep(81)
    assert memory.needed(2025) == before


def test_on_a_gpu_only_the_input_counts() -> None:
    assert EncoderMemory(1152, on_device=True).needed(2025) < EncoderMemory(1152).needed(2025)
    assert EncoderMemory(1152, on_device=True).needed(81) < 15 * MB


def test_an_image_that_does_not_fit_is_refused_with_what_it_needs_and_what_there_is() -> None:
    check_image(2025, 672 * MB, 672 * MB)
    with pytest.raises(EngineError, match=r"2025 tokens needs 0\.67 GB .*0\.50 GB are free\. Lower image_max_tokens"):
        check_image(2025, 672 * MB, 500 * MB)


def test_a_context_that_does_not_fit_is_refused_and_mapped_weights_do_not_count() -> None:
    memory = Memory(5_000 * MB, 900 * MB, context=750 * MB, compute=150 * MB, vision=0, images=0, process=0)
    check_context(memory, 16_384, 900 * MB, repack=False)
    with pytest.raises(EngineError, match=r"16384 positions needs 0\.90 GB .*; 0\.60 GB are free\. Lower n_ctx"):
        check_context(memory, 16_384, 600 * MB, repack=False)
    with pytest.raises(EngineError, match=r"repacked weights need 5\.90 GB"):
        check_context(memory, 16_384, 900 * MB, repack=True)
