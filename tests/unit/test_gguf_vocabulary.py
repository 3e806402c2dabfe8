"""Ids of tokens by their text."""

from __future__ import annotations

import struct

import pytest
from gguf.constants import GGUFValueType

from youtu_gguf.errors import ModelFileError
from youtu_gguf.gguf.header import GGUFArray
from youtu_gguf.gguf.vocabulary import TokenIds

TEXTS = ["a", "<", "", "<x_1>", "<x_10>", "<x_", "\u00e9t\u00e9", "<x_1>x", "<custom_7>", "<x"]


def listed(texts: list[str]) -> GGUFArray:
    raw = b"".join(struct.pack("<Q", len(text.encode())) + text.encode() for text in texts)
    return GGUFArray(GGUFValueType.STRING, len(texts), raw)


def test_every_token_is_found_by_its_whole_text() -> None:
    ids = TokenIds(listed(TEXTS))
    assert [ids.get(text) for text in TEXTS] == list(range(len(TEXTS)))


@pytest.mark.parametrize("text", ["<x_2>", "<x_1", "<y_1>", "b", "\ud800", "<x_10>x"])
def test_other_texts_have_no_id(text: str) -> None:
    assert TokenIds(listed(TEXTS)).get(text) is None


def test_of_two_tokens_alike_the_last_is_meant() -> None:
    assert TokenIds(listed(["<x_1>", "b", "<x_1>"])).get("<x_1>") == 2


def test_an_empty_list_has_no_tokens() -> None:
    assert TokenIds(listed([])).get("a") is None


def test_a_list_of_numbers_is_refused() -> None:
    with pytest.raises(ModelFileError, match="expected an array of strings"):
        TokenIds(GGUFArray(GGUFValueType.UINT32, 1, b"\0\0\0\0"))
