"""Persons of a pose answer, as written: pixels of the prepared image."""

from dataclasses import dataclass

import numpy as np

from youtu_gguf.decode.boxes import XYXY, read_box
from youtu_gguf.decode.grammar import Block, by_place, leaves, read_blocks
from youtu_gguf.decode.points import Point, outside, read_points
from youtu_gguf.facts import N_JOINTS
from youtu_gguf.types import F32, Issue, Size, Spans, checked

_NAN = float("nan")
_NO_BOX: XYXY = (_NAN, _NAN, _NAN, _NAN)
_MISSING = Point(0.0, 0.0, 0.0)
_NOUNS = {"kpt": "joint", "box": "box"}


@dataclass(frozen=True, eq=False)
class FoundPoses:
    """Persons in the prepared image: `xyv` (n, 16, 3) float32, `boxes` (n, 4) float32, flaws as `issues`.

    A joint is x, y, visibility. Visibility is NaN where the answer gave none; a joint that the answer lacks is
    (0, 0, 0): visibility 0 means missing. A person without a usable box has four NaN. `spans` tell per person where the
    numbers of the box and the joints are written.
    """

    xyv: F32
    boxes: F32
    issues: tuple[Issue, ...] = ()
    spans: tuple[Spans, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "xyv", checked("xyv", self.xyv, (None, N_JOINTS, 3), np.float32))
        object.__setattr__(self, "boxes", checked("boxes", self.boxes, (None, 4), np.float32))


def parse_poses(text: str, *, size: Size | None = None) -> FoundPoses:
    """Find the persons of a pose answer, in order, with 16 joints each.

    Joints are identified by their order, so a joint without a readable x or y keeps its place as missing. Apart from
    the marks for missing parts (see `FoundPoses`), every number returned is written in the text. Each of these is an
    issue: fewer than 16 joints (the last ones are missing), more (the rest is ignored), no usable box, a second box,
    points outside `size`, a joint or a box outside any person (ignored), a person with neither joint nor box (dropped),
    an exact repeat of a person (dropped). A joint without visibility is not a flaw.

    Args:
        text: The answer.
        size: The prepared image; None leaves the range unchecked.
    """
    issues: list[Issue] = []
    found: dict[tuple[XYXY | None, tuple[Point, ...]], Spans] = {}
    for block in read_blocks(text, issues):
        if block.name == "person":
            box, joints, spans, flaws = _read_person(block, size)
            issues += flaws
            if (box, joints) in found:
                issues.append(Issue("repeated person, dropped", block.start, block.end))
            elif box is not None or joints:
                found[box, joints] = spans
            continue
        for leaf in leaves([block]):
            if leaf.name in _NOUNS:
                issues.append(Issue(f"{_NOUNS[leaf.name]} outside any person, ignored", leaf.start, leaf.end))
    xyv = [[_numbers(joint) for joint in _padded(joints)] for _, joints in found]
    boxes = [box or _NO_BOX for box, _ in found]
    return FoundPoses(np.array(xyv, np.float32), np.array(boxes, np.float32), by_place(issues), tuple(found.values()))


def _read_person(block: Block, size: Size | None) -> tuple[XYXY | None, tuple[Point, ...], Spans, list[Issue]]:
    box, spans, issues = _read_boxes(block, size)
    joints, flaws = _read_joints(block)
    issues += flaws
    if box is None and all(joint is _MISSING for joint in joints):
        issues.append(Issue("person has neither box nor joints, dropped", block.start, block.end))
        return None, (), (), issues
    problems = ["person has no usable box"] if box is None else []
    if len(joints) != N_JOINTS:
        rest = "the last are missing" if len(joints) < N_JOINTS else "the rest is ignored"
        problems.append(f"a person needs {N_JOINTS} joints; got {len(joints)}, {rest}")
    joints = joints[:N_JOINTS]
    beyond = sum(outside(joint.x, joint.y, size) for joint in joints)
    if beyond:
        problems.append(f"{beyond} joint(s) lie beyond the image")
    spans += tuple(span for joint in joints for span in joint.spans)
    return box, tuple(joints), spans, issues + [Issue(problem, block.start, block.end) for problem in problems]


def _read_boxes(person: Block, size: Size | None) -> tuple[XYXY | None, Spans, list[Issue]]:
    """Return the first usable box, and where it is written."""
    box: XYXY | None = None
    spans: Spans = ()
    issues: list[Issue] = []
    for child in person.children:
        if child.name == "box" and box is None:
            box, flaws = read_box(child, size)
            spans = () if box is None else child.spans
            issues += flaws
        elif child.name == "box":
            issues.append(Issue("second box of a person, ignored", child.start, child.end))
    return box, spans, issues


def _read_joints(person: Block) -> tuple[list[Point], list[Issue]]:
    """Return the joints in order; several may share one `<kpt>`, and an empty one holds its place as missing.

    One of several `<kpt>` with leftover numbers beside its point, or with leftovers alone, is a single joint.
    """
    joints: list[Point] = []
    issues: list[Issue] = []
    blocks = [child for child in person.children if child.name == "kpt"]
    for child in blocks:
        points, flaws = read_points(child)
        whole = [point for point in points if point is not None]
        if len(blocks) > 1 and points and len(whole) <= 1:
            points = [*whole, None][:1]
        if not points:
            flaws.append(Issue("empty joint, taken as missing", child.start, child.end))
            points = [None]
        issues += flaws
        joints += [point or _MISSING for point in points]
    return joints, issues


def _padded(joints: tuple[Point, ...]) -> tuple[Point, ...]:
    return joints + (_MISSING,) * (N_JOINTS - len(joints))


def _numbers(joint: Point) -> tuple[float, float, float]:
    return joint.x, joint.y, _NAN if joint.v is None else joint.v
