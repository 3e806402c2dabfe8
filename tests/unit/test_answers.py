"""A text behaves as its string and a count as its int."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import youtu_gguf as yg

NONE = yg.Count(None, raw="several")


def test_a_text_behaves_as_its_string() -> None:
    text = yg.Text("A red cup", 0.5, raw=" A red cup")
    assert text == "A red cup"
    assert "red" in text
    assert len(text) == 9
    assert f"{text:>10}|{text}" == " A red cup|A red cup"
    assert (text + "!", "So: " + text, text[2:5]) == ("A red cup!", "So: A red cup", "red")
    assert (text.upper(), text.split()[1], text.startswith("A ")) == ("A RED CUP", "red", True)
    assert re.search("r.d", text)
    assert {"A red cup": 1}[text] == 1


def test_the_string_of_a_text_is_a_plain_one() -> None:
    assert type(str(yg.Text("cup"))) is type(yg.Text("cup").value) is str


def test_texts_are_equal_when_their_strings_are() -> None:
    assert yg.Text("cup", 0.5) == yg.Text("cup")
    assert len({yg.Text("cup", 0.5), yg.Text("cup"), "cup"}) == 1
    assert yg.Text("cup") != yg.Text("cups")


def test_an_empty_text_is_falsy() -> None:
    assert not yg.Text("")
    assert yg.Text(value="cup")


def test_a_count_is_an_int_where_one_is_wanted() -> None:
    count = yg.Count(3)
    assert (int(count), float(count), len(range(count)), [5, 6, 7, 8][count]) == (3, 3.0, 3, 8)
    assert (f"{count}", f"{count:03d}", "a" * count, str(count)) == ("3", "003", "aaa", "3")
    assert np.zeros(count).shape == (3,)


@pytest.mark.parametrize("other", [2, 2.5, np.int64(2), yg.Count(2)])
def test_counts_are_calculated_with_as_ints(other: Any) -> None:
    count, plain = yg.Count(3), float(other)
    assert (count + other, count - other, count * other, count / other) == (3 + plain, 3 - plain, 3 * plain, 3 / plain)
    assert (other + count, other - count, other * count, other / count) == (plain + 3, plain - 3, plain * 3, plain / 3)
    assert (count > other, count >= other, count < other, count <= other) == (True, True, False, False)
    assert (other < count, other <= count) == (True, True)
    assert (count == other, count != other) == (False, True)


def test_sums_and_the_largest_of_counts_are_numbers() -> None:
    assert sum([yg.Count(1), yg.Count(2)]) == 3
    assert max(yg.Count(1), yg.Count(2)) == 2


def test_equal_counts_hash_alike() -> None:
    assert yg.Count(3) == yg.Count(3, 0.5) == 3 == np.int64(3) == 3.0
    assert len({yg.Count(3), yg.Count(3, 0.5), 3}) == 1
    assert yg.Count(3) != "3"


def test_no_objects_are_falsy() -> None:
    assert not yg.Count(0)
    assert yg.Count(1)


@pytest.mark.parametrize(
    "use",
    [int, float, bool, range, lambda c: c + 1, lambda c: 1 - c, lambda c: c < 1, lambda c: c > 1, lambda c: f"{c:d}"],
)
def test_a_count_without_a_number_cannot_be_used_as_one(use: Callable[[yg.Count], object]) -> None:
    with pytest.raises(yg.DecodeError, match="expected a number; the answer gives none: 'several'"):
        use(NONE)


def test_a_count_without_a_number_equals_none_and_prints_as_nothing() -> None:
    assert NONE != 0
    assert yg.Count(None) == NONE
    assert (str(NONE), f"{NONE}") == ("", "")
