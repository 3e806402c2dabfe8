"""Objects that a task found, each with its place in the image, and the rows that they are made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from youtu_gguf.facts import MPII_SKELETON, N_JOINTS
from youtu_gguf.types.arrays import F32, Bits, checked, freeze
from youtu_gguf.types.coco import coco_boxes
from youtu_gguf.types.detections import to_detections, to_key_points
from youtu_gguf.types.rows import Row, Rows, listing
from youtu_gguf.types.spans import Spans, freeze_spans

if TYPE_CHECKING:
    from supervision import Detections, KeyPoints


@dataclass(frozen=True, eq=False, repr=False)
class Box(Row):
    """One of `Boxes`: `xyxy` (4,) left, top, right, bottom; its `label`; its `score`, None where none was asked for.

    `spans` are pairs of start and stop (exclusive): the characters of the answer that say it, or None.
    """

    xyxy: F32
    label: str
    score: float | None = None
    spans: Spans | None = None

    def __post_init__(self) -> None:
        freeze(self, "xyxy", (4,), np.float32)
        freeze_spans(self)


@dataclass(frozen=True, eq=False, repr=False)
class Boxes(Rows[Box]):
    """Labelled boxes: `xyxy` (n, 4) left, top, right, bottom; `labels` n names; `scores` (n,) or None.

    `spans` tell where in `raw` each box is written: n tuples of pairs of start and stop (exclusive), counted in Unicode
    code points, of its label and its corners. Boxes under one label share its span; a label from the question has none.
    None where the boxes come from elsewhere.

    `boxes[0]` is a `Box`, and so is each of `for box in boxes`. `boxes[1:]`, `boxes[boxes.scores > 0.5]` and
    `boxes[[2, 0]]` are `Boxes` with those rows and everything else kept. Without a row they are falsy. An index beyond
    the rows is an `IndexError`, a mask of another length an `InputError`.
    """

    _row_type = Box
    _row_fields = ("xyxy", "labels", "scores", "spans")

    xyxy: F32
    labels: tuple[str, ...]
    scores: F32 | None = None
    spans: tuple[Spans, ...] | None = None

    def __post_init__(self) -> None:
        freeze(self, "xyxy", (None, 4), np.float32)
        super().__post_init__()

    @classmethod
    def from_coco(cls, data: Mapping[str, Any] | Sequence[Any], image: str | int | None = None) -> Self:
        """Return the boxes of an image in COCO's JSON, such as those of another detector; crowds are left out.

        ```python
        boxes = yg.Boxes.from_coco(json.loads(Path("found.coco.json").read_text()), "street.jpg")
        masks = [scene.refer(box=box.xyxy) for box in boxes]
        ```

        Args:
            data: A file of annotations, or a list of results, as `json` reads them. Results name no categories: their
                labels are "".
            image: File name or id of the image; of results, its id. None for the only image there is.

        Returns:
            The boxes in the order of the file; `scores` where it has any, NaN for a box that has none.

        Raises:
            InputError: It is no such JSON, or does not have exactly one such image.
        """
        found = [*coco_boxes(data, image)]
        scores = [np.nan if each.score is None else each.score for each in found]
        return cls(
            np.array([each.xyxy for each in found], np.float32),
            tuple(each.label for each in found),
            None if np.isnan(scores).all() else np.array(scores, np.float32),
        )

    def to_supervision(self) -> "Detections":
        """Return the boxes as `supervision.Detections`, with a class id per name and the names as "class_name".

        Raises:
            CapabilityError: The package supervision is not installed.
        """
        return to_detections(self.xyxy, self.labels, self.scores)

    def _summary(self) -> str:
        return listing(len(self), self.labels)


@dataclass(frozen=True, eq=False, repr=False)
class Polygon(Row):
    """One of `Polygons`: `parts`, its closed outlines, each (k, 2) x, y; its `label`; its `score`, or None.

    `spans` are as those of `Box`.
    """

    parts: tuple[F32, ...]
    label: str
    score: float | None = None
    spans: Spans | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", _outlines(self.parts))
        freeze_spans(self)


@dataclass(frozen=True, eq=False, repr=False)
class Polygons(Rows[Polygon]):
    """Labelled objects: `parts[i]` is the tuple of closed outlines of object i, each (k, 2) with k >= 3.

    `labels` are n names; `scores` (n,) or None; `spans` are as those of `Boxes`, of the label and the points. Rows are
    `Polygon`s, indexed and selected as those of `Boxes`.
    """

    _row_type = Polygon
    _row_fields = ("parts", "labels", "scores", "spans")

    parts: tuple[tuple[F32, ...], ...]
    labels: tuple[str, ...]
    scores: F32 | None = None
    spans: tuple[Spans, ...] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", tuple(_outlines(part) for part in self.parts))
        super().__post_init__()

    def _summary(self) -> str:
        return listing(len(self), self.labels)


@dataclass(frozen=True, eq=False, repr=False)
class Pose(Row):
    """One of `Poses`: `xyv` (16, 3) x, y, visibility per joint; `box` (4,) xyxy; `score`, or None.

    `spans` are as those of `Box`.
    """

    xyv: F32
    box: F32
    score: float | None = None
    spans: Spans | None = None

    def __post_init__(self) -> None:
        freeze(self, "xyv", (N_JOINTS, 3), np.float32)
        freeze(self, "box", (4,), np.float32)
        freeze_spans(self)


@dataclass(frozen=True, eq=False, repr=False)
class Poses(Rows[Pose]):
    """Persons: `xyv` (n, 16, 3) x, y, visibility (0 = missing, NaN = the answer gave none); `boxes` (n, 4) xyxy.

    `scores` (n,) or None; `spans` are as those of `Boxes`, of the box and the joints. Joints are in the order of
    `facts.MPII_JOINTS`; `skeleton` has the pairs of them that limbs join. Rows are `Pose`s, indexed and
    selected as those of `Boxes`.
    """

    _row_type = Pose
    _row_fields = ("xyv", "boxes", "scores", "spans")

    xyv: F32
    boxes: F32
    skeleton: tuple[tuple[int, int], ...] = MPII_SKELETON
    scores: F32 | None = None
    spans: tuple[Spans, ...] | None = None

    def __post_init__(self) -> None:
        freeze(self, "xyv", (None, N_JOINTS, 3), np.float32)
        freeze(self, "boxes", (len(self.xyv), 4), np.float32)
        super().__post_init__()

    def to_supervision(self) -> "KeyPoints":
        """Return the persons as `supervision.KeyPoints`, whose joints are in the order of `facts.MPII_JOINTS`.

        A missing joint lies at 0, 0 and is not `visible`; `data` has the boxes as "xyxy".

        Raises:
            CapabilityError: The package supervision is not installed, or older than 0.29.
        """
        return to_key_points(self.xyv, self.boxes, self.scores)

    def _summary(self) -> str:
        seen = np.count_nonzero(self.xyv[..., 2], axis=1).tolist()
        return listing(len(self), [f"{n} joints" for n in seen])


@dataclass(frozen=True, eq=False, repr=False)
class Instance(Row):
    """One of `Instances`: `mask` (H, W) bool; `xyxy` (4,); its `label`; its `score`, or None.

    `spans` are as those of `Box`.
    """

    mask: Bits
    xyxy: F32
    label: str
    score: float | None = None
    spans: Spans | None = None

    def __post_init__(self) -> None:
        freeze(self, "mask", (None, None), np.bool_)
        freeze(self, "xyxy", (4,), np.float32)
        freeze_spans(self)

    @property
    def area(self) -> int:
        """Pixels of the mask."""
        return int(np.count_nonzero(self.mask))


@dataclass(frozen=True, eq=False, repr=False)
class Instances(Rows[Instance]):
    """Objects one by one: `masks` (n, H, W) bool over the source image, with their boxes `xyxy` (n, 4) and `labels`.

    The largest box comes first; masks may overlap. `scores` (n,) tell how clearly each stands out of its surroundings,
    as `Mask.score`: 0 where a mask is empty. `xyxy` is where the object was detected, also where its mask is empty.
    `spans` are those of the boxes that the masks were made in, as in `Boxes`. Rows are `Instance`s, indexed and
    selected as those of `Boxes`.
    """

    _row_type = Instance
    _row_fields = ("masks", "xyxy", "labels", "scores", "spans")

    masks: Bits
    xyxy: F32
    labels: tuple[str, ...]
    scores: F32 | None = None
    refined_by: str = "none"
    spans: tuple[Spans, ...] | None = None

    def __post_init__(self) -> None:
        freeze(self, "masks", (None, None, None), np.bool_)
        freeze(self, "xyxy", (len(self.masks), 4), np.float32)
        super().__post_init__()

    def to_supervision(self) -> "Detections":
        """Return the objects as `supervision.Detections` with their masks; otherwise as `Boxes.to_supervision`."""
        return to_detections(self.xyxy, self.labels, self.scores, self.masks)

    def _summary(self) -> str:
        height, width = self.masks.shape[1:]
        return f"{width}x{height}, {listing(len(self), self.labels)}"


def _outlines(parts: tuple[F32, ...]) -> tuple[F32, ...]:
    return tuple(checked("outline", ring, (None, 2), np.float32) for ring in parts)
