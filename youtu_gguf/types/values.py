"""The values that tasks return, and the geometry they are expressed in. No I/O.

Unless a docstring says otherwise, coordinates are pixels of the **source** image (upright, after its EXIF
orientation), origin at the top-left corner, x to the right, y down, float32. A pixel's area spans
``[x, x + 1)``, so a box over a whole image is ``(0, 0, width, height)``.

Scores lie in 0..1. They are None where none were asked for, and NaN for an item whose tokens the engine does not know;
docs/scores.md tells what they mean.

Arrays are checked once, when a value is made, and are read-only from then on.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from youtu_gguf.errors import InputError
from youtu_gguf.facts import MPII_SKELETON, N_JOINTS
from youtu_gguf.types.arrays import F32, I32, Bits, checked
from youtu_gguf.types.choices import DepthUnit, Finish


@dataclass(frozen=True, slots=True)
class Issue:
    """A flaw found while decoding: what it was, and where in `Result.raw` (character offsets)."""

    message: str
    start: int = 0
    end: int = 0


@dataclass(frozen=True)
class Timings:
    """Seconds spent on one result. Encode and prefill are zero when an earlier question paid for them."""

    encode_s: float = 0.0
    prefill_s: float = 0.0
    generate_s: float = 0.0
    decode_s: float = 0.0
    n_image_tokens: int = 0
    n_generated: int = 0


@dataclass(frozen=True, eq=False, kw_only=True)
class Result:
    """What every value carries besides itself."""

    raw: str = ""
    """The model's answer as it came; empty when nothing was generated. Where a task asked several questions, all their
    answers in order, with a line break between them."""
    finish: Finish = "none"
    """Why the answer ended; of several, why the first ended that did not end by itself."""
    issues: tuple[Issue, ...] = ()
    timings: Timings = field(default_factory=Timings)

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)


@dataclass(frozen=True, eq=False)
class Text(Result):
    """A free answer, and the `score` of all its text. `str()` gives the words."""

    value: str
    score: float | None = None

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, eq=False)
class Count(Result):
    """How many there are, and the number's `score`; None where the answer gives no number. `str()` gives the digits.

    `boxes` are those that were counted, where it was counted by detecting; else None.
    """

    value: int | None
    score: float | None = None
    boxes: "Boxes | None" = None

    def __str__(self) -> str:
        return "" if self.value is None else str(self.value)


@dataclass(frozen=True, eq=False)
class Boxes(Result):
    """Labelled boxes: `xyxy` (n, 4) left, top, right, bottom; `labels` n names; `scores` (n,) or None."""

    xyxy: F32
    labels: tuple[str, ...]
    scores: F32 | None = None

    def __post_init__(self) -> None:
        self._set("xyxy", checked("xyxy", self.xyxy, (None, 4), np.float32))
        _check_count("labels", self.labels, len(self.xyxy))
        self._set("scores", _checked_scores(self.scores, len(self.xyxy)))

    def __len__(self) -> int:
        return len(self.xyxy)


@dataclass(frozen=True, eq=False)
class Polygons(Result):
    """Labelled objects: `parts[i]` is the tuple of closed outlines of object i, each (k, 2) with k >= 3.

    `labels` are n names; `scores` (n,) or None.
    """

    parts: tuple[tuple[F32, ...], ...]
    labels: tuple[str, ...]
    scores: F32 | None = None

    def __post_init__(self) -> None:
        rings = tuple(tuple(checked("outline", ring, (None, 2), np.float32) for ring in part) for part in self.parts)
        self._set("parts", rings)
        _check_count("labels", self.labels, len(rings))
        self._set("scores", _checked_scores(self.scores, len(rings)))

    def __len__(self) -> int:
        return len(self.parts)


@dataclass(frozen=True, eq=False)
class Poses(Result):
    """Persons: `xyv` (n, 16, 3) x, y, visibility (0 = missing, NaN = the answer gave none); `boxes` (n, 4) xyxy.

    `scores` (n,) or None.
    """

    xyv: F32
    boxes: F32
    skeleton: tuple[tuple[int, int], ...] = MPII_SKELETON
    scores: F32 | None = None

    def __post_init__(self) -> None:
        self._set("xyv", checked("xyv", self.xyv, (None, N_JOINTS, 3), np.float32))
        self._set("boxes", checked("boxes", self.boxes, (len(self.xyv), 4), np.float32))
        self._set("scores", _checked_scores(self.scores, len(self.xyv)))

    def __len__(self) -> int:
        return len(self.xyv)


@dataclass(frozen=True, eq=False)
class Mask(Result):
    """One region: `bits` (H, W) bool over the source image; `score` tells how clearly it stands out, or None.

    `refined_by` names the refinement that pulled its border to the picture's edges, "none" when none did.
    """

    bits: Bits
    score: float | None = None
    refined_by: str = "none"

    def __post_init__(self) -> None:
        self._set("bits", checked("bits", self.bits, (None, None), np.bool_))


@dataclass(frozen=True, eq=False)
class Instances(Result):
    """Objects one by one: `masks` (n, H, W) bool over the source image, with their boxes `xyxy` (n, 4) and `labels`.

    The largest box comes first; masks may overlap. `scores` (n,) tell how clearly each stands out of its surroundings,
    as `Mask.score`: 0 where a mask is empty.
    """

    masks: Bits
    xyxy: F32
    labels: tuple[str, ...]
    scores: F32 | None = None
    refined_by: str = "none"

    def __post_init__(self) -> None:
        self._set("masks", checked("masks", self.masks, (None, None, None), np.bool_))
        n = len(self.masks)
        self._set("xyxy", checked("xyxy", self.xyxy, (n, 4), np.float32))
        _check_count("labels", self.labels, n)
        self._set("scores", _checked_scores(self.scores, n))

    def __len__(self) -> int:
        return len(self.masks)


@dataclass(frozen=True, eq=False)
class LabelMap(Result):
    """A class per pixel: `ids` (H, W) int32 indexes `classes`, -1 = background.

    `margin` (H, W) or None is the lead of each pixel's best class over the second best, before refinement, as
    `decode.dense.label_margin` defines it. `refined_by` names the refinement that ran, "none" when none did. `scores`
    (K,) are those of the class names in the answer; None also where the classes were given and nothing was generated.
    """

    ids: I32
    classes: tuple[str, ...]
    margin: F32 | None = None
    refined_by: str = "none"
    scores: F32 | None = None

    def __post_init__(self) -> None:
        self._set("ids", checked("ids", self.ids, (None, None), np.int32))
        if self.margin is not None:
            self._set("margin", checked("margin", self.margin, self.ids.shape, np.float32))
        self._set("scores", _checked_scores(self.scores, len(self.classes)))

    @property
    def shares(self) -> tuple[float, ...]:
        """Share of the pixels that each class has, in the order of `classes`."""
        return tuple(float(np.mean(self.ids == i)) for i in range(len(self.classes)))

    def mask(self, name: str) -> Bits:
        """Return the (H, W) bool region of class `name`.

        Raises:
            InputError: `name` is not among `classes`.
        """
        if name not in self.classes:
            raise InputError(f"the label map has no class {name!r}; it has: {', '.join(self.classes) or 'none'}.")
        found: Bits = self.ids == self.classes.index(name)
        return found


@dataclass(frozen=True, eq=False)
class DepthMap(Result):
    """Distance per pixel: `values` (H, W) float32, 0 = invalid; metres when `unit` is "m", else only relative.

    `focal_px` is the focal length in source pixels that made them metres, None where none was used.
    """

    values: F32
    unit: DepthUnit
    focal_px: float | None = None

    def __post_init__(self) -> None:
        self._set("values", checked("values", self.values, (None, None), np.float32))


@dataclass(frozen=True, eq=False)
class Action(Result):
    """A user-interface action: its `name`, the point `xy` (2,) or None, and the other `arguments`.

    The name is "" where the answer gives none. Arguments are as the model wrote them: coordinates among them are pixels
    of the prepared image, which `Transform.to_source` converts.
    """

    name: str
    xy: F32 | None = None
    arguments: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.xy is not None:
            self._set("xy", checked("xy", self.xy, (2,), np.float32))


def each_score(scores: F32 | None, n: int) -> list[float] | list[None]:
    """Return a score for each of `n` items; None for each where none were asked for."""
    return [None] * n if scores is None else scores.tolist()


def in_words(result: Result) -> bool:
    """Whether `result` is words or a number alone: it has no picture and no arrays."""
    return isinstance(result, Text) or (isinstance(result, Count) and result.boxes is None)


def _checked_scores(scores: F32 | None, n: int) -> F32 | None:
    return None if scores is None else checked("scores", scores, (n,), np.float32)


def _check_count(name: str, values: tuple[str, ...], n: int) -> None:
    if len(values) != n:
        raise InputError(f"{name} must name each of the {n} items; got {len(values)}.")
