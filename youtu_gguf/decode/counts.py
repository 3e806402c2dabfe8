"""The number of a counting answer."""

import re
from dataclasses import dataclass

from youtu_gguf.types import Issue, Spans

# A number stands alone: digits inside a tag, a word, a range, a fraction, a power, a percentage, an ordinal, or a
# count of dozens or ten thousands do not count. Groups may be set off by commas. The digits are bounded,
# so that no answer is a number too long to read.
_NUMBER = re.compile(
    r"(?<![A-Za-z_\d./+–—−．／＋－第-])(?<!\d[,，])"
    r"(?:\d{1,3}(?:,\d{3}){1,2}|\d{1,9})"
    r"(?![A-Za-z_\d%/–—−％／－‰-]|[.,．，]\d|[¼-¾²³¹⁰-₉⅐-⅟]|[十百千万亿]"
    r"| ?(?i:dozen|hundred|thousand|million|billion))"
)


@dataclass(frozen=True)
class FoundCount:
    """The number, or None where the answer has none or several; flaws as `issues`; `spans` are its first place."""

    value: int | None
    issues: tuple[Issue, ...] = ()
    spans: Spans = ()


def parse_count(text: str) -> FoundCount:
    """Find the one whole number of an answer, which may stand in a sentence and be repeated.

    Number words are not read: the question asks for a number.
    """
    numbers: dict[int, Spans] = {}
    for match in _NUMBER.finditer(text):
        numbers.setdefault(int(match[0].replace(",", "")), (match.span(),))
    if len(numbers) == 1:
        ((value, spans),) = numbers.items()
        return FoundCount(value, spans=spans)
    got = f"{len(numbers)} different ones" if numbers else "none"
    return FoundCount(None, (Issue(f"expected one whole number in the answer; got {got}", 0, len(text)),))
