"""Class names of a segmentation answer, in the order in which its mask numbers them."""

from collections.abc import Container
from dataclasses import dataclass

from youtu_gguf.decode.blocks import by_place, read_blocks
from youtu_gguf.decode.tags import Spans
from youtu_gguf.types import Issue

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
    `<OTHERS>`, alone or inside a `<ref>`, is the background and no name.
    """
    issues: list[Issue] = []
    names: dict[str, Spans] = {}
    background = False
    for block in read_blocks(text, issues):
        if block.name == "mask":
            break
        if block.name == _BACKGROUND or block.words == f"<{_BACKGROUND}>":
            background = True
        elif block.name == "ref":
            flaw = _flaw(block.words, block.cut, names)
            if flaw:
                issues.append(Issue(flaw, block.start, block.end))
            else:
                names[block.words] = block.spans
    return FoundClasses(tuple(names), background, by_place(issues), tuple(names.values()))


def _flaw(name: str, cut: bool, known: Container[str]) -> str:
    if cut:
        return "class name is cut off, dropped"
    if not name:
        return "class name is empty, dropped"
    return f"class {name!r} is named again, dropped" if name in known else ""
