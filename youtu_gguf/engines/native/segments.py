"""A prefix as the network reads it: stretches of tokens with images between them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import TYPE_CHECKING

from youtu_gguf import prompts
from youtu_gguf.types import PreparedImage

if TYPE_CHECKING:
    from youtu_gguf.engines.native.prompt_tokens import PromptTokens
    from youtu_gguf.engines.prefix import Prefix

Segment = Sequence[int] | PreparedImage
"""Text tokens, or an image. At least one token comes before each image, and no two stretches follow each other."""


def read_prefix(prefix: Prefix, tokens_of: PromptTokens) -> tuple[tuple[Segment, ...], str]:
    """Return the segments of a prefix, and its last words, which are to be tokenised together with the question.

    Raises:
        InputError: A word is too long; see `LlamaModel.tokenize`.
    """
    parts = list(prompts.opening(prefix.system, prefix.parts, prefix.turns))
    last = parts[-1]
    words = ""
    if isinstance(last, str) and not isinstance(last, prompts.Control):
        words = last
        del parts[-1]
    segments: list[Segment] = []
    stretch: list[str] = []
    for part in parts:
        if isinstance(part, str):
            stretch.append(part)
        else:
            segments += [tokens_of(stretch), part]
            stretch = []
    return (*segments, tokens_of(stretch)), words


def length(segments: Sequence[Segment]) -> int:
    """Return the number of positions that `segments` take."""
    return sum(map(n_positions, segments))


def n_positions(segment: Segment) -> int:
    """Return the number of positions that a segment takes."""
    return segment.grid.n_tokens if isinstance(segment, PreparedImage) else len(segment)


def n_state_rows(segments: Sequence[Segment]) -> int:
    """Return the number of states kept for `segments`: of each image's tokens, and of the position before them."""
    return sum(1 + segment.grid.n_tokens for segment in segments if isinstance(segment, PreparedImage))


def n_common(a: Sequence[int], b: Sequence[int]) -> int:
    """Return how many tokens at the beginning of two stretches are equal."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(a, b, strict=False)))


def extended(segments: Sequence[Segment], tokens: Sequence[int]) -> tuple[Segment, ...]:
    """Return `segments`, which end with tokens, with further ones."""
    last = segments[-1]
    assert not isinstance(last, PreparedImage)
    return (*segments[:-1], [*last, *tokens])


def n_shared(held: Sequence[Segment], wanted: Sequence[Segment]) -> int:
    """Return how many positions at the beginning of `wanted` are those of `held`.

    What follows them begins with a token: the state of the position before an image is read when it is decoded.
    """
    n = 0
    for a, b in zip(held, wanted, strict=False):
        common = _n_common(a, b)
        n += common
        if common < max(n_positions(a), n_positions(b)):
            break
    rest = after(wanted, n)
    return n - 1 if rest and isinstance(rest[0], PreparedImage) else n


def _n_common(a: Segment, b: Segment) -> int:
    if isinstance(a, PreparedImage) or isinstance(b, PreparedImage):
        same = isinstance(a, PreparedImage) and isinstance(b, PreparedImage) and a.digest == b.digest
        return n_positions(a) if same else 0
    return n_common(a, b)


def after(segments: Sequence[Segment], n: int) -> tuple[Segment, ...]:
    """Return what follows the first `n` positions, which do not end inside an image."""
    left = list(segments)
    while left and n >= (size := n_positions(left[0])):
        n -= size
        del left[0]
    if n:
        first = left[0]
        assert not isinstance(first, PreparedImage)
        left[0] = first[n:]
    return tuple(left)
