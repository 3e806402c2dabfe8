"""The tags of an answer, in order of appearance: one linear scan that never fails.

Knows how a tag is spelled, not what it means. Answers are parsed from their text and never from token ids:
which tags are single tokens is not published.
"""

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

TagKind = Literal["open", "close", "bare", "number", "broken"]

Span = tuple[int, int]
"""Characters start to stop (exclusive) of an answer."""

Spans = tuple[Span, ...]
"""Where in an answer an item is said: its words and numbers, without the tags around them."""

_BLOCK = "ref|box|ins|poly|person|kpt|mask"

# Every alternative starts at "<" and ends after a bounded number of characters, so the scan is linear whatever
# the text. Six digits are exact in float32; the vocabulary's coordinates end at 2047.
_TAG = re.compile(
    rf"<(?P<open>{_BLOCK})>"
    rf"|</(?P<close>{_BLOCK})>"
    r"|<(?P<bare>depth|BG|FG|OTHERS)>"
    r"|<(?P<number>[xy]_[0-9]{1,6}|v_[0-9]{1,3}(?:\.[0-9]{1,6})?)>"
    r"|<(?P<broken>[xyv]_[0-9.]{0,32})"
)


class Tag(NamedTuple):
    """One tag of an answer.

    `name` is the block's name (`ref`, `box`, `ins`, `poly`, `person`, `kpt`, `mask`), the bare tag (`depth`, `BG`,
    `FG`, `OTHERS`), or the axis of a number: `x` and `y` in pixels of the prepared image, `v` for visibility.
    `value` is the number itself; None for every other tag and for a number that cannot be read (kind "broken": cut
    off, negative, too long). `text[start:end]` is the tag as written.
    """

    kind: TagKind
    name: str
    value: float | None
    start: int
    end: int

    @property
    def span(self) -> Span:
        """Where the tag is written."""
        return self.start, self.end


def scan(text: str) -> Iterator[Tag]:
    """Yield the tags of `text` in order; everything between them is passed over.

    Linear in the length of `text` and free of exceptions, whatever it holds.
    """
    for match in _TAG.finditer(text):
        kind: TagKind = match.lastgroup  # type: ignore[assignment]  # the groups are named after the kinds
        name, value = match[kind], None
        if kind == "number":
            name, value = name[0], float(name[2:])
        elif kind == "broken":
            name = name[0]
        yield Tag(kind, name, value, match.start(), match.end())
