"""The token list of a synthetic model: the published order of Youtu-VL's vocabulary at any size.

Base tokens (byte-level BPE), control tokens, the codebook, interleaved coordinates, depth bins, tags. Ids and
counts: docs/facts.md, "Tokens"; the order inside the last block is a guess there, and here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, product
from string import ascii_lowercase

from gguf.constants import TokenType

from youtu_gguf.errors import InputError
from youtu_gguf.facts import BEGIN, BIN_TOKENS, END, N_BINS, N_COORDINATES, N_TAG_SLOTS, TAGS, VISION_TOKENS

_SPACE = "Ġ"  # how byte-level BPE writes a leading space
_COMMON_PAIRS = (
    "th", "he", "in", "er", "an", "re", "on", "at", "en", "nd", "ti", "es", "or", "te", "of", "ed", "is", "it", "al",
    "ar", "st", "to", "nt", "ng", "se", "ha", "as", "ou", "io", "le", "ve", "co", "me", "de", "hi", "ri", "ro", "ic",
)  # fmt: skip
_COMMON_PIECES = (("in", "g"), ("th", "e"), ("an", "d"), ("io", "n"), ("en", "t"), ("Ġ", "the"), ("Ġ", "and"))


@dataclass(frozen=True)
class VocabularyShape:
    """Sizes of the blocks that differ between models: base tokens, control tokens before the vision ones, codebook."""

    n_base: int
    n_control: int
    n_codebook: int

    @property
    def n_tokens(self) -> int:
        """Tokens in all."""
        after_codebook = 2 * N_COORDINATES + N_BINS + N_TAG_SLOTS
        return self.n_base + self.n_control + len(VISION_TOKENS) + 1 + self.n_codebook + after_codebook


@dataclass(frozen=True)
class TokenTable:
    """Text and type of every token, and the merges of the base."""

    texts: list[str]
    types: list[int]
    merges: list[str]


def make_tokens(shape: VocabularyShape, merges: Sequence[str] | None = None) -> TokenTable:
    """Make the token list of a model whose vocabulary has this shape.

    Args:
        shape: Sizes of the blocks.
        merges: "left right", best first: as many as `shape.n_base` leaves room for beside the bytes. None takes
            made-up ones.
    """
    alphabet = [byte_to_text(byte) for byte in range(256)]
    if merges is None:
        merges = [f"{left} {right}" for left, right in _take_merges(shape.n_base - len(alphabet))]
    elif len(merges) != shape.n_base - len(alphabet):
        raise InputError(
            f"merges must number {shape.n_base - len(alphabet)}; got {len(merges)}. Change n_base or them."
        )
    table = TokenTable([], [], list(merges))

    def add(texts: Iterator[str] | list[str] | tuple[str, ...], kind: TokenType) -> None:
        for text in texts:
            table.texts.append(text)
            table.types.append(int(kind))

    def add_unused(count: int) -> None:
        add([f"[PAD{len(table.texts) + i}]" for i in range(count)], TokenType.UNUSED)

    add(alphabet, TokenType.NORMAL)
    add([merge.replace(" ", "") for merge in merges], TokenType.NORMAL)
    add((BEGIN, END), TokenType.CONTROL)
    add([f"<|reserved_special_token_{i}|>" for i in range(shape.n_control - 2)], TokenType.CONTROL)
    add(VISION_TOKENS, TokenType.CONTROL)
    add_unused(1 + shape.n_codebook)
    add([f"<{axis}_{k}>" for k in range(N_COORDINATES) for axis in "xy"], TokenType.USER_DEFINED)
    add(BIN_TOKENS, TokenType.USER_DEFINED)
    add(TAGS, TokenType.USER_DEFINED)
    add_unused(N_TAG_SLOTS - len(TAGS))
    return table


def byte_to_text(byte: int) -> str:
    """Return how GPT-2's byte-level BPE writes a byte: itself where printable, else a letter from U+0100 on."""
    if _is_printable(byte):
        return chr(byte)
    return chr(256 + sum(not _is_printable(other) for other in range(byte)))


def _is_printable(byte: int) -> bool:
    return chr(byte) != " " and chr(byte).isprintable()


def _take_merges(count: int) -> list[tuple[str, str]]:
    """Return the first `count` merges: frequent English pairs first, then all runs of two, three, four letters."""
    merges: list[tuple[str, str]] = []
    made: set[str] = set()
    for left, right in _all_merges():
        if len(merges) == count:
            break
        if left + right not in made:
            made.add(left + right)
            merges.append((left, right))
    return merges


def _all_merges() -> Iterator[tuple[str, str]]:
    letters = ascii_lowercase
    pairs = [a + b for a, b in product(letters, letters)]
    triples = [a + b for a, b in product(pairs, letters)]
    spaced = [_SPACE + a for a in letters]
    return chain(
        ((pair[0], pair[1]) for pair in _COMMON_PAIRS),
        _COMMON_PIECES,
        product(_SPACE, letters),
        product(letters, letters),
        product(spaced, letters),
        product(pairs, letters),
        product((_SPACE + pair for pair in pairs), letters),
        product(triples, letters),
    )
