"""Prefixes: their content names them, and nothing else does."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

import youtu_gguf as yg
from youtu_gguf.engines.prefix import Prefix
from youtu_gguf.types import PreparedImage, Turn


def picture(value: int) -> PreparedImage:
    return PreparedImage(np.full((32, 64, 3), value, np.uint8))


def test_prefixes_of_equal_content_have_equal_keys() -> None:
    words = yg.Text("a long answer of more than sixty characters, which its repr does not show whole: one")
    other = yg.Text("a long answer of more than sixty characters, which its repr does not show whole: two")
    first, second = (Prefix("a", picture(1), turns=[Turn((picture(2), "b"), text)]) for text in (words, str(words)))
    assert first.key == second.key
    assert first.key != Prefix("a", picture(1), turns=[Turn((picture(2), "b"), other)]).key


def test_prefixes_of_other_content_have_other_keys() -> None:
    a, b = picture(1), picture(2)
    prefixes = [
        Prefix(),
        Prefix(system="x"),
        Prefix(a),
        Prefix(b),
        Prefix(a, b),
        Prefix(b, a),
        Prefix(a.digest),
        Prefix(repr((a.digest,))),
        Prefix("x", a),
        Prefix(a, "x"),
        Prefix(a, turns=[Turn(("x",), "y")]),
        Prefix(turns=[Turn((a, "x"), "y")]),
        Prefix(turns=[Turn(("x", a), "y")]),
        Prefix(turns=[Turn((a,), "xy")]),
        Prefix(turns=[Turn((a, "x"), ""), Turn(("",), "y")]),
        Prefix(turns=[Turn((a, "x"), "'), (('y',), '")]),
    ]
    assert all(one.key != other.key for one, other in combinations(prefixes, 2))


def test_a_prefix_has_its_images_and_texts_in_the_order_of_its_turns() -> None:
    a, b, c = (picture(value) for value in range(3))
    prefix = Prefix("four", c, system="one", turns=[Turn((a, "two", b), "three")])
    assert prefix.images == (a, b, c)
    assert prefix.image(1) is b
    assert sorted(prefix.texts) == ["four", "one", "three", "two"]
    shouted = prefix.with_texts(str.upper)
    assert sorted(shouted.texts) == ["FOUR", "ONE", "THREE", "TWO"]
    assert shouted.images == prefix.images
    for index in (-1, 3):
        with pytest.raises(yg.InputError, match="images 0 to 2"):
            prefix.image(index)
