"""Boxes of an answer, as written: pixels of the prepared image."""

from dataclasses import dataclass

import numpy as np

from youtu_gguf.decode.grammar import Block, by_place, leaves, read_blocks
from youtu_gguf.decode.points import outside
from youtu_gguf.types import F32, Issue, Size, Spans, checked

XYXY = tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class FoundBoxes:
    """`xyxy` (n, 4) float32 left, top, right, bottom in the prepared image; n `labels`; flaws as `issues`.

    `spans` tell per box where its label and its corners are written; a label from elsewhere has no place.
    """

    xyxy: F32
    labels: tuple[str, ...]
    issues: tuple[Issue, ...] = ()
    spans: tuple[Spans, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "xyxy", checked("xyxy", self.xyxy, (None, 4), np.float32))


def parse_boxes(text: str, *, default_label: str = "", size: Size | None = None) -> FoundBoxes:
    """Find the labelled boxes of an answer, in order.

    A box takes the name of the last `<ref>` before it, so one name may serve several boxes. Every number returned is
    written in the text. Kept, with an issue: swapped corners (put in order), no area, corners outside `size`, a
    missing `</box>` after four numbers. Dropped, with an issue: a box that does not hold exactly x, y, x, y; an exact
    repeat of a box under the same name.

    Args:
        text: The answer.
        default_label: Name of boxes that no `<ref>` precedes, or whose `<ref>` is empty.
        size: The prepared image; None leaves the range unchecked.
    """
    issues: list[Issue] = []
    found: dict[tuple[str, XYXY], Spans] = {}
    label = default_label
    label_spans: Spans = ()
    for leaf in leaves(read_blocks(text, issues)):
        if leaf.name == "ref":
            label = leaf.words or default_label
            label_spans = leaf.spans
        elif leaf.name == "box":
            xyxy, flaws = read_box(leaf, size)
            issues += flaws
            if xyxy is not None and (label, xyxy) in found:
                issues.append(Issue("repeated box, dropped", leaf.start, leaf.end))
            elif xyxy is not None:
                found[label, xyxy] = (*label_spans, *leaf.spans)
    values = np.array([xyxy for _, xyxy in found], dtype=np.float32)
    return FoundBoxes(values, tuple(name for name, _ in found), by_place(issues), tuple(found.values()))


def read_box(block: Block, size: Size | None) -> tuple[XYXY | None, list[Issue]]:
    """Read one `<box>`: left, top, right, bottom in order, or None where it is unusable; flaws beside it."""
    values = [tag.value for tag in block.numbers if tag.value is not None]
    if "".join(tag.name for tag in block.numbers) != "xyxy" or len(values) != len("xyxy"):
        message = f"a box needs x, y, x, y; got {len(values)} readable number(s), dropped"
        return None, [Issue(message, block.start, block.end)]
    x0, y0, x1, y1 = values
    box = (min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))
    flaws = []
    if box != (x0, y0, x1, y1):
        flaws.append("box corners are swapped, put in order")
    if x0 == x1 or y0 == y1:
        flaws.append("box has no area")
    if size is not None and outside(box[2], box[3], size):
        flaws.append(f"box reaches beyond the {size.width}x{size.height} image")
    return box, [Issue(flaw, block.start, block.end) for flaw in flaws]
