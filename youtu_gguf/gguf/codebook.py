"""Which tokens are the codebook: targets of training that are part of no prompt and of no answer (facts: tokens).

What the published file calls them is not known, and converters may give them other types. They are therefore found by
their place, between the tokens of vision and the coordinates, and by being counted up there. In case of doubt there is
none: dropping a token that answers need would be worse than keeping 150,000 that they do not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from gguf.constants import TokenType

from youtu_gguf.facts import BIN_TOKENS, N_CODEBOOK, VISION_TOKENS

MIN_CODEBOOK = 64
"""Least entries of one pattern that count as a codebook."""

_NUMBERED = re.compile(rb"(.*\D)?(\d{1,18})(\D*)", re.DOTALL)
"""Text with a number in it; the last counts. In time that grows with its length only."""
_TYPES = (TokenType.NORMAL, TokenType.CONTROL, TokenType.USER_DEFINED, TokenType.UNUSED)
_COORDINATE, _SPARE = re.compile(rb"<[xyv]_"), re.compile(rb"reserved|unused|extra")
_SHOWN_BYTES = 40


@dataclass(frozen=True)
class Run:
    """Neighbouring ids, from `first` on."""

    first: int
    count: int

    @property
    def stop(self) -> int:
        """The id after the last."""
        return self.first + self.count


@dataclass(frozen=True)
class _Counted(Run):
    """A run whose texts are `before`, a number that goes up by one, and `after`; all of one type."""

    before: bytes
    after: bytes
    kind: int


def find_codebook(
    texts: Sequence[bytes], types: Sequence[int] | None, coordinates: Run | None
) -> tuple[Run | None, str]:
    """Return where the codebook lies, and in words what was found there.

    Args:
        texts: All tokens.
        types: Their GGUF types, None where the file has none.
        coordinates: Where the coordinates lie, None where they are incomplete.
    """
    if types is None:
        return None, "tokens without types"
    if coordinates is None:
        return None, "none of the coordinates, or not all"
    vision = {token.encode() for token in VISION_TOKENS}
    start = 1 + max((at for at in range(coordinates.first) if texts[at] in vision), default=-1)
    if not start:
        return None, "no tokens of vision before the coordinates"
    found = [run for run in _counted(texts, types, start, coordinates.first) if run.count >= MIN_CODEBOOK]
    if not found:
        return None, _unnumbered(texts, start, coordinates.first)
    seen = ", ".join(_described(run, texts) for run in found)
    *others, run = found
    doubt = "either of which may be it" if others else _doubt(run, texts, coordinates.first)
    if doubt:
        return None, f"{seen}, {doubt}"
    count = min(run.count, N_CODEBOOK)  # one token of unknown use before them may be numbered alike
    run = replace(run, first=run.stop - count, count=count)
    return Run(run.first, count), _described(run, texts)


def _doubt(run: _Counted, texts: Sequence[bytes], stop: int) -> str | None:
    """Return why numbered entries may be something else; None where they can only be the codebook."""
    if run.stop != stop:
        return "and others between them and the coordinates"
    name = (run.before + run.after).lower()
    if not name.strip():
        return "which may be words"
    if _COORDINATE.match(name):
        return "which are named as in answers"
    if _SPARE.search(name) and run.count < N_CODEBOOK:
        return "which are named like spare tokens"
    others = {*texts[: run.first], *texts[run.stop :]}
    if not all(token.encode() in others for token in BIN_TOKENS):
        return "and beside them not all of the depth bins <custom_1> to <custom_1000>"
    return None


def _counted(texts: Sequence[bytes], types: Sequence[int], start: int, stop: int) -> Iterator[_Counted]:
    """Yield the runs between two ids in which a number goes up by one, written with leading zeros or without."""
    at = start
    while at < stop:
        first, kind = at, types[at]
        found = _NUMBERED.fullmatch(texts[at]) if kind in _TYPES else None
        at += 1
        if found is None:
            continue
        before, after, number, width = found[1] or b"", found[3], int(found[2]), len(found[2])
        while at < stop and types[at] == kind:
            if texts[at] != b"%b%0*d%b" % (before, width, number + at - first, after):
                break
            at += 1
        yield _Counted(first, at - first, before, after, kind)


def _described(run: _Counted, texts: Sequence[bytes]) -> str:
    kind = TokenType(run.kind).name
    return f"{run.count:,} of type {kind}, {_shown(texts[run.first])} to {_shown(texts[run.stop - 1])}"


def _unnumbered(texts: Sequence[bytes], start: int, stop: int) -> str:
    if start >= stop:
        return "no entries there"
    return f"{stop - start:,} that are not numbered as one run, {_shown(texts[start])} to {_shown(texts[stop - 1])}"


def _shown(text: bytes) -> str:
    cut = text[:_SHOWN_BYTES].decode("utf-8", "replace")
    return repr(cut + ("..." if len(text) > _SHOWN_BYTES else ""))
