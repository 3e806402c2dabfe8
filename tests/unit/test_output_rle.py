"""COCO's run lengths: by hand, and against pycocotools where it is installed."""

from typing import Any

import numpy as np
import pytest

from youtu_gguf.output.rle import coco_rle
from youtu_gguf.types import Bits, extent


def mask(*rows: str) -> Bits:
    return np.array([[character == "#" for character in row] for row in rows], np.bool_)


RANDOM = [
    np.random.default_rng(seed).random((1 + seed % 37, 1 + 7 * seed % 53)) < (seed % 11) / 10 for seed in range(200)
]
LONG = np.zeros((1500, 2000), np.bool_)
LONG[3, 1] = LONG[:, 900:] = True


@pytest.mark.parametrize(
    ("bits", "counts"),
    [
        (mask("....", "...."), "8"),  # one run of 8 outside
        (mask("####", "####"), "08"),  # none outside, 8 inside
        (mask(".#", ".#"), "22"),  # down the columns: 2 outside, 2 inside
        (mask("..", "##"), "1110"),  # 1, 1, 1 and then 1 - 1
        (mask("....", ".##."), "31101"),  # 3, 1, 1, 1 - 1, 2 - 1
        (mask("#" * 16), "0`0"),  # 16 is 10000 and, because the highest bit is the sign, 00000
        (mask("." * 31 + "#"), "o01"),  # 31 is 11111 and 00000: 31 + 32 + 48 = "o"
        (mask("." * 40 + "#"), "X11"),  # 40 is 01000 and 00001: 8 + 32 + 48 = "X"
        (mask(".####.#"), "141M"),  # 1, 4, 1 and 1 - 4 = -3, the group 11101 that ends with a sign: 29 + 48 = "M"
    ],
)
def test_counts_are_those_computed_by_hand(bits: Bits, counts: str) -> None:
    assert coco_rle(bits) == {"size": [*bits.shape], "counts": counts}


def read(rle: Any) -> Bits:
    """Decode run lengths as the format's definition says."""
    numbers: list[int] = []
    number = bit = 0
    for character in rle["counts"].encode("ascii"):
        group = character - 48
        number |= (group & 31) << bit
        bit += 5
        if group & 32:
            continue
        if group & 16:
            number -= 1 << bit
        numbers.append(number + (numbers[-2] if len(numbers) > 2 else 0))
        number = bit = 0
    height, width = rle["size"]
    return np.repeat(np.arange(len(numbers)) % 2 == 1, numbers).reshape(width, height).T


def test_counts_give_the_mask_back() -> None:
    for bits in (*RANDOM, LONG):
        assert np.array_equal(read(coco_rle(bits)), bits)


def test_only_the_box_of_the_pixels_is_looked_at() -> None:
    rng = np.random.default_rng(1)
    for _ in range(200):
        bits = np.zeros((12, 9), np.bool_)
        (top, below), (left, right) = (sorted(rng.integers(0, side + 1, 2)) for side in bits.shape)
        bits[top:below, left:right] = rng.random((below - top, right - left)) < 0.7
        assert np.array_equal(read(coco_rle(bits)), bits)
        assert coco_rle(bits, extent(bits)) == coco_rle(bits)


def test_numbers_of_any_size_give_the_mask_back() -> None:
    bits = np.zeros((700, 3), np.bool_)
    for n in (15, 16, 511, 512, 513, 1100):
        bits.ravel()[:] = np.arange(bits.size) % n < n // 2
        assert np.array_equal(read(coco_rle(bits)), bits)
        assert np.array_equal(read(coco_rle(np.asfortranarray(bits.T))), bits.T)


def test_more_runs_than_are_written_at_once_give_the_mask_back() -> None:
    noise = np.random.default_rng(0).random((400, 400)) < 0.5
    assert np.array_equal(read(coco_rle(noise)), noise)


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning")
def test_pycocotools_writes_and_reads_the_same() -> None:
    coco = pytest.importorskip("pycocotools.mask")
    for bits in (*RANDOM, LONG):
        written = coco_rle(bits)
        assert coco.encode(np.asfortranarray(bits, np.uint8))["counts"].decode() == written["counts"]
        assert np.array_equal(coco.decode(written), bits)


def test_a_mask_without_pixels_has_one_run_of_none() -> None:
    assert coco_rle(np.zeros((0, 3), np.bool_)) == {"size": [0, 3], "counts": "0"}
