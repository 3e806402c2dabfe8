"""The points of a block: x, y and, where written, a visibility."""

from dataclasses import dataclass, field

from youtu_gguf.decode.grammar import Block, Tag
from youtu_gguf.types import Issue, Size, Spans

_ORDER = {"x": 0, "y": 1, "v": 2}


@dataclass(frozen=True, slots=True)
class Point:
    """One point in pixels of the prepared image; `v` is its visibility, None where the answer gave none.

    `spans` are the places of its numbers, in this order. Points of equal numbers are equal, wherever they are written.
    """

    x: float
    y: float
    v: float | None = None
    spans: Spans = field(default=(), compare=False)


def read_points(block: Block) -> tuple[list[Point | None], list[Issue]]:
    """Read the points of `block` in order; None holds the place of a point that lacks a readable x or y."""
    points: list[Point | None] = []
    issues: list[Issue] = []
    alone: list[Tag] = []
    for group in _groups(block.numbers):
        values = {tag.name: tag.value for tag in group}
        x, y = values.get("x"), values.get("y")
        if x is not None and y is not None:
            spans = tuple(tag.span for tag in group if tag.value is not None)
            points.append(Point(x, y, values.get("v"), spans))
        elif group[0].name == "v":
            alone += group
        else:
            issues.append(Issue(f"incomplete point in <{block.name}>", group[0].start, group[-1].end))
            points.append(None)
    if alone:
        message = f"{len(alone)} visibility value(s) without a point, ignored"
        issues.append(Issue(message, alone[0].start, alone[-1].end))
    return points, issues


def _groups(numbers: tuple[Tag, ...]) -> list[list[Tag]]:
    """Split a number list into runs of x, y, v; a number that would go backwards starts the next run."""
    groups: list[list[Tag]] = []
    last = len(_ORDER)
    for tag in numbers:
        rank = _ORDER[tag.name]
        if rank <= last:
            groups.append([tag])
        else:
            groups[-1].append(tag)
        last = rank
    return groups


def outside(x: float, y: float, size: Size | None) -> bool:
    """Return whether a point lies beyond `size`; points on the right and bottom border lie inside."""
    return size is not None and (x > size.width or y > size.height)
