"""Results that can be asked for again, for a while: as files, and for clicks on what was found."""

from __future__ import annotations

import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from youtu_gguf.output import UNKNOWN, Source, asked_label
from youtu_gguf.serve.errors import ApiError
from youtu_gguf.types import F32, Boxes, Instances, Result

if TYPE_CHECKING:
    from youtu_gguf.scene.scene import Scene
    from youtu_gguf.serve.settings import ServeSettings

_OBJECT_BYTES = 4096
"""Memory of a result besides its arrays and its text, roughly."""


@dataclass(frozen=True, eq=False)
class StoredResult:
    """A value with what is known of its request.

    Attributes:
        value: What the task returned.
        task: Its name.
        image: Id of the image that it is about.
        request_id: Id of the request.
        via: Where the mask of a click comes from, "box" or "segment"; None for all else.
        queue_s: Seconds that the request waited for its turn.
        total_s: Seconds from the request to the value.
        source: What files need to know of the image besides its pixels.
        id: Names it.
    """

    value: Result
    task: str
    image: str
    request_id: str
    via: str | None = None
    queue_s: float = 0.0
    total_s: float = 0.0
    source: Source = UNKNOWN
    id: str = field(default_factory=lambda: f"res_{uuid.uuid4().hex}")

    @property
    def n_bytes(self) -> int:
        """Memory that it takes, roughly."""
        values = (getattr(self.value, item.name) for item in fields(self.value))
        arrays = sum(value.nbytes for value in values if isinstance(value, np.ndarray))
        return arrays + 4 * len(self.value.raw) + _OBJECT_BYTES


def source_of(scene: Scene, image: str, task: str, arguments: Mapping[str, Any]) -> Source:
    """Return what files need to know of a scene and a task besides the pixels; `image` is the image's id."""
    label = asked_label(arguments)
    known = scene.focal_px
    return Source(context={"task": task}, name=image, size=scene.size, label=label, focal_px=known, focal_from="exif")


class ResultStore:
    """Results by id, the longest unused of which are dropped. In any thread."""

    def __init__(self, settings: ServeSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._results: OrderedDict[str, tuple[StoredResult, float]] = OrderedDict()
        self._n_bytes = 0

    @property
    def n_bytes(self) -> int:
        """Memory that all of them take, roughly."""
        return self._n_bytes

    def add(self, result: StoredResult) -> StoredResult:
        """Keep a result, and return it. One that is larger than the limit is kept until the next one."""
        with self._lock:
            self._results[result.id] = result, time.monotonic()
            self._n_bytes += result.n_bytes
            self._expire()
            while len(self._results) > 1 and self._n_bytes > self._settings.results_bytes:
                self._drop(next(iter(self._results)))
        return result

    def get(self, id_: str) -> StoredResult:
        """Return the result with this id.

        Raises:
            ApiError: There is none.
        """
        with self._lock:
            self._expire()
            found = self._results.get(id_)
            if found is None:
                message = f"there is no result {id_[:64]!r}; it may have expired. Ask again for it."
                raise ApiError(404, "result_not_found", message)
            self._results[id_] = found[0], time.monotonic()
            self._results.move_to_end(id_)
        return found[0]

    def box_at(self, image: str, point: Sequence[float]) -> list[float] | None:
        """Return the smallest box found in an image that holds a point, as left, top, right, bottom; or None.

        Boxes are those of the tasks detect and instances.
        """
        with self._lock:
            self._expire()
            about = [result.value for result, _ in self._results.values() if result.image == image]
        boxes = [value.xyxy for value in about if isinstance(value, Boxes | Instances)]
        holding = list(_holding(boxes, point))
        return min(holding, key=_area).tolist() if holding else None

    def _expire(self) -> None:
        oldest = time.monotonic() - self._settings.ttl_s
        for id_ in [id_ for id_, (_, used_at) in self._results.items() if used_at < oldest]:
            self._drop(id_)

    def _drop(self, id_: str) -> None:
        result, _ = self._results.pop(id_)
        self._n_bytes -= result.n_bytes


def _holding(boxes: Sequence[F32], point: Sequence[float]) -> Iterator[F32]:
    x, y = point
    for xyxy in boxes:
        left, top, right, bottom = xyxy.T
        yield from xyxy[(left <= x) & (x < right) & (top <= y) & (y < bottom)]


def _area(box: F32) -> float:
    left, top, right, bottom = box.tolist()
    return float((right - left) * (bottom - top))
