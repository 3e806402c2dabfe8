"""Outlines of an answer, as written: pixels of the prepared image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from youtu_gguf.decode.grammar import Block, by_place, leaves, read_blocks
from youtu_gguf.decode.points import Point, outside, read_points
from youtu_gguf.facts import MAX_OUTLINE_POINTS
from youtu_gguf.types import F32, Bits, Issue, Size, Spans, checked

MIN_POINTS = 3


@dataclass(frozen=True, eq=False)
class FoundPolygons:
    """Objects: `parts[i]` is the tuple of outlines of object i, each (k, 2) float32; n `labels`; flaws as `issues`.

    `spans` tell per object where its label and its points are written; a label from elsewhere has no place.
    """

    parts: tuple[tuple[F32, ...], ...]
    labels: tuple[str, ...]
    issues: tuple[Issue, ...] = ()
    spans: tuple[Spans, ...] = ()

    def __post_init__(self) -> None:
        parts = tuple(tuple(checked("outline", ring, (None, 2), np.float32) for ring in part) for part in self.parts)
        object.__setattr__(self, "parts", parts)


def parse_polygons(text: str, *, default_label: str = "", size: Size | None = None) -> FoundPolygons:
    """Find the outlined objects of an answer, in order.

    One `<ins>` is one object with all its `<poly>`; a `<poly>` outside any `<ins>` is an object of its own. An object
    takes the name of the last `<ref>` before its first outline; another name between its outlines starts another
    object. Every number returned is written in the text. Kept, with an issue: more than 20 points, points outside
    `size`, no area, visibilities (ignored), an outline that was cut off (its complete points).
    Dropped, with an issue: a point without x or y, an outline of fewer than 3 points, an object without outlines, an
    exact repeat of an object under the same name.

    Args:
        text: The answer.
        default_label: Name of objects that no `<ref>` precedes, or whose `<ref>` is empty.
        size: The prepared image; None leaves the range unchecked.
    """
    issues: list[Issue] = []
    reader = _Reader(default_label, size, issues)
    for block in read_blocks(text, issues):
        reader.take(block)
    parts = tuple(tuple(np.array(ring, dtype=np.float32) for ring in rings) for _, rings in reader.found)
    labels = tuple(label for label, _ in reader.found)
    return FoundPolygons(parts, labels, by_place(issues), tuple(reader.found.values()))


_Ring = tuple[tuple[float, float], ...]
_Label = tuple[str, Spans]


class _Reader:
    """Walks the blocks with the current label."""

    def __init__(self, default_label: str, size: Size | None, issues: list[Issue]) -> None:
        self.found: dict[tuple[str, tuple[_Ring, ...]], Spans] = {}
        self.issues = issues
        self._default = default_label
        self._label: _Label = (default_label, ())
        self._size = size

    def take(self, block: Block) -> None:
        if block.name == "ins":
            self._take_object(block)
            return
        for leaf in leaves([block]):
            if leaf.name == "ref":
                self._take_name(leaf)
            elif leaf.name == "poly" and (points := self._points(leaf)):
                self._add(self._label, [points], leaf)

    def _take_name(self, leaf: Block) -> None:
        self._label = (leaf.words or self._default, leaf.spans)

    def _take_object(self, block: Block) -> None:
        label = self._label
        outlines: list[list[Point]] = []
        for child in block.children:
            if child.name == "ref":
                self._take_name(child)
            elif child.name == "poly" and (points := self._points(child)):
                if outlines and self._label[0] != label[0]:
                    self._report("<ins> holds another name, taken as another object", child)
                    self._add(label, outlines, block)
                    outlines = []
                label = label if outlines else self._label
                outlines.append(points)
        if outlines:
            self._add(label, outlines, block)
        else:
            self._report("<ins> holds no outline, dropped", block)

    def _points(self, block: Block) -> list[Point]:
        """Return the outline's points, or none where there are too few."""
        points, flaws = read_points(block)
        self.issues += flaws
        whole = [point for point in points if point is not None]
        if len(whole) < MIN_POINTS:
            self._report(f"an outline needs {MIN_POINTS} points; got {len(whole)}, dropped", block)
            return []
        self._check(whole, block)
        return whole

    def _check(self, points: list[Point], block: Block) -> None:
        if len(points) > MAX_OUTLINE_POINTS:
            self._report(f"outline has {len(points)} points, more than {MAX_OUTLINE_POINTS}", block)
        if len({point.x for point in points}) == 1 or len({point.y for point in points}) == 1:
            self._report("outline has no area", block)
        n_visibilities = sum(point.v is not None for point in points)
        if n_visibilities:
            self._report(f"{n_visibilities} visibility value(s) in an outline, ignored", block)
        beyond = sum(outside(point.x, point.y, self._size) for point in points)
        if beyond:
            self._report(f"{beyond} point(s) of an outline lie beyond the image", block)

    def _add(self, label: _Label, outlines: list[list[Point]], block: Block) -> None:
        words, spans = label
        rings = tuple(tuple((point.x, point.y) for point in points) for points in outlines)
        if (words, rings) in self.found:
            self._report("repeated object, dropped", block)
        else:
            places = (
                span for points in outlines for point in points for span in point.spans[:2]
            )  # an outline has no v
            self.found[words, rings] = (*spans, *places)

    def _report(self, message: str, block: Block) -> None:
        self.issues.append(Issue(message, block.start, block.end))


_FRACTION_BITS = 4
_MOST = 1 << 20  # OpenCV counts sixteenths of a pixel in 32 bits; answers may hold any number


def fill_outlines(parts: Sequence[Sequence[F32]], size: Size) -> Bits:
    """Fill outlines.

    Args:
        parts: Per object its closed rings (k, 2) in pixels; pixel j covers j to j + 1.
        size: Of the image.

    Returns:
        (H, W) bool, whether a pixel is inside any ring: several of one object are its visible pieces, not holes.
    """
    import cv2

    bits = np.zeros((size.height, size.width), np.uint8)
    for ring in chain.from_iterable(parts):
        # OpenCV's integer points are the middles of pixels.
        points = np.rint((np.clip(ring, -_MOST, _MOST) - 0.5) * (1 << _FRACTION_BITS))
        cv2.fillPoly(bits, [points.astype(np.int32)], 1, shift=_FRACTION_BITS)
    return bits.astype(np.bool_)
