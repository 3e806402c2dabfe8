"""Objects as Label Studio's predictions: tasks to import, with regions that people correct by hand.

A region is a rectangle, a brush stroke, a polygon or a point; places are percent of the image's sides. Sources:
labelstud.io, "Import pre-annotated data" and "Label Studio Task Format"; `parentID` as its converters write it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal
from xml.etree.ElementTree import Element, SubElement
from zlib import crc32

from youtu_gguf.atomic import json_bytes
from youtu_gguf.facts import MPII_JOINTS
from youtu_gguf.output.brush_rle import brush_rle
from youtu_gguf.output.objects import UNSEEN, Item, check_size, items_of, size_of
from youtu_gguf.output.source import UNNAMED, Source
from youtu_gguf.output.xml import xml_bytes, xml_text
from youtu_gguf.types import F32, Bits, Result, Size

RegionKind = Literal["rectanglelabels", "brushlabels", "polygonlabels", "keypointlabels"]
"""What a region is: the type of its control, and the key of its labels."""

IMAGE = "image"
"""The image's name in the labelling setup, and its key in a task's data."""

_CONTROLS: Mapping[RegionKind, tuple[str, str]] = {
    "rectanglelabels": ("box", "RectangleLabels"),
    "brushlabels": ("mask", "BrushLabels"),
    "polygonlabels": ("outline", "PolygonLabels"),
    "keypointlabels": ("joint", "KeyPointLabels"),
}
"""Name and tag of the control in the labelling setup."""

_MODEL = "youtu-gguf"
_KEYPOINT_SIZE = 0.5
"""Width of a drawn point, in percent of the image."""

Region = dict[str, Any]


class LabelStudioTasks:
    """Tasks of images with predictions, as Label Studio imports them.

    Args:
        prefix: What a name begins with where Label Studio finds it, such as "/data/local-files/?d=street/".
    """

    def __init__(self, prefix: str = "") -> None:
        self._prefix = prefix
        self._tasks: dict[str, tuple[Size, list[Region]]] = {}
        self._labels: dict[RegionKind, dict[str, None]] = {}

    def add(self, name: str, size: Size, result: Result | None = None, *, label: str = UNNAMED) -> None:
        """Add an image, or a further result of one that is there.

        Args:
            name: File name of the image, which may begin with folders. Images of the same name are one.
            size: Its size, upright.
            result: One of `objects.WITH_OBJECTS`; None for an image about which nothing is known.
            label: The label of a mask, which has none.

        Raises:
            InputError: A count without boxes, or another size than before.
        """
        found = () if result is None else tuple(items_of(result, label))
        known, regions = self._tasks.get(name, (size, []))
        check_size(name, known, size)
        self._tasks[name] = size, regions
        for item in found:
            self._add(item, size, regions, f"{crc32(name.encode(errors='backslashreplace')):08x}")

    def to_list(self) -> list[dict[str, Any]]:
        """Return the tasks, with a prediction for each image about which something is known."""
        return [
            {"data": {IMAGE: self._prefix + name}, "predictions": [prediction(regions, _MODEL)] if regions else []}
            for name, (_, regions) in self._tasks.items()
        ]

    def setup(self) -> bytes:
        """Return the labelling setup that the regions belong to: XML for Label Studio's "Labeling Interface"."""
        view = Element("View")
        SubElement(view, "Image", name=IMAGE, value=f"${IMAGE}")
        for kind, labels in self._labels.items():
            name, tag = _CONTROLS[kind]
            control = SubElement(view, tag, name=name, toName=IMAGE)
            for label in labels:
                SubElement(control, "Label", value=xml_text(label))
        return xml_bytes(view)

    def _add(self, item: Item, size: Size, regions: list[Region], task_id: str) -> None:
        parent: str | None = None
        for kind, label, value in _values(item, size):
            name, _ = _CONTROLS[kind]
            id_ = f"{task_id}-{len(regions) + 1}"
            form = region(kind, (name, IMAGE), size, {**value, kind: [label]}, item.score, id_)
            regions.append(form if parent is None else {**form, "parentID": parent})
            self._labels.setdefault(kind, {})[label] = None
            if item.joints is not None and parent is None:
                parent = id_


def encode_label_studio(result: Result, source: Source) -> bytes:
    """Return the objects of a result as a list of one task for Label Studio.

    Raises:
        InputError: A count without boxes, or the image's size is not known.
    """
    return json_bytes(_task(result, source).to_list())


def label_studio_setup(result: Result, source: Source) -> dict[str, bytes]:
    """Return the labelling setup beside the task, by its suffix."""
    return {".label_studio.xml": _task(result, source).setup()}


def region(
    kind: RegionKind, names: tuple[str, str], size: Size, value: Mapping[str, Any], score: float | None, id_: str
) -> Region:
    """Return a region with its `value`; `names` are those of its control and of the image in the labelling setup."""
    return {
        "id": id_,
        "from_name": names[0],
        "to_name": names[1],
        "type": kind,
        "original_width": size.width,
        "original_height": size.height,
        "image_rotation": 0,
        "value": dict(value),
        "score": None if score is None or math.isnan(score) else round(score, 4),
    }


def prediction(regions: Sequence[Region], version: str) -> dict[str, Any]:
    """Return the prediction for a task; its score is the mean of those of its regions, 0 without any."""
    scores = [region["score"] for region in regions if region["score"] is not None]
    mean = round(math.fsum(scores) / len(scores), 4) if scores else 0.0
    return {"result": list(regions), "score": mean, "model_version": version}


def rectangle(xyxy: F32, size: Size) -> dict[str, Any]:
    """Return a box (4,) as the place of a region."""
    (left, top), (right, bottom) = _percent(xyxy.reshape(2, 2), size)
    return {"x": left, "y": top, "width": round(right - left, 4), "height": round(bottom - top, 4), "rotation": 0}


def polygon(ring: F32, size: Size) -> dict[str, Any]:
    """Return a closed outline (k, 2) as the place of a region."""
    return {"points": _percent(ring, size), "closed": True}


def brush(bits: Bits) -> dict[str, Any]:
    """Return a mask (H, W) as the place of a region."""
    return {"format": "rle", "rle": brush_rle(bits)}


def point(xy: F32, size: Size) -> dict[str, Any]:
    """Return a point (2,) as the place of a region."""
    ((x, y),) = _percent(xy[None], size)
    return {"x": x, "y": y, "width": _KEYPOINT_SIZE}


def _task(result: Result, source: Source) -> LabelStudioTasks:
    tasks = LabelStudioTasks()
    tasks.add(source.name, size_of(result, source, "Label Studio"), result, label=source.label)
    return tasks


def _values(item: Item, size: Size) -> Iterator[tuple[RegionKind, str, dict[str, Any]]]:
    """Yield kind, label and place of an object's regions; a person's box comes before its joints."""
    if item.mask is not None:
        yield "brushlabels", item.label, brush(item.mask)
        return
    for ring in item.outlines:
        yield "polygonlabels", item.label, polygon(ring, size)
    if not item.outlines:
        yield "rectanglelabels", item.label, rectangle(item.xyxy, size)
    if item.joints is not None:
        for name, joint in zip(MPII_JOINTS, item.joints, strict=True):
            if joint[2] > UNSEEN:
                yield "keypointlabels", name, point(joint[:2], size)


def _percent(points: F32, size: Size) -> list[list[float]]:
    """Return (n, 2) x, y of the image's pixels in percent of its sides, within it."""
    shares: list[list[float]] = (points.astype(float) / size * 100).clip(0, 100).round(4).tolist()
    return shares
