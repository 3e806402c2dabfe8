"""The grammar of answers, which all parsers share: tags, and the blocks that they make.

Tags are found by one linear scan of the text that never fails, and never from token ids: which tags are single tokens
is not published. Blocks are names, number lists, and the objects that hold them. They are two levels deep, so hostile
nesting cannot build a deep tree:

    answer    = (container | leaf | bare | stray)*
    container = <ins> leaf* </ins>  |  <person> leaf* </person>  |  <mask> ... </mask>
    leaf      = <ref> name </ref>  |  <box> number* </box>  |  <poly> number* </poly>  |  <kpt> number* </kpt>

A block without its closing tag ends where the next block tag begins, or with the text. Numbers outside any leaf are
gathered into a leaf named `stray`. A misspelt tag, such as `<BOX>`, is read as the tag it resembles, but for opening
and bare ones inside a name, where it is part of the name. Each such flaw becomes an issue; the parsers decide what the
numbers of a block should be.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from youtu_gguf.facts import BARE_TAGS, BLOCK_TAGS
from youtu_gguf.types import Issue, Span, Spans

TagKind = Literal["open", "close", "bare", "number", "broken"]

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


_CONTAINERS = frozenset({"ins", "person", "mask"})
STRAY = "stray"

MAX_NAME = 1000
"""Characters of the longest name. Longer text is not a name, and every item under it would carry it."""

_CUT_CLOSING = re.compile(r"</(?:r|re|ref)?\Z")


class Block(NamedTuple):
    """A block of the answer, `text[start:end]` with its tags.

    `name` is the tag's name, or `stray`. `words` is the stripped text of a `ref`, which starts at character
    `words_start`; `numbers` are the number tags of the other leaves, broken ones included; `children` are the leaves of
    a container. `cut` is True when the text ended before the closing tag.
    """

    name: str
    start: int
    end: int
    words: str = ""
    words_start: int = 0
    numbers: tuple[Tag, ...] = ()
    children: tuple["Block", ...] = ()
    cut: bool = False

    @property
    def spans(self) -> Spans:
        """Where its words or its numbers are written."""
        if self.words:
            return ((self.words_start, self.words_start + len(self.words)),)
        return tuple(tag.span for tag in self.numbers)


def read_blocks(text: str, issues: list[Issue]) -> Iterator[Block]:
    """Yield the top-level blocks of `text` in order; flaws of the structure are appended to `issues` on the way.

    Linear in the length of `text`; never raises.
    """
    builder = _Builder(text, issues)
    for tag in scan(text):
        builder.take(tag)
        if builder.done:
            yield from builder.done
            builder.done.clear()
    builder.finish()
    yield from builder.done


def leaves(blocks: Iterable[Block]) -> Iterator[Block]:
    """Yield every leaf and bare tag in order, those inside containers too."""
    for block in blocks:
        if block.name in _CONTAINERS:
            yield from block.children
        else:
            yield block


def by_place(issues: list[Issue]) -> tuple[Issue, ...]:
    """Return `issues` in the order of their places in the text."""
    return tuple(sorted(issues, key=lambda issue: issue.start))


class _Builder:
    """Holds at most one open container and one open leaf; finished top-level blocks wait in `done`."""

    def __init__(self, text: str, issues: list[Issue]) -> None:
        self.done: list[Block] = []
        self._text = text
        self._issues = issues
        self._container: Tag | None = None
        self._children: list[Block] = []
        self._leaf: Tag | None = None
        self._leaf_name = ""
        self._numbers: list[Tag] = []

    def take(self, tag: Tag) -> None:
        if tag.misspelt:
            if self._leaf_name == "ref" and tag.kind != "close":
                return
            self._report(f"{self._text[tag.start : tag.end]!r} is read as {_spelled(tag)}", tag.start, tag.end)
        if tag.kind in ("number", "broken"):
            self._take_number(tag)
        elif tag.kind == "open":
            self._open(tag)
        elif tag.kind == "close":
            self._close(tag)
        elif self._leaf_name != "ref":  # inside a name a bare tag is part of the name
            self._end_leaf(tag.start)
            self._add(Block(tag.name, tag.start, tag.end))

    def finish(self) -> None:
        end = len(self._text)
        self._end_leaf(end, cut=True)
        self._end_container(end, cut=True)

    def _take_number(self, tag: Tag) -> None:
        if tag.kind == "broken" and (self._leaf is None or self._leaf_name == "ref"):
            return  # "<x_axis>" in prose or in a name is just text
        if self._leaf_name == "ref":
            self._end_leaf(tag.start)
        if self._leaf is None:
            self._leaf, self._leaf_name = tag, STRAY
        self._numbers.append(tag)

    def _open(self, tag: Tag) -> None:
        self._end_leaf(tag.start)
        if tag.name in _CONTAINERS:
            self._end_container(tag.start)
            self._container = tag
        else:
            self._leaf, self._leaf_name = tag, tag.name

    def _close(self, tag: Tag) -> None:
        if self._leaf is not None and self._leaf_name == tag.name:
            self._end_leaf(tag.start, closing=tag)
            return
        self._end_leaf(tag.start)
        if self._container is not None and self._container.name == tag.name:
            self._end_container(tag.start, closing=tag)
        else:
            self._report(f"</{tag.name}> closes nothing", tag.start, tag.end)

    def _end_leaf(self, at: int, *, closing: Tag | None = None, cut: bool = False) -> None:
        if self._leaf is None:
            return
        opening, name, numbers = self._leaf, self._leaf_name, tuple(self._numbers)
        end = closing.end if closing else at
        self._leaf, self._leaf_name, self._numbers = None, "", []
        if numbers:
            self._report_broken(numbers)
        if name == STRAY:
            end = numbers[-1].end
            self._report(f"{len(numbers)} number(s) outside any block, ignored", opening.start, end)
        elif closing is None:
            self._report(f"<{name}> is not closed", opening.start, end)
        words, words_start = self._words(opening, at, closed=closing is not None) if name == "ref" else ("", 0)
        self._add(Block(name, opening.start, end, words, words_start, numbers, cut=cut))

    def _words(self, opening: Tag, at: int, *, closed: bool) -> tuple[str, int]:
        """Return the name that ends at character `at`, and where it starts."""
        inside = self._text[opening.end : at]
        if not closed:
            inside = _CUT_CLOSING.sub("", inside)
        words_start = opening.end + len(inside) - len(inside.lstrip())
        words = inside.strip()
        if len(words) > MAX_NAME:
            message = f"a name of {len(words)} characters, more than {MAX_NAME}, ignored"
            self._report(message, words_start, words_start + len(words))
            return "", 0
        return words, words_start

    def _report_broken(self, numbers: tuple[Tag, ...]) -> None:
        """Report the unreadable numbers of one block together."""
        if broken := [tag for tag in numbers if tag.kind == "broken"]:
            first, last = broken[0], broken[-1]
            written = self._text[first.start : first.end]
            self._report(f"{len(broken)} unreadable number(s), the first {written!r}", first.start, last.end)

    def _end_container(self, at: int, *, closing: Tag | None = None, cut: bool = False) -> None:
        if self._container is None:
            return
        opening, children = self._container, tuple(self._children)
        end = closing.end if closing else at
        self._container, self._children = None, []
        if closing is None:
            self._report(f"<{opening.name}> is not closed", opening.start, end)
        self.done.append(Block(opening.name, opening.start, end, children=children, cut=cut))

    def _add(self, block: Block) -> None:
        (self.done if self._container is None else self._children).append(block)

    def _report(self, message: str, start: int, end: int) -> None:
        self._issues.append(Issue(message, start, end))


def _spelled(tag: Tag) -> str:
    return f"</{tag.name}>" if tag.kind == "close" else f"<{tag.name}>"
