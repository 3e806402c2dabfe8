"""What a model's token list holds in addition to words: the codebook, coordinates, depth bins and tags.

Everything is found by its text (facts: tokens); no id is assumed. `gguf.codebook` finds the codebook.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from gguf.constants import GGUFValueType, TokenType

from youtu_gguf.facts import BIN_TOKENS, N_BINS, N_COORDINATES, TAGS
from youtu_gguf.gguf.checks import Expect
from youtu_gguf.gguf.codebook import Run, find_codebook
from youtu_gguf.gguf.header import GGUFArray, Header

_N_BYTES = 3
"""Bytes by which `TokenIds` groups tokens: `<x_`, `<y_` and `<cu` are a thousand or two each."""

TOKENS, TYPES = "tokenizer.ggml.tokens", "tokenizer.ggml.token_type"


@dataclass(frozen=True)
class Inventory:
    """What the token list of a language model holds.

    Attributes:
        n_tokens: Entries in all.
        codebook: The entries that never occur in text; None where they cannot be identified.
        codebook_finding: In words: what the codebook's entries are called, or why there is none to be sure of.
        coordinates: `<x_0>`, `<y_0>`, `<x_1>` and so on; None where one is missing or out of order.
        n_bins: How many of `<custom_1>`..`<custom_1000>` are there.
        tags: Id of every known tag, None where it is not a token of its own.
    """

    n_tokens: int
    codebook: Run | None
    codebook_finding: str
    coordinates: Run | None
    n_bins: int
    tags: Mapping[str, int | None]

    @property
    def lacking(self) -> tuple[str, ...]:
        """Tokens that answers need and that are missing here."""
        lacks_bins = f"{N_BINS - self.n_bins:,} of the {N_BINS:,} depth bins, <custom_1> and so on"
        return (
            *(("the coordinates <x_0>, <y_0> and so on",) if self.coordinates is None else ()),
            *((lacks_bins,) if self.n_bins < N_BINS else ()),
        )


class TokenIds:
    """Ids by text. Only tokens that begin like those that were asked for are looked at one by one.

    Args:
        tokens: The token list of a language model, strings.
    """

    def __init__(self, tokens: GGUFArray) -> None:
        self._raw = tokens.raw
        self._edges = np.array(tokens.edges(), np.int64)
        self._groups: dict[bytes, dict[bytes, int]] = {}

    def get(self, text: str) -> int | None:
        """Return the id of the token whose text is exactly `text`, or None; of several, the last."""
        wanted = text.encode(errors="replace")
        beginning = wanted[:_N_BYTES]
        if beginning not in self._groups:
            self._groups[beginning] = self._group(beginning)
        return self._groups[beginning].get(wanted)

    def _group(self, beginning: bytes) -> dict[bytes, int]:
        data = np.frombuffer(self._raw, np.uint8)
        ids = np.arange(len(self._edges) - 1)
        for n, byte in enumerate(beginning, 8):  # after the length
            at = self._edges[ids] + n
            ids = ids[data[np.minimum(at, len(data) - 1)] == byte]  # what lies behind a short token is sorted out below
        starts, ends = self._edges[ids] + 8, self._edges[ids + 1]
        return {self._raw[a:b]: i for a, b, i in zip(starts.tolist(), ends.tolist(), ids.tolist(), strict=True)}


def take_inventory(header: Header) -> Inventory:
    """Look through the token list of a language model.

    Raises:
        ModelFileError: The file has no token list.
    """
    expect = Expect(header, "language model", "Use a Youtu-VL GGUF made by a current llama.cpp converter.")
    texts = list(expect.array(TOKENS, GGUFValueType.STRING, at_least=1).byte_strings())
    ids = {text: i for i, text in enumerate(texts)}
    coordinates = _coordinates(ids)
    codebook, finding = find_codebook(texts, _types(header, len(texts)), coordinates)
    n_bins = sum(token.encode() in ids for token in BIN_TOKENS)
    return Inventory(len(texts), codebook, finding, coordinates, n_bins, {tag: ids.get(tag.encode()) for tag in TAGS})


def control_tokens(header: Header) -> tuple[str, ...]:
    """Return the texts of all tokens of the type "control"; none where the file has no list of types."""
    texts = header.metadata.get(TOKENS)
    if not isinstance(texts, GGUFArray) or (types := _types(header, len(texts))) is None:
        return ()
    control = int(TokenType.CONTROL)
    return tuple(text for text, kind in zip(texts.strings(), types, strict=True) if kind == control)


def _types(header: Header, n_tokens: int) -> list[int] | None:
    types = header.metadata.get(TYPES)
    if not isinstance(types, GGUFArray) or len(types) != n_tokens:
        return None
    return [int(kind) for kind in types.numbers()]


def _coordinates(ids: Mapping[bytes, int]) -> Run | None:
    """Return where the coordinates lie, if they are all there, x and y in turn."""
    first = ids.get(b"<x_0>")
    if first is None:
        return None
    for k in range(N_COORDINATES):
        if ids.get(b"<x_%d>" % k) != first + 2 * k or ids.get(b"<y_%d>" % k) != first + 2 * k + 1:
            return None
    return Run(first, 2 * N_COORDINATES)
