"""Arguments of scripts that cannot be meant are refused with what was expected."""

from __future__ import annotations

import argparse

import pytest

from scripts._arguments import count, share


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "many", "", "²"])
def test_a_count_is_a_whole_number_of_at_least_one(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=f"expected a whole number of at least 1; got {text}"):
        count(text)
    assert count("12") == 12


@pytest.mark.parametrize("text", ["0", "1.01", "-0.5", "nan", "half", ""])
def test_a_share_lies_above_zero_and_is_at_most_one(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=f"expected a share above 0 and at most 1; got {text}"):
        share(text)
    assert (share("1"), share("0.25")) == (1, 0.25)
