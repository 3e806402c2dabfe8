from typing import Any

import numpy as np
import pytest

from tests.reference.rle import decode_runs, encode_runs
from youtu_gguf.errors import DecodeError
from youtu_gguf.types import Size, run_lengths

IDS = np.array([[0, 0, 3], [3, -1, -1]], np.int32)


def test_runs_cross_row_ends() -> None:
    assert run_lengths(IDS).tolist() == [[0, 2], [3, 2], [-1, 2]]


def test_a_map_is_written_as_pairs() -> None:
    assert encode_runs(IDS) == "(0, 2),(3, 2),(-1, 2)"


@pytest.mark.parametrize(
    "pairs",
    [
        "(0, 2),(3, 2),(-1, 2)",
        " (0,2) , ( 3 , 2 ),\n(-1, 2), ",
        "(0, 1),(0, 1),(3, 2),(-1, 2)",
        [[0, 2], [3, 2], [-1, 2]],
        np.array([[0, 2], [3, 2], [-1, 2]]),
    ],
)
def test_pairs_give_the_map_back(pairs: Any) -> None:
    decoded = decode_runs(pairs, Size(3, 2))

    assert decoded.dtype == np.int32
    assert decoded.tolist() == IDS.tolist()


def test_random_maps_survive_the_round_trip() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        height, width = rng.integers(1, 40, 2)
        ids = rng.integers(-1, 3, (height, width)).astype(np.int32)
        size = Size(int(width), int(height))

        assert np.array_equal(decode_runs(encode_runs(ids), size), ids)
        assert np.array_equal(decode_runs(run_lengths(ids), size), ids)


def test_an_empty_map_has_no_runs() -> None:
    assert run_lengths(np.empty((0, 4), np.int32)).shape == (0, 2)
    assert decode_runs("", Size(4, 0)).shape == (0, 4)


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ("(0, 5)", "must fill 3x2 = 6 pixels; they hold 5"),
        ("(0, 5),(1, 2)", "must fill 3x2 = 6 pixels; they hold 7"),
        ("", "they hold 0"),
        ("(0, 7)", "between 1 and 6"),
        ("(0, 6),(1, 0)", "between 1 and 6"),
        ("(0, 999999999)", "between 1 and 6"),
        ("(0, 5),(1", "at character 7"),
        ("(0, 6) and", "'and' at character 7"),
        ("(0.5, 6)", "at character 0"),
        ("0, 6", "at character 0"),
        ([[0, -6]], "between 1 and 6"),
        ([[0, 6, 1]], "expected \\(n, 2\\) integers"),
        ([[0.0, 6.0]], "expected \\(n, 2\\) integers"),
        ([["a", "b"]], "expected \\(n, 2\\) integers"),
        ([[0, 6], [1]], "rows of different lengths"),
        ([[0, 1 << 40]], "32 bits"),
        ([[0, 1 << 70]], "expected \\(n, 2\\) integers"),
    ],
)
def test_runs_that_do_not_describe_the_map_are_refused(pairs: Any, message: str) -> None:
    with pytest.raises(DecodeError, match=message):
        decode_runs(pairs, Size(3, 2))


@pytest.mark.parametrize("piece", ["(", " ", "(1", "(1, 2)", "(1, 2),", "-", "1"])
def test_a_hostile_megabyte_is_refused(piece: str) -> None:
    with pytest.raises(DecodeError):
        decode_runs((piece * (1_000_000 // len(piece))) + "x", Size(3, 2))
