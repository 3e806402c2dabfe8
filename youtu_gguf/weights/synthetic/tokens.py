"""The token list of a synthetic model: the published order of Youtu-VL's vocabulary at any size.

Base tokens (byte-level BPE), control tokens, the codebook, interleaved coordinates, depth bins, tags. Ids and
counts: docs/facts.md, "Tokens". Names and types: as llama.cpp's converter gives them (`get_vocab_base` in its
conversion/base.py): an added token that is special or looks like `<|...|>` is CONTROL, any other added token
USER_DEFINED, and an id without a token `[PADn]` and UNUSED.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, product
from string import ascii_lowercase

from gguf.constants import TokenType

from youtu_gguf.errors import InputError
from youtu_gguf.facts import BEGIN, BIN_TOKENS, END, N_BINS, N_COORDINATES, N_TAG_SLOTS, VISION_TOKENS

_SPACE = "Ġ"  # how byte-level BPE writes a leading space
_COMMON_PAIRS = (
    "th", "he", "in", "er", "an", "re", "on", "at", "en", "nd", "ti", "es", "or", "te", "of", "ed", "is", "it", "al",
    "ar", "st", "to", "nt", "ng", "se", "ha", "as", "ou", "io", "le", "ve", "co", "me", "de", "hi", "ri", "ro", "ic",
)  # fmt: skip
_PAD = "[PAD{id}]"
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


TAG_SLOTS = (
    "<box>", "</box>", "<ins>", "</ins>", "<poly>", "</poly>", "<kpt>", "</kpt>", "<ref>", "</ref>", "<BG>", "<FG>",
    "<OTHERS>", "<person>", "</person>",
)  # fmt: skip
"""Tokens right after the depth bins. The places of <ins>, <ref>, </ref> and <OTHERS> are known (facts: tokens), those
of the others a guess that fits between them."""


@dataclass(frozen=True)
class Naming:
    """What a converter called the added tokens, and which types it gave them.

    Attributes:
        codebook: Format of an entry's text, from its number `k` and its `id`. The default is as long as the published
            file's names: 18 to 21 characters, by the size of its metadata.
        codebook_type: Type of those entries.
        added_type: Type of coordinates, depth bins and tags; CONTROL where the tokenizer calls them special.
        tags: Texts of the first tokens after the depth bins.
    """

    codebook: str = "<|image_code_{k}|>"
    codebook_type: TokenType = TokenType.CONTROL
    added_type: TokenType = TokenType.USER_DEFINED
    tags: tuple[str, ...] = TAG_SLOTS


NAMED = Naming()
PADDED = Naming(codebook=_PAD, codebook_type=TokenType.UNUSED)
"""With names for the codebook, as the published file, and without."""


@dataclass(frozen=True)
class TokenTable:
    """Text and type of every token, and the merges of the base."""

    texts: list[str]
    types: list[int]
    merges: list[str]


def make_tokens(shape: VocabularyShape, merges: Sequence[str] | None = None, naming: Naming = NAMED) -> TokenTable:
    """Make the token list of a model whose vocabulary has this shape.

    Args:
        shape: Sizes of the blocks.
        merges: "left right", best first: as many as `shape.n_base` leaves room for beside the bytes. None takes
            made-up ones.
        naming: Names and types of the added tokens, by default those of the published file as far as they are known.
    """
    alphabet = [byte_to_text(byte) for byte in range(256)]
    if merges is None:
        merges = [f"{left} {right}" for left, right in _take_merges(shape.n_base - len(alphabet))]
    elif len(merges) != shape.n_base - len(alphabet):
        raise InputError(
            f"merges must number {shape.n_base - len(alphabet)}; got {len(merges)}. Change n_base or them."
        )
    table = TokenTable([], [], list(merges))

    def add(texts: Iterable[str], kind: TokenType) -> None:
        for text in texts:
            table.texts.append(text)
            table.types.append(int(kind))

    def add_numbered(pattern: str, count: int, kind: TokenType) -> None:
        first = len(table.texts)
        add((pattern.format(k=k, id=first + k) for k in range(count)), kind)

    add(alphabet, TokenType.NORMAL)
    add([merge.replace(" ", "") for merge in merges], TokenType.NORMAL)
    add((BEGIN, END), TokenType.CONTROL)
    add([f"<|reserved_special_token_{i}|>" for i in range(shape.n_control - 2)], TokenType.CONTROL)
    add(VISION_TOKENS, TokenType.CONTROL)
    if naming.codebook == _PAD:
        add_numbered(_PAD, 1, TokenType.UNUSED)
    else:  # a tokenizer numbers its added tokens without gaps, so this one has a name
        add([f"<|reserved_special_token_{shape.n_control - 2}|>"], TokenType.CONTROL)
    add_numbered(naming.codebook, shape.n_codebook, naming.codebook_type)
    add([f"<{axis}_{k}>" for k in range(N_COORDINATES) for axis in "xy"], naming.added_type)
    add(BIN_TOKENS, naming.added_type)
    add(naming.tags, naming.added_type)
    add_numbered(_PAD, N_TAG_SLOTS - len(naming.tags), TokenType.UNUSED)
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
