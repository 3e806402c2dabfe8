"""Tokens of a prompt: only the template's own control tokens are control tokens; what a caller spells is text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING

from youtu_gguf.facts import PROMPT_TOKENS, VISION_TOKENS
from youtu_gguf.gguf.header import GGUFArray
from youtu_gguf.gguf.vocabulary import TOKENS, TokenIds
from youtu_gguf.prompts import TAG, Control

if TYPE_CHECKING:
    from youtu_gguf.engines.native.llama.handles import LlamaModel
    from youtu_gguf.gguf.header import Header

_IN_CONTROL = re.compile(r"(?<=<)(?=\|)")
"""A place in every control token of the chat template."""


class PromptTokens:
    """Tokenises the parts of prompts for one model.

    Args:
        model: Tokenises.
        header: Of the model's file.
    """

    def __init__(self, model: LlamaModel, header: Header) -> None:
        self._model, self._header = model, header
        self._control: dict[str, list[int]] = {}

    @cached_property
    def ids(self) -> TokenIds:
        """Ids by text: llama.cpp has no look-up, and tokenising searches the text for every special token."""
        tokens = self._header.metadata[TOKENS]
        assert isinstance(tokens, GGUFArray)
        return TokenIds(tokens)

    def __call__(self, parts: Iterable[str]) -> list[int]:
        """Return the tokens of `parts`, which `prompts.opening` or `prompts.closing` gave.

        Raises:
            InputError: A word is too long; see `LlamaModel.tokenize`.
        """
        return [token for part in parts for token in self._of_part(part)]

    def _of_part(self, part: str) -> list[int]:
        return self._of_control(part) if isinstance(part, Control) else self._of_words(part)

    def _of_control(self, text: str) -> list[int]:
        if text not in self._control:
            self._control[text] = self._model.tokenize(text, special=True)
        return self._control[text]

    def _of_words(self, words: str) -> list[int]:
        """Return the tokens of words: of text, and of tags, which some files call control tokens."""
        tags = {tag for tag in TAG.findall(words) if self._is_control(tag)}
        pieces = re.split(f"({'|'.join(map(re.escape, tags))})", words) if tags else [words]
        return [t for p in pieces for t in (self._of_control(p) if p in tags else self._of_text(p))]

    def _of_text(self, text: str) -> list[int]:
        # llama.cpp passes over control tokens in text, but not over those that a file calls "user-defined".
        pieces = _IN_CONTROL.split(text) if self._has_loose_control else [text]
        return [token for piece in pieces for token in self._model.tokenize(piece, special=False)]

    def _is_control(self, text: str) -> bool:
        tokens = self._of_control(text)
        return len(tokens) == 1 and self._model.is_control(tokens[0])

    @cached_property
    def _has_loose_control(self) -> bool:
        """Whether the file gives one of the template's tokens another type than control."""
        return not all(self._is_control(token) for token in {*PROMPT_TOKENS, *VISION_TOKENS})
