"""Values with an entry for every pixel of the source image."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self, overload

import numpy as np
import numpy.typing as npt

from youtu_gguf.errors import InputError
from youtu_gguf.types.arrays import F32, I32, Bits, extent, freeze
from youtu_gguf.types.choices import DepthUnit, FoundBy
from youtu_gguf.types.colours import depth_colours, depth_range, index_colours, thumbnail
from youtu_gguf.types.detections import to_detections
from youtu_gguf.types.result import Result
from youtu_gguf.types.rows import Chosen, Index, Row, Rows, Selection
from youtu_gguf.types.spans import Spans, freeze_spans

if TYPE_CHECKING:
    from supervision import Detections

_SHOWN_CLASSES = 4


@dataclass(frozen=True, eq=False, repr=False)
class Mask(Result):
    """One region: `bits` (H, W) bool over the source image; `score` tells how clearly it stands out, or None.

    `refined_by` names the refinement that pulled its border to the image's edges, "none" when none did. `found_by` says
    what told where it is: "phrase"; "box", also one that was detected around a point; "segment", the class at a point;
    None where that is unknown. `spans` are as those of `Box`: where `raw` says the box, the outlines or the class that
    the mask was made of; None where it was made of none that this answer says. A notebook shows the region.
    """

    bits: Bits
    score: float | None = None
    refined_by: str = "none"
    found_by: FoundBy | None = None
    spans: Spans | None = None

    def __post_init__(self) -> None:
        freeze(self, "bits", (None, None), np.bool_)
        freeze_spans(self)

    @property
    def xyxy(self) -> F32 | None:
        """Left, top, right, bottom (4,) of the region's pixels; None where it is empty."""
        return extent(self.bits)

    @property
    def area(self) -> int:
        """Pixels of the region."""
        return int(np.count_nonzero(self.bits))

    def to_supervision(self) -> "Detections":
        """Return the region as `supervision.Detections` of one object with its mask; of none where it is empty.

        Raises:
            CapabilityError: The package supervision is not installed.
        """
        found = self.xyxy
        n = 0 if found is None else 1
        xyxy = np.zeros((0, 4), np.float32) if found is None else found[None]
        scores = None if self.score is None else np.full(n, self.score, np.float32)
        return to_detections(xyxy, ("",) * n, scores, self.bits[None][:n])

    def _summary(self) -> str:
        return f"{_size(self.bits)}, {_percent(self.area / max(1, self.bits.size))}"

    def _repr_png_(self) -> bytes | None:
        return thumbnail(index_colours(np.where(self.bits, 0, -1).astype(np.int32), 1))


@dataclass(frozen=True, eq=False, repr=False)
class Region(Row):
    """One class of a `LabelMap`: its `label`; `mask` (H, W) bool of its pixels; the `score` of its name, or None.

    `spans` are as those of `Box`, of its name in the answer.
    """

    label: str
    mask: Bits
    score: float | None = None
    spans: Spans | None = None

    def __post_init__(self) -> None:
        freeze(self, "mask", (None, None), np.bool_)
        freeze_spans(self)

    @property
    def xyxy(self) -> F32 | None:
        """Left, top, right, bottom (4,) of the region's pixels; None where it is empty."""
        return extent(self.mask)

    @property
    def area(self) -> int:
        """Pixels of the region."""
        return int(np.count_nonzero(self.mask))


@dataclass(frozen=True, eq=False, repr=False)
class LabelMap(Rows[Region]):
    """A class per pixel: `ids` (H, W) int32 indexes `classes`, -1 = background.

    `margin` (H, W) or None is the lead of each pixel's best class over the second best, before refinement, as
    `decode.dense.label_margin` defines it. `refined_by` names the refinement that ran, "none" when none did. `scores`
    (K,) are those of the class names in the answer; None also where the classes were given and nothing was generated.
    `spans` tell where `raw` names each class, as those of `Boxes`; None where nothing was generated.

    Rows are classes, each a `Region`, indexed and selected as those of `Boxes` and by name: `labels["road"]`,
    `labels[["road", "sky"]]`. In a map of some classes only, the pixels of the others are background. A notebook shows
    the map in the colours of its drawing.
    """

    _row_fields = ("classes", "scores", "spans")

    ids: I32
    classes: tuple[str, ...]
    margin: F32 | None = None
    refined_by: str = "none"
    scores: F32 | None = None
    spans: tuple[Spans, ...] | None = None

    def __post_init__(self) -> None:
        freeze(self, "ids", (None, None), np.int32)
        freeze(self, "margin", self.ids.shape, np.float32, optional=True)
        super().__post_init__()

    @overload
    def __getitem__(self, key: Selection | list[str]) -> Self: ...
    @overload
    def __getitem__(self, key: Index | str) -> Region: ...
    def __getitem__(self, key: Index | str | Selection | list[str]) -> Region | Self:
        if isinstance(key, str):
            return self._row(self._index(key))
        if isinstance(key, list):
            return super().__getitem__([self._index(item) if isinstance(item, str) else item for item in key])
        return super().__getitem__(key)

    @property
    def shares(self) -> tuple[float, ...]:
        """Share of the pixels that each class has, in the order of `classes`."""
        n = max(1, self.ids.size)
        return tuple(np.count_nonzero(self.ids == i) / n for i in range(len(self.classes)))

    def mask(self, name: str) -> Bits:
        """Return the (H, W) bool region of class `name`.

        Raises:
            InputError: `name` is not among `classes`.
        """
        found: Bits = self.ids == self._index(name)
        return found

    def _index(self, name: str) -> int:
        if name not in self.classes:
            raise InputError(f"the label map has no class {name!r}; it has: {', '.join(self.classes) or 'none'}.")
        return self.classes.index(name)

    def _row(self, index: int) -> Region:
        score = None if self.scores is None else float(self.scores[index])
        spans = None if self.spans is None else self.spans[index]
        return Region(self.classes[index], self.ids == index, score, spans)

    def _select(self, rows: Chosen) -> Self:
        kept = np.arange(len(self))[rows]
        new_ids = np.full(len(self) + 1, -1, np.int32)  # the last is the background's, which is indexed by -1
        new_ids[kept] = np.arange(len(kept))
        return replace(super()._select(kept), ids=new_ids[self.ids])

    def _summary(self) -> str:
        found = sorted(zip(self.shares, self.classes, strict=True), key=lambda item: -item[0])
        shown = [f"{name} {_percent(share)}" for share, name in found[:_SHOWN_CLASSES]]
        return f"{_size(self.ids)}: {', '.join(shown + ['...'] * (len(found) > _SHOWN_CLASSES)) or 'no class'}"

    def _repr_png_(self) -> bytes | None:
        return thumbnail(index_colours(self.ids, len(self.classes)))


@dataclass(frozen=True, eq=False, repr=False)
class DepthMap(Result):
    """Distance per pixel: `values` (H, W) float32, 0 = invalid; metres when `unit` is "m", else only relative.

    `focal_px` is the focal length in source pixels that made them metres, None where none was used. A notebook shows
    near as warm, far as cold and invalid as grey.
    """

    values: F32
    unit: DepthUnit
    focal_px: float | None = None

    def __post_init__(self) -> None:
        freeze(self, "values", (None, None), np.float32)

    def _summary(self) -> str:
        valid = self.values[self.values > 0]
        span = f"{valid.min():.3g}-{valid.max():.3g} {self.unit}" if valid.size else "nothing valid"
        return f"{_size(self.values)}, {span}"

    def _repr_png_(self) -> bytes | None:
        return thumbnail(depth_colours(self.values, *depth_range(self.values)))


def _percent(share: float) -> str:
    """Return a share of 1 in percent, with at most one decimal."""
    number = f"{100 * share:.1f}".removesuffix(".0")
    return "<0.1 %" if number == "0" and share > 0 else f"{number} %"


def _size(pixels: npt.NDArray[Any]) -> str:
    return f"{pixels.shape[1]}x{pixels.shape[0]}"
