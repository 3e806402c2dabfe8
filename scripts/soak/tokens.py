#!/usr/bin/env python3
"""Tokens of real and hostile texts by nano's tokenizer and by llama.cpp; prints the texts whose tokens differ.

Characters come from Unicode 3.2 and a list of emoji: the Unicode tables of Python and llama.cpp are from different
years and disagree on characters that are newer than one of them.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from functools import cache
from pathlib import Path
from unicodedata import ucd_3_2_0

import numpy as np
from gguf.constants import TokenType

sys.path.insert(0, str(Path(__file__).parents[2]))

from scripts._arguments import count
from scripts.nano.answers import frame_of
from scripts.nano.export import Checkpoint, export
from scripts.nano.lessons import corpus, lessons
from scripts.nano.scenes import draw
from scripts.nano.tokenizer import N_MERGES, Tokenizer
from youtu_gguf.config import make_settings
from youtu_gguf.engines.native.llama.handles import LlamaModel
from youtu_gguf.engines.native.llama.placement import Placement
from youtu_gguf.gguf.header import GGUFArray, read_header
from youtu_gguf.types import no_progress
from youtu_gguf.weights.synthetic.pair import TINY, find_type, language_tensors, vision_tensors

LESSONS_PER_SCENE = 15
MOST_SCENES = 100
WORD_CHARACTERS = "aZé中文의かカ！…、ㄅㄱ９Ⅷ²ª̈ा"
EMOJI = ("😀", "👍🏽", "👩‍🚀", "🇫🇷", "☀️", "1️⃣", "🏳️‍🌈")
SPACES = " \t\n\r\v\f\x1c\x85\xa0\u2003\u2028\u3000\u200b"
SIGNS = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~<>/|'"
ENGLISH = (
    "It's", "I'LL", "we've", "DON'T", "you're", "'sup", "o'clock", "''", "'d'", "can'tstop", "CamelCase", "HTTPServer",
    "x86_64", "3.14", "1,000", "a/b//\n",
)  # fmt: skip
HALF_TAGS = (
    "<x_12", "<x_12<x_3>", "x_7>", "<x_2048>", "<x_-1>", "<x_01>", "<X_1>", "<custom_0>", "<custom_1001>", "</ref",
    "<<box>>", "<|im_end|>", "[PAD900]",
)  # fmt: skip


def real_texts(count: int, seed: int) -> list[str]:
    """Return prompts and answers: the tokenizer's own corpus, then lessons on drawn scenes."""
    texts = list(dict.fromkeys(corpus()))
    rng = np.random.default_rng(seed)
    for i in range(min(MOST_SCENES, count // LESSONS_PER_SCENE + 1)):
        scene = draw(seed + i, (224, 224))
        for lesson in lessons(scene, frame_of(scene, 224, 224), rng):
            texts += [lesson.question, lesson.answer]
    return texts


class Texts:
    """An endless supply of texts; equal seeds give equal texts."""

    def __init__(self, tokenizer: Tokenizer, real: list[str], seed: int) -> None:
        self._rng = random.Random(seed)
        self._real = real
        self._words = " ".join(real).split(" ")
        special = (TokenType.CONTROL, TokenType.USER_DEFINED)
        self._tags = [text for text, kind in zip(tokenizer.texts, tokenizer.types, strict=True) if kind in special]
        self._makers = (
            self._some_words, self._odd_words, self._any_characters, self._spaces, self._signs, self._digits,
            self._tag, self._half_tag, lambda: self._rng.choice(ENGLISH), lambda: self._rng.choice(EMOJI),
        )  # fmt: skip

    def draw(self) -> str:
        """Return a real text, or up to twelve pieces of various kinds."""
        if self._rng.random() < 0.2:
            return self._rng.choice(self._real)
        pieces = [self._rng.choice(self._makers)() for _ in range(self._rng.randint(1, 12))]
        return self._rng.choice(("", "", " ")).join(pieces)

    def _letters(self, letters: str, most: int) -> str:
        return "".join(self._rng.choices(letters, k=self._rng.randint(1, most)))

    def _some_words(self) -> str:
        return " ".join(self._rng.choices(self._words, k=self._rng.randint(1, 6)))

    def _odd_words(self) -> str:
        return self._letters(WORD_CHARACTERS, 8)

    def _any_characters(self) -> str:
        return self._letters(_old_characters(), 6)

    def _spaces(self) -> str:
        return self._letters(SPACES, 5)

    def _signs(self) -> str:
        return self._letters(SIGNS, 5)

    def _digits(self) -> str:
        return self._letters("0123456789", 6)

    def _tag(self) -> str:
        return self._rng.choice(self._tags)

    def _half_tag(self) -> str:
        tag = self._tag()
        cut = self._rng.randint(1, len(tag))
        return self._rng.choice((tag[:cut], tag[cut:], self._rng.choice(HALF_TAGS)))


@cache
def _old_characters() -> str:
    """Return the characters of the basic plane that Unicode 3.2 has."""
    return "".join(chr(i) for i in range(1 << 16) if ucd_3_2_0.category(chr(i)) not in ("Cn", "Cs"))


def write_tiny(tokenizer: Tokenizer, folder: Path) -> tuple[Path, Path]:
    """Export a tiny pair whose weights are zeros, so that llama.cpp can load the vocabulary."""
    checkpoint = Checkpoint({}, TINY.language, TINY.vision, tokenizer)
    kind = find_type("F32")
    specs = [*language_tensors(checkpoint.shape, kind), *vision_tensors(checkpoint.shape, kind)]
    weights = {spec.name: np.zeros(spec.shape[::-1], np.float32) for spec in specs}
    return export(Checkpoint(weights, TINY.language, TINY.vision, tokenizer), folder, "F32")


def read_tokenizer(model: Path) -> Tokenizer:
    """Build the tokenizer of an exported file from its merges."""
    metadata = read_header(model).metadata
    merges, texts = (metadata[f"tokenizer.ggml.{name}"] for name in ("merges", "tokens"))
    assert isinstance(merges, GGUFArray)
    assert isinstance(texts, GGUFArray)
    tokenizer = Tokenizer(merges.strings())
    assert tokenizer.texts == texts.strings(), f"{model} has a vocabulary that does not follow from its merges"
    return tokenizer


def run(count: int, seed: int, path: Path) -> list[str]:
    """Tokenise `count` texts both ways, with and without control tokens, and decode them; return those that differ."""
    tokenizer = read_tokenizer(path)
    texts = Texts(tokenizer, real_texts(count, seed), seed)
    model = LlamaModel(path, make_settings(threads=1), Placement(), no_progress)
    try:
        return [text for text in (texts.draw() for _ in range(count)) if not _agree(tokenizer, model, text)]
    finally:
        model.close()


def _agree(tokenizer: Tokenizer, model: LlamaModel, text: str) -> bool:
    for special in (True, False):
        tokens = model.tokenize(text, special=special)
        if tokenizer.encode(text, special=special) != tokens or tokenizer.decode(tokens) != text:
            return False
        if b"".join(map(model.piece, tokens)) != text.encode():
            return False
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=count, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", type=Path, help="exported GGUF; default: one made from a newly trained tokenizer")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model = args.model or write_tiny(Tokenizer.train(corpus(), N_MERGES), Path(folder))[0]
        different = run(args.count, args.seed, model)
    for text in different[:20]:
        print(repr(text))
    print(f"{len(different)} of {args.count} texts differ")
    sys.exit(bool(different))


if __name__ == "__main__":
    main()
