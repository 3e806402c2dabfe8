"""A byte-level BPE tokenizer that learns its merges and cuts text exactly like llama.cpp's pre-tokenizer `youtu`.

It uses only the standard library and the vocabulary's order. Source of the rules: llama.cpp's `src/llama-vocab.cpp`
(LLAMA_VOCAB_PRE_TYPE_YOUTU) and `src/unicode.cpp` (`unicode_regex_split`). Python's Unicode tables classify the
characters, so the two can differ for a character that is newer than one of them.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Self

from gguf.constants import TokenType

from youtu_gguf.errors import InputError
from youtu_gguf.facts import N_COORDINATES, TAGS
from youtu_gguf.weights.synthetic.tokens import PADDED, VocabularyShape, byte_to_text, make_tokens

N_CONTROL, N_CODEBOOK = 8, 256
NAMING = replace(PADDED, tags=TAGS)
"""Nano was trained with every tag as a token of its own."""
N_BYTES = 256
N_MERGES = 1800
"""Most merges of the tokenizer that nano is trained with."""
MAX_CACHED_WORDS = 1 << 16

_SPECIAL = re.compile("<[^<>]*>")
"""Matches every special token of the vocabulary; they cannot overlap, so it need not search for the longest."""
_CJK = re.compile("([가-힣ㄱ-ㆎ]+|[！…“”‘’—：；，、-〿︰-﹏]+|[ㄅ-ㄯ]+|[一-龥぀-ゟ゠-ヿ]+)")
_NUMBER, _LETTER, _MARK, _OTHER, _WHITESPACE = "\xd1", "\xd2", "\xd4", "\xd0", "\x0b"
"""Substitutes of llama.cpp for characters above 127 before it matches the pattern below; others stay."""
_WORD = re.compile(
    # Upper and lower case are one class there, which makes its second alternative the same as the first.
    r"[^\r\nLN]?[LM]+(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])?"
    r"|[N]| ?[^\sLN]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+".replace("[LM]", f"[A-Za-z{_LETTER}{_MARK}]")
    .replace("LN]", f"A-Za-z{_LETTER}0-9{_NUMBER}]")
    .replace("[N]", f"[0-9{_NUMBER}]"),
    re.ASCII,
)


def split_words(text: str) -> list[str]:
    """Cut text without special tokens into pieces; merges stay within a piece."""
    if text.isascii():
        return _WORD.findall(text)
    words = []
    for chunk in _CJK.split(text):
        collapsed = "".join(map(_collapse, chunk))
        words += [chunk[slice(*match.span())] for match in _WORD.finditer(collapsed)]
    return words


@lru_cache(maxsize=1 << 16)
def _collapse(character: str) -> str:
    if character < "\x80":
        return character
    if character.isspace():
        return _WHITESPACE
    return {"N": _NUMBER, "L": _LETTER, "M": _MARK}.get(unicodedata.category(character)[0], _OTHER)


class Tokenizer:
    """Converts text to token ids and back, for the vocabulary that follows from merges ("left right", best first)."""

    def __init__(self, merges: Sequence[str]) -> None:
        self.shape = VocabularyShape(N_BYTES + len(merges), N_CONTROL, N_CODEBOOK)
        table = make_tokens(self.shape, merges, NAMING)
        self.texts, self.types, self.merges = table.texts, table.types, table.merges
        self._ids = {text: token for token, text in enumerate(self.texts)}
        self._ranks = {tuple(merge.split(" ")): rank for rank, merge in enumerate(self.merges)}
        self._specials = self._ids_of(TokenType.CONTROL, TokenType.USER_DEFINED)
        self._user_defined = self._ids_of(TokenType.USER_DEFINED)
        self._bytes = self.texts[:N_BYTES]
        self._words: dict[str, list[int]] = {}

    def _ids_of(self, *kinds: TokenType) -> dict[str, int]:
        wanted = set(map(int, kinds))
        return {self.texts[token]: token for token, kind in enumerate(self.types) if kind in wanted}

    def id(self, text: str) -> int:
        """Return the id of the special token `text`; KeyError if there is none."""
        return self._specials[text]

    @property
    def coordinates(self) -> range:
        """The coordinate tokens of both axes, x before y at each number."""
        first = self.id("<x_0>")
        return range(first, first + 2 * N_COORDINATES)

    def encode(self, text: str, *, special: bool = True) -> list[int]:
        """Return the tokens of `text`; without `special`, control tokens are read as plain text."""
        known = self._specials if special else self._user_defined
        ids: list[int] = []
        start = 0
        for match in _SPECIAL.finditer(text):
            token = known.get(match[0])
            if token is not None:
                if match.start() > start:
                    ids += self._encode_plain(text[start : match.start()])
                ids.append(token)
                start = match.end()
        if start < len(text):
            ids += self._encode_plain(text[start:])
        return ids

    def _encode_plain(self, text: str) -> list[int]:
        ids: list[int] = []
        cache = self._words
        for word in split_words(text):
            found = cache.get(word)
            ids += self._encode_word(word) if found is None else found
        return ids

    def _encode_word(self, word: str) -> list[int]:
        letters = [self._bytes[byte] for byte in word.encode()]
        whole = self._ids.get("".join(letters))  # llama.cpp looks up the whole word before it merges
        ids = [self._ids[piece] for piece in self._merge(letters)] if whole is None else [whole]
        if len(self._words) >= MAX_CACHED_WORDS:
            self._words.clear()
        self._words[word] = ids
        return ids

    def merged(self, text: str) -> list[str]:
        """Return the texts of the tokens of a normal token's text, which another tokenizer may have as one."""
        return self._merge(list(text))

    def _merge(self, pieces: list[str]) -> list[str]:
        while True:
            ranked = [(self._ranks[pair], at) for at, pair in enumerate(pairwise(pieces)) if pair in self._ranks]
            if not ranked:
                return pieces
            _, at = min(ranked)
            pieces[at : at + 2] = [pieces[at] + pieces[at + 1]]

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of tokens; unused ones have none, and invalid UTF-8 becomes U+FFFD."""
        return b"".join(map(self._token_bytes, ids)).decode(errors="replace")

    def _token_bytes(self, token: int) -> bytes:
        text, kind = self.texts[token], self.types[token]
        if kind == TokenType.NORMAL:
            return bytes(map(_byte_values().__getitem__, text))
        return b"" if kind == TokenType.UNUSED else text.encode()

    @classmethod
    def train(cls, corpus: Iterable[str], n_merges: int = 600) -> Self:
        """Learn up to `n_merges` merges from lines of text, fewer if no remaining pair occurs twice."""
        specials = cls([])._specials
        counts: Counter[str] = Counter()
        for line, times in Counter(corpus).items():
            for word in _plain_words(line, specials):
                counts[word] += times
        return cls(_learn_merges(counts, n_merges))

    def save(self, path: str | Path) -> None:
        """Write the merges, which determine the tokenizer, as JSON."""
        Path(path).write_text(json.dumps({"merges": self.merges}, ensure_ascii=False, indent=0) + "\n", "utf-8")

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what `save` wrote.

        Raises:
            InputError: The file is missing or damaged.
        """
        try:
            merges = json.loads(Path(path).read_text("utf-8"))["merges"]
            if not isinstance(merges, list) or not all(isinstance(m, str) and m.count(" ") == 1 for m in merges):
                raise TypeError("its merges are no list of pairs")
            return cls(merges)
        except (OSError, ValueError, KeyError, TypeError) as exc:
            raise InputError(
                f"expected a tokenizer in {path}, as a training run writes it; got: {exc}. Take the file of the run."
            ) from exc


@lru_cache(maxsize=1)
def _byte_values() -> dict[str, int]:
    return {byte_to_text(byte): byte for byte in range(N_BYTES)}


def _plain_words(line: str, specials: dict[str, int]) -> list[str]:
    """Cut a line into words, without its special tokens and numbers."""
    start, words = 0, []
    for match in _SPECIAL.finditer(line):
        if match[0] in specials:
            words += split_words(line[start : match.start()])
            start = match.end()
    words += split_words(line[start:])
    return [word for word in words if _collapse(word[0]) != _NUMBER and not word[0].isdigit()]


def _learn_merges(counts: Counter[str], n_merges: int) -> list[str]:
    """Join the most frequent pair, the first in text order among equals, until the merges are full."""
    words = [([byte_to_text(byte) for byte in word.encode()], times) for word, times in counts.items()]
    merges: list[str] = []
    made: set[str] = set()
    while len(merges) < n_merges:
        pairs: Counter[tuple[str, str]] = Counter()
        for pieces, times in words:
            for pair in pairwise(pieces):
                pairs[pair] += times
        # A piece that two pairs can form would need two tokens of the same text.
        able = [(-times, pair) for pair, times in pairs.items() if times > 1 and "".join(pair) not in made]
        if not able:
            break
        _, (left, right) = min(able)
        made.add(left + right)
        merges.append(f"{left} {right}")
        for pieces, _ in words:
            _join(pieces, left, right)
    return merges


def _join(pieces: list[str], left: str, right: str) -> None:
    at = 0
    while at + 1 < len(pieces):
        if pieces[at] == left and pieces[at + 1] == right:
            pieces[at : at + 2] = [left + right]
        at += 1
