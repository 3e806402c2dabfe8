"""What two prefixes have in common, and which cells they share."""

from __future__ import annotations

import numpy as np
import pytest

from youtu_gguf.engines.native.cells import CellNumbers, first_cells, n_cells
from youtu_gguf.engines.native.segments import Segment, after, extended, length, n_shared, n_state_rows
from youtu_gguf.types import PreparedImage


def picture(value: int) -> PreparedImage:
    """Return an image of 2 tokens."""
    return PreparedImage(np.full((32, 64, 3), value, np.uint8))


A, B = picture(1), picture(2)


@pytest.mark.parametrize(
    ("held", "wanted", "n"),
    [
        pytest.param(([1, 2],), ([1, 2],), 2, id="equal"),
        pytest.param(([1, 2, 3],), ([1, 2],), 2, id="all of it"),
        pytest.param(([1, 2],), ([1, 2, 3],), 2, id="continued"),
        pytest.param(([1, 2, 9],), ([1, 2, 3],), 2, id="another token"),
        pytest.param(([1, 2],), ([5],), 0, id="nothing"),
        pytest.param(([1, 2], A, [3]), ([1, 2], picture(1), [3, 4]), 5, id="an image of equal pixels"),
        pytest.param(([1, 2], A, [3]), ([1, 2], B, [3]), 1, id="another image: its states need the token before it"),
        pytest.param(([1, 2],), ([1, 2], A, [3]), 1, id="an image after it"),
        pytest.param(([1, 2, 3], A, [4]), ([1, 2], A, [4]), 1, id="an image earlier"),
        pytest.param(([1], A, [3, 4, 5]), ([1], A, [3, 4, 6], B, [7]), 5, id="in later words"),
        pytest.param(([1], A, [3, 4]), ([1], A, [3, 4], B, [7]), 4, id="up to a second image"),
        pytest.param(([1], A, [3], B, [4]), ([1], A, [3], B, [4, 5]), 7, id="two images"),
    ],
)
def test_positions_are_shared_up_to_the_first_difference(
    held: tuple[Segment, ...], wanted: tuple[Segment, ...], n: int
) -> None:
    assert n_shared(held, wanted) == n
    rest = after(wanted, n)
    assert length(rest) == length(wanted) - n
    assert not rest or not isinstance(rest[0], PreparedImage)


def test_what_follows_some_positions() -> None:
    segments = ([1, 2], A, [3, 4])
    assert after(segments, 0) == segments
    assert after(segments, 1) == ([2], A, [3, 4])
    assert after(segments, 4) == ([3, 4],)
    assert after(segments, 6) == ()
    assert n_state_rows(segments) == 3
    assert extended(segments, [5]) == ([1, 2], A, [3, 4, 5])


def test_cells_that_several_sequences_have_are_counted_once() -> None:
    numbers = CellNumbers()
    root = numbers.new(10)
    child = (*first_cells(root, 8), *numbers.new(5))
    other = (*root, *numbers.new(3))
    grandchild = (*first_cells(child, 12), *numbers.new(1))
    assert [n_cells([cells]) for cells in (root, child, other, grandchild)] == [10, 13, 13, 13]
    assert n_cells([root, child]) == 15
    assert n_cells([root, child, other, grandchild]) == 10 + 5 + 3 + 1
    assert n_cells([child, grandchild]) == 14
    assert n_cells([]) == n_cells([numbers.new(0)]) == 0
