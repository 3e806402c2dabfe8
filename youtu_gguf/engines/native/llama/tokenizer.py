"""Text to tokens, without asking llama.cpp twice.

`llama_tokenize` searches the text for every special token of the vocabulary, 155,000 in the published one: a call takes
2 to 5 ms even for one word, and 0.2 s and more for an answer of 160 tags, because every `<` may begin one
(scripts/bench/tokenizing.py). So texts are remembered, and lists are tokenised in one call where that is the same.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Sequence
from typing import Any

from youtu_gguf.engines.native.llama import bindings
from youtu_gguf.engines.native.llama.bindings import lib
from youtu_gguf.engines.native.llama.runs import check_runs
from youtu_gguf.errors import EngineError

REMEMBERED_CHARACTERS = 1 << 20
"""Most characters of the texts that are remembered; beyond that all are forgotten. About 4 MB."""
MOST_CHARACTERS = 1 << 14
"""Length from which a text is not remembered."""

_END = "[A-Za-z0-9\u4e00-\u9fa5]"
_JOINABLE = re.compile(rf" ?{_END}(?:[^\r\n]*{_END})?")
"""Texts that the pre-tokenizer `youtu` cuts alike alone and between line breaks. It has four ways to take a line break:
with spaces before it, with signs before it, with line breaks after it, or alone. A letter or digit before it and none
of `\\r\\n` behind leave the last. What follows a line break is cut as at the beginning of a text."""


class Tokenizer:
    """The tokeniser of one vocabulary. Safe to use from several threads."""

    def __init__(self, vocab: Any) -> None:
        self._vocab = vocab
        self._known: dict[tuple[str, bool], array[int]] = {}
        self._room = REMEMBERED_CHARACTERS

    def ids(self, text: str, *, special: bool) -> list[int]:
        """Return the ids of `text`; see `LlamaModel.tokenize`."""
        found = self._known.get((text, special))
        if found is None:
            found = self._ask(text, special)
            self._remember(text, special, found)
        return list(found)

    def ids_of_all(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the ids of each of `texts`, as `ids` without `special` would."""
        new = [text for text in dict.fromkeys(texts) if (text, False) not in self._known]
        joinable = [text for text in new if _JOINABLE.fullmatch(text)]
        if len(joinable) > 1:
            for text, found in zip(joinable, self._parts(joinable), strict=False):
                self._remember(text, False, found)
        return [self.ids(text, special=False) for text in texts]

    def _parts(self, texts: Sequence[str]) -> list[array[int]]:
        """Return the tokens of each of `texts`, from one call; nothing if a line break did not stay by itself."""
        line_break = self.ids("\n", special=False)
        parts = [array("i")]
        for token in self._ask("\n".join(texts), special=False):
            if [token] == line_break:
                parts.append(array("i"))
            else:
                parts[-1].append(token)
        return parts if len(parts) == len(texts) else []

    def _ask(self, text: str, special: bool) -> array[int]:
        check_runs(text)
        data = text.encode()
        buffer = (lib.llama_token * (len(data) + 2))()
        n = lib.llama_tokenize(self._vocab, data, len(data), buffer, len(buffer), False, special)
        if n < 0:
            raise EngineError(f"llama.cpp could not tokenise {text[:80]!r}.{bindings.recent_warnings()}")
        return array("i", buffer[:n])

    def _remember(self, text: str, special: bool, found: array[int]) -> None:
        if len(text) > MOST_CHARACTERS:
            return
        self._room -= len(text) + 1
        if self._room < 0:
            self._known = {}
            self._room = REMEMBERED_CHARACTERS
        self._known[text, special] = found
