"""The tags of an answer, in order of appearance: one linear scan that never fails.

Knows how a tag is spelled, not what it means. Answers are parsed from their text and never from token ids:
which tags are single tokens is not published.
"""

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from youtu_gguf.facts import BARE_TAGS, BLOCK_TAGS

TagKind = Literal["open", "close", "bare", "number", "broken"]

Span = tuple[int, int]
"""Characters start to stop (exclusive) of an answer."""

Spans = tuple[Span, ...]
"""Where in an answer an item is written: its words and numbers, without the tags around them."""

_BLOCK, _BARE = "|".join(BLOCK_TAGS), "|".join(BARE_TAGS)
_AS_SPELLED = {name.lower(): name for name in (*BLOCK_TAGS, *BARE_TAGS)}

# Every alternative starts at "<" and ends after a bounded number of characters, so the scan is linear whatever
# the text. Six digits are exact in float32; the vocabulary's coordinates end at 2047. The last two are what a model
# writes letter by letter where it should have used a tag: other letters, spaces, full-width brackets.
_TAG = re.compile(
    rf"<(?P<open>{_BLOCK})>"
    rf"|</(?P<close>{_BLOCK})>"
    rf"|<(?P<bare>{_BARE})>"
    r"|<(?P<number>[xy]_[0-9]{1,6}|v_[0-9]{1,3}(?:\.[0-9]{1,6})?)>"
    r"|(?ai:[<＜]\s{0,8}(?P<broken>[xyv])\s{0,8}[_＿](?:[^<>＜＞]{0,32}[>＞]|[0-9.]{0,32}))"
    rf"|(?ai:[<＜]\s{{0,8}}(?P<misspelt>(?:[/／]\s{{0,8}})?(?:{_BLOCK})|{_BARE})\s{{0,8}}[>＞])"
)


class Tag(NamedTuple):
    """One tag of an answer.

    `name` is the block's name (`ref`, `box`, `ins`, `poly`, `person`, `kpt`, `mask`), the bare tag (`depth`, `BG`,
    `FG`, `OTHERS`), or the axis of a number: `x` and `y` in pixels of the prepared image, `v` for visibility.
    `value` is the number itself; None for every other tag and for a number that cannot be read (kind "broken": cut
    off, negative, a fraction of a pixel, too long, other letters). `text[start:end]` is the tag as written; `misspelt`
    means that it differs from `name` in upper and lower case, spaces, or full-width brackets.
    """

    kind: TagKind
    name: str
    value: float | None
    start: int
    end: int
    misspelt: bool = False

    @property
    def span(self) -> Span:
        """Where the tag is written."""
        return self.start, self.end


def scan(text: str) -> Iterator[Tag]:
    """Yield the tags of `text` in order; everything between them is skipped.

    Linear in the length of `text` and free of exceptions, whatever it holds.
    """
    for match in _TAG.finditer(text):
        if match.lastgroup == "misspelt":
            yield _misspelt(match)
            continue
        kind: TagKind = match.lastgroup  # type: ignore[assignment]  # the other groups are named after the kinds
        name, value = match[kind], None
        if kind == "number":
            name, value = name[0], float(name[2:])
        elif kind == "broken":
            name = name.lower()
        yield Tag(kind, name, value, *match.span())


def _misspelt(match: re.Match[str]) -> Tag:
    """Return the tag that was meant."""
    written = match["misspelt"].lower()
    name = _AS_SPELLED[written.lstrip("/／ \t\n\r\f\v")]
    kind: TagKind = "close" if written[0] in "/／" else "bare" if name in BARE_TAGS else "open"
    return Tag(kind, name, None, *match.span(), misspelt=True)
