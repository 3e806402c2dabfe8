"""Class names of a segmentation answer, in the order in which its mask numbers them."""

from collections.abc import Container
from dataclasses import dataclass
from itertools import takewhile

from youtu_gguf.decode.grammar import Block, Tag, by_place, leaves, read_blocks, scan
from youtu_gguf.types import Issue, Spans

_BACKGROUND = "OTHERS"


@dataclass(frozen=True)
class FoundClasses:
    """`names` in order; `background` is True where the answer names `<OTHERS>`; flaws as `issues`.

    `spans` tell per name where it is written.

    `<BG>` and `<FG>` of a core-target answer come as the names "<BG>" and "<FG>": which comes first is the answer's
    choice.
    """

    names: tuple[str, ...]
    background: bool = False
    issues: tuple[Issue, ...] = ()
    spans: tuple[Spans, ...] = ()


def parse_classes(text: str) -> FoundClasses:
    """Find the classes an answer names, in order, up to the mask the reference appends to it.

    Dropped, with an issue: an empty name, a name that was named before, a name that the end of the text cut off.
    `<OTHERS>`, alone or inside a `<ref>`, is the background, not a name.
    """
    issues: list[Issue] = []
    names: dict[str, Spans] = {}
    background = False
    blocks = takewhile(lambda block: block.name != "mask", read_blocks(text, issues))
    for leaf in leaves(blocks):
        tag = _background(leaf)
        if leaf.name == _BACKGROUND:
            background = True
        elif tag is not None:
            background = True
            if tag.misspelt:
                issues.append(Issue(f"{leaf.words!r} is read as <{_BACKGROUND}>", leaf.start, leaf.end))
        elif leaf.name == "ref":
            flaw = _flaw(leaf.words, leaf.cut, names)
            if flaw:
                issues.append(Issue(flaw, leaf.start, leaf.end))
            else:
                names[leaf.words] = leaf.spans
    return FoundClasses(tuple(names), background, by_place(issues), tuple(names.values()))


def _background(leaf: Block) -> Tag | None:
    """Return the tag `<OTHERS>` where it is all that a name says."""
    if leaf.words[:1] not in ("<", "＜"):
        return None
    tag = next(scan(leaf.words), None)
    return tag if tag is not None and tag.name == _BACKGROUND and tag.span == (0, len(leaf.words)) else None


def _flaw(name: str, cut: bool, known: Container[str]) -> str:
    if cut:
        return "class name is cut off, dropped"
    if not name:
        return "class name is empty, dropped"
    return f"class {name!r} is named again, dropped" if name in known else ""
