"""How many tokens a prompt takes on a server, as far as that can be told from here, and what room that leaves."""

from __future__ import annotations

from dataclasses import dataclass

from youtu_gguf.engines.prefix import Prefix

TEXT_ALLOWANCE = 64
"""Upper bound of a turn's tokens beside images and texts: those of the template and the special tokens."""

LEAST_ROOM = 256
"""Tokens. A long prompt of words may leave less than this by its upper bound, which counts a token for every byte;
then the lower bound decides, and the server says if that was too little. Our own choice."""


@dataclass(frozen=True)
class PromptTokens:
    """Bounds of a prompt's tokens: `least` are those of the images; `most` counts every byte of its words as one."""

    least: int
    most: int


def prompt_tokens(prefix: Prefix, question: str) -> PromptTokens:
    """Return the bounds for a question and what precedes it."""
    n_image = sum(image.grid.n_tokens for image in prefix.images)
    n_text = sum(len(text.encode()) for text in (*prefix.texts, question))
    return PromptTokens(n_image, n_image + n_text + TEXT_ALLOWANCE * (1 + len(prefix.turns)))


def room_for_answer(n_context: int, prompt: PromptTokens) -> int:
    """Return the most tokens that an answer may have in a context, at least 1."""
    room = n_context - prompt.most
    return room if room >= LEAST_ROOM else max(1, n_context - prompt.least)
