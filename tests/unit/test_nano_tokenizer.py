"""Nano's tokenizer alone; that llama.cpp cuts the same way is shown by tests/integration/test_nano_tokens.py."""

from __future__ import annotations

from pathlib import Path

import pytest
from gguf.constants import TokenType

from scripts.nano.tokenizer import Tokenizer, split_words
from youtu_gguf.errors import InputError

CORPUS = [
    "You are a helpful assistant.",
    "Detect all objects in the provided image.",
    "Detect all objects in these classes: circle, square, brick wall",
    "The target categories include <ref>circle</ref><ref>wall</ref>, numbered sequentially starting from 0",
    "<box><x_12><y_34><x_56><y_78></box> 1212 1212 1212",
    "它们在哪里？它们在那里。",
] * 2
TEXTS = (
    "",
    " ",
    "circle",
    "The circle's 12 walls.\n\n  It isn’t.\n",
    "它们…👩‍🚀 Ⅷ ² ",
    "<x_12<x_3> <ref>a</ref",
    "\x00\x85\xa0é́",
)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.train(CORPUS)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("the brick wall", ["the", " brick", " wall"]),
        ("It's I'LL o'clock", ["It's", " I'LL", " o", "'clock"]),
        ("x86_64 1,000", ["x", "8", "6", "_", "6", "4", " ", "1", ",", "0", "0", "0"]),
        ("a  b \n\n c  ", ["a", " ", " b", " \n\n", " c", "  "]),
        ("a://b/\n\nc", ["a", "://", "b", "/\n\n", "c"]),
        ("CamelCASE", ["CamelCASE"]),
        ("(circle), <foo>", ["(circle", "),", " <", "foo", ">"]),
        ("我看见…两个", ["我看见", "…", "两个"]),
        ("a“b”c", ["a", "“", "b", "”", "c"]),
        ("caf\xe9 cafe\u0301", ["caf\xe9", " cafe\u0301"]),
        ("Ⅷ²３", ["Ⅷ", "²", "３"]),
        ("\t\xa0x\u3000y", ["\t", "\xa0x", "\u3000y"]),
    ],
)
def test_words_are_cut_as_in_llama_cpp(text: str, words: list[str]) -> None:
    assert split_words(text) == words


@pytest.mark.parametrize("special", [True, False])
@pytest.mark.parametrize("text", TEXTS)
def test_decoding_gives_the_text_back(tokenizer: Tokenizer, text: str, special: bool) -> None:
    assert tokenizer.decode(tokenizer.encode(text, special=special)) == text


def test_user_defined_tokens_are_cut_out_even_of_plain_text(tokenizer: Tokenizer) -> None:
    ids = [tokenizer.id("<box>"), tokenizer.id("<x_12>"), tokenizer.id("</box>")]
    assert tokenizer.encode("<box><x_12></box>", special=False) == ids


def test_control_tokens_are_cut_out_only_where_wanted(tokenizer: Tokenizer) -> None:
    end = tokenizer.id("<|end_of_text|>")
    assert tokenizer.encode("a<|end_of_text|>") == [*tokenizer.encode("a"), end]
    assert end not in tokenizer.encode("a<|end_of_text|>", special=False)


@pytest.mark.parametrize("text", ["<x_2048>", "<x_01>", "<x_1", "x_1>", "<X_1>", "[PAD900]", "<custom_0>"])
def test_text_that_only_looks_like_a_token_is_spelled_out(tokenizer: Tokenizer, text: str) -> None:
    first_special = tokenizer.id("<|begin_of_text|>")
    assert max(tokenizer.encode(text)) < first_special


def test_unknown_text_has_no_special_token(tokenizer: Tokenizer) -> None:
    with pytest.raises(KeyError):
        tokenizer.id("<x_2048>")


def test_order_of_the_vocabulary_is_the_published_one(tokenizer: Tokenizer) -> None:
    n_base = 256 + len(tokenizer.merges)
    assert tokenizer.id("<|begin_of_text|>") == n_base
    assert tokenizer.id("<|vision_start|>") == n_base + 8
    assert tokenizer.id("<x_0>") == n_base + 8 + 4 + 1 + 256
    assert tokenizer.id("<y_2047>") == tokenizer.id("<x_0>") + 4095
    assert tokenizer.id("<custom_1>") == tokenizer.id("<x_0>") + 4096
    assert len(set(tokenizer.texts)) == len(tokenizer.texts) == len(tokenizer.types) == tokenizer.shape.n_tokens


def test_unused_tokens_decode_to_nothing(tokenizer: Tokenizer) -> None:
    assert tokenizer.decode([tokenizer.types.index(TokenType.UNUSED)]) == ""


def test_frequent_words_become_one_token(tokenizer: Tokenizer) -> None:
    assert len(tokenizer.encode("Detect")) == len(tokenizer.encode(" objects")) == 1


def test_digits_stay_single_however_frequent(tokenizer: Tokenizer) -> None:
    assert len(tokenizer.encode("1212")) == 4
    assert not any(character.isdigit() for merge in tokenizer.merges for character in merge)


def test_tags_of_the_corpus_teach_no_merges() -> None:
    assert Tokenizer.train(["<ref><ref><ref><custom_1>"] * 9).merges == []


def test_merges_stay_inside_words() -> None:
    merges = Tokenizer.train(["a b a b a b"] * 9).merges
    assert sorted(merges) == ["Ġ a", "Ġ b"]


def test_learning_stops_where_no_pair_occurs_twice() -> None:
    assert Tokenizer.train(["abc", "abd"]).merges == ["a b"]


def test_most_frequent_pair_is_learned_first_and_ties_go_by_text() -> None:
    assert Tokenizer.train(["ab"] * 2 + ["cd"] * 3 + ["ef"] * 2).merges == ["c d", "a b", "e f"]


def test_no_two_tokens_share_a_text() -> None:
    tokenizer = Tokenizer.train(["abc", "abc", "bcd", "bcd", "bcd", "aabc"] * 3)
    assert len(set(tokenizer.texts)) == len(tokenizer.texts)


def test_number_of_merges_is_bounded() -> None:
    assert len(Tokenizer.train(CORPUS, n_merges=5).merges) == 5


def test_merges_apply_in_the_order_learned_not_in_the_order_of_text() -> None:
    tokenizer = Tokenizer(["b c", "a b", "a bc"])
    assert [tokenizer.texts[token] for token in tokenizer.encode("abcab")] == ["abc", "ab"]


def test_word_that_is_a_token_needs_no_merges() -> None:
    """llama.cpp looks the whole word up first for this pre-tokenizer."""
    tokenizer = Tokenizer(["b c", "x y", "ab c"])  # no merge makes `ab`
    assert [tokenizer.texts[token] for token in tokenizer.encode("abc")] == ["abc"]
    assert [tokenizer.texts[token] for token in tokenizer.encode("abcd")] == ["a", "bc", "d"]


def test_equal_corpora_give_equal_tokenizers_in_any_order(tokenizer: Tokenizer) -> None:
    assert Tokenizer.train(reversed(CORPUS)).merges == tokenizer.merges


def test_saved_tokenizer_comes_back_the_same(tokenizer: Tokenizer, tmp_path: Path) -> None:
    tokenizer.save(tmp_path / "tokenizer.json")
    loaded = Tokenizer.load(tmp_path / "tokenizer.json")
    assert (loaded.texts, loaded.types, loaded.merges) == (tokenizer.texts, tokenizer.types, tokenizer.merges)
    assert loaded.encode(CORPUS[3]) == tokenizer.encode(CORPUS[3])


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"merges": 3}', '{"merges": ["a b", 4]}', '{"merges": ["ab"]}'])
def test_a_damaged_tokenizer_is_refused_by_its_path(tmp_path: Path, text: str) -> None:
    (tmp_path / "tokenizer.json").write_text(text)
    with pytest.raises(InputError, match=r"expected a tokenizer in .*tokenizer\.json"):
        Tokenizer.load(tmp_path / "tokenizer.json")


def test_more_words_than_the_cache_holds_do_no_harm(monkeypatch: pytest.MonkeyPatch, tokenizer: Tokenizer) -> None:
    small = Tokenizer(tokenizer.merges)
    monkeypatch.setattr("scripts.nano.tokenizer.MAX_CACHED_WORDS", 2)
    assert [small.encode(text) for text in CORPUS] == [tokenizer.encode(text) for text in CORPUS]
