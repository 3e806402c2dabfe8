"""Texts tokenised together or again have the tokens that they have alone."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import youtu_gguf as yg
from tests.conftest import Pair
from youtu_gguf.engines.native.engine import NativeEngine
from youtu_gguf.engines.native.llama import tokenizer as tokenizer_module
from youtu_gguf.engines.native.llama.tokenizer import REMEMBERED_CHARACTERS, Tokenizer
from youtu_gguf.errors import InputError
from youtu_gguf.types import FileForm
from youtu_gguf.weights.synthetic.pair import TINY
from youtu_gguf.weights.synthetic.tokens import VocabularyShape

PIECES = (
    "cat", "traffic light", "bed ", "tv", "'s", "n't", "c++", "...", "#", "3", "42", "猫", "红色的椅子", "ｶﾅ", "한글",
    "é", "e\u0301", "\n", "\r", "\t", " ", "  ", "\u2028", "\xa0", "<ref>", "</ref>", "<x_5>", "<|image_code_3|>", "<|",
    "|>", "_", "-", "/", "Ⅷ", "²", "👩‍🚀", "<custom_7>", "[PAD400]", "A", "Zz",
)  # fmt: skip


class Counting(Tokenizer):
    """A tokeniser that notes what it asks llama.cpp."""

    def __init__(self, vocab: Any) -> None:
        super().__init__(vocab)
        self.asked: list[str] = []

    def _ask(self, text: str, special: bool) -> Any:
        self.asked.append(text)
        return super()._ask(text, special)


@pytest.fixture(scope="module", params=["named", "zero-padded", "special"])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NativeEngine]:
    """A model whose merges reach beyond single letters, in three forms of its special tokens."""
    form: FileForm = request.param
    shape = replace(TINY, vocabulary=VocabularyShape(2000, 6, 64))
    pair = yg.weights.write_synthetic_pair(tmp_path_factory.mktemp(form), shape, variant=form)
    with yg.load(*pair, n_ctx=512, threads=1) as model:
        assert isinstance(model.engine, NativeEngine)
        yield model.engine


def names(seed: int, count: int) -> list[str]:
    rng = random.Random(seed)
    return ["".join(rng.choices(PIECES, k=rng.randint(1, 4))) for _ in range(count)]


@pytest.mark.parametrize("space", ["", " "])
def test_a_list_has_the_tokens_of_its_texts(engine: NativeEngine, space: str) -> None:
    texts = [space + name for seed in range(6) for name in names(seed, 50)]
    alone = Tokenizer(engine.model.vocab)
    found = [Tokenizer(engine.model.vocab).ids_of_all(texts[at : at + 50]) for at in range(0, len(texts), 50)]
    assert [ids for part in found for ids in part] == [alone.ids(text, special=False) for text in texts]
    assert engine.tokenize_all(texts[:50]) == [tuple(alone.ids(text, special=False)) for text in texts[:50]]


def test_a_list_of_plain_names_takes_one_call(engine: NativeEngine) -> None:
    tokenizer = Counting(engine.model.vocab)
    texts = ["wall", "traffic light", "bed", "桌子", "bed ", "c++", "wall", "t-shirt 2"]
    found = tokenizer.ids_of_all(texts)
    assert sorted(tokenizer.asked, key=len) == ["\n", "c++", "bed ", "\n".join((*texts[:4], texts[-1]))]
    assert tokenizer.ids_of_all(texts) == found
    assert len(tokenizer.asked) == 4


def test_a_text_asked_again_takes_no_call(engine: NativeEngine) -> None:
    tokenizer = Counting(engine.model.vocab)
    first = tokenizer.ids("<|end_of_text|>", special=True)
    first.append(0)  # a caller's list is its own
    assert tokenizer.ids("<|end_of_text|>", special=True) == first[:-1]
    assert tokenizer.ids("<|end_of_text|>", special=False) != first[:-1]
    assert len(tokenizer.asked) == 2


def test_what_is_remembered_is_bounded(engine: NativeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokenizer_module, "REMEMBERED_CHARACTERS", 30)
    tokenizer = Counting(engine.model.vocab)
    for text in ("a" * 12, "b" * 12, "c" * 12, "c" * 12, "a" * 12):
        tokenizer.ids(text, special=False)
    assert len(tokenizer.asked) <= 4
    assert REMEMBERED_CHARACTERS == 1 << 20


def test_threads_share_one_tokenizer(engine: NativeEngine) -> None:
    tokenizer, texts, wrong = Tokenizer(engine.model.vocab), names(7, 200), []
    right = [Tokenizer(engine.model.vocab).ids(text, special=False) for text in texts]

    def work() -> None:
        for at in range(0, 200, 20):
            if tokenizer.ids_of_all(texts[at : at + 20]) != right[at : at + 20]:
                wrong.append(at)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_word_that_is_too_long_is_refused_in_a_list_too(engine: NativeEngine) -> None:
    with pytest.raises(InputError, match="1000 letters in a row"):
        engine.tokenize_all(["cat", "x" * 1001, "dog"])


def test_segmenting_many_classes_asks_once(tiny_pair: Pair, photographs: dict[str, Path]) -> None:
    classes = [f"thing {chr(97 + n % 26)}{chr(97 + n // 26)}" for n in range(150)]
    with yg.load(*tiny_pair, n_ctx=2048, threads=1, image_max_tokens=64) as model:
        assert isinstance(model.engine, NativeEngine)
        model.engine.model.tokenizer = tokenizer = Counting(model.engine.model.vocab)
        scene = model.open(photographs["cat"])
        scene.segment(classes, present="all", refine="none")
        asked = len(tokenizer.asked)
        assert asked < 20
        scene.segment(classes, present="all", refine="none")
        assert len(tokenizer.asked) == asked
