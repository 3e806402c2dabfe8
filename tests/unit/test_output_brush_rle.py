"""Label Studio's run lengths: bytes computed by hand, and a decoder that follows its reader bit by bit."""

from __future__ import annotations

import numpy as np
import pytest

from youtu_gguf.output.brush_rle import brush_rle

# 32 bits of the number of values, 5 of 8 - 1, 4 each of 3 - 1, 4 - 1, 8 - 1, 16 - 1; then 1, choice, length - 1, value.
LAYOUT = "00111" + "0010" + "0011" + "0111" + "1111"


def packed(n_values: int, *runs: str) -> list[int]:
    bits = f"{n_values:032b}" + LAYOUT + "".join(runs)
    bits += "0" * (-len(bits) % 8)
    return [int(bits[i : i + 8], 2) for i in range(0, len(bits), 8)]


def test_one_pixel_is_nine_bytes_as_computed_by_hand() -> None:
    assert brush_rle(np.ones((1, 1), bool)) == [0, 0, 0, 4, 57, 27, 252, 127, 224]


INSIDE, OUTSIDE = "11111111", "00000000"


@pytest.mark.parametrize(
    ("pixels", "runs"),
    [
        ([True], ["1" "00" "011" + INSIDE]),
        ([True, True, False], ["1" "00" "111" + INSIDE, "1" "00" "011" + OUTSIDE]),
        ([False] * 3 + [True], ["1" "01" "1011" + OUTSIDE, "1" "00" "011" + INSIDE]),
        ([True] * 5, ["1" "10" "00010011" + INSIDE]),
        ([False] * 64, ["1" "10" "11111111" + OUTSIDE]),
        ([False] * 65, ["1" "11" "0000000100000011" + OUTSIDE]),
        ([True] * 16384, ["1" "11" + "1" * 16 + INSIDE]),
        ([True] * 16385, ["1" "11" + "1" * 16 + INSIDE, "1" "00" "011" + INSIDE]),
    ],
    ids=lambda value: str(len(value)),
)  # fmt: skip
def test_a_length_takes_the_fewest_bits_that_hold_it(pixels: list[bool], runs: list[str]) -> None:
    assert brush_rle(np.array([pixels])) == packed(4 * len(pixels), *runs)


def decoded(rle: list[int]) -> np.ndarray:
    """Read run lengths as Label Studio does."""
    bits = "".join(f"{byte:08b}" for byte in rle)
    place = 0

    def read(n: int) -> int:
        nonlocal place
        place += n
        return int(bits[place - n : place], 2)

    n_values, word = read(32), read(5) + 1
    lengths = [read(4) + 1 for _ in range(4)]
    values: list[int] = []
    while len(values) < n_values:
        repeated = read(1)
        length = read(lengths[read(2)]) + 1
        values += [read(word)] * length if repeated else [read(word) for _ in range(length)]
    return np.array(values, np.uint8)


@pytest.mark.parametrize("shape", [(1, 7), (33, 17), (300, 200), (1, 40_000)])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 1.0])
def test_what_is_read_is_the_mask_in_four_channels(shape: tuple[int, int], share: float) -> None:
    bits = np.random.default_rng(0).random(shape) < share
    values = decoded(brush_rle(bits)).reshape(*shape, 4)
    assert np.array_equal(values, np.repeat(bits[..., None] * np.uint8(255), 4, axis=2))
