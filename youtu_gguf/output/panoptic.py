"""Every pixel's class or object in COCO's panoptic form: an image of segment numbers, and a list of the segments.

Classes of a label map are stuff; instances are things, and lie in front of it. What a map says of a thing's class
where no instance lies is a segment with `iscrowd`, as objects that are not told apart are in COCO. A pixel's number is
red + 256 green + 65536 blue; 0 is neither. Source: cocodataset.org, "Data format", 4 (panoptic segmentation).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from youtu_gguf.atomic import json_bytes
from youtu_gguf.errors import InputError
from youtu_gguf.output.archive import zip_bytes
from youtu_gguf.output.objects import check_size
from youtu_gguf.output.source import Source
from youtu_gguf.types import I32, Instances, LabelMap, Size, extent
from youtu_gguf.types.colours import colour

_JSON, _FOLDER = "annotations/panoptic_default.json", "annotations/panoptic_default"
_FAST = 1  # zlib's level


@dataclass(frozen=True)
class Segment:
    """A segment: its number, its label, its pixels, their left, top, width and height, and whether it is an object."""

    id: int
    label: str
    area: int
    bbox: tuple[int, int, int, int]
    is_object: bool


@dataclass(frozen=True, eq=False)
class Layer:
    """What one value tells of an image, or several together.

    Attributes:
        size: Of the image.
        png: The numbers of the segments as the colours of a PNG file.
        segments: Those that have pixels.
        has_map: It is made from a label map, among others perhaps.
    """

    size: Size
    png: bytes
    segments: tuple[Segment, ...]
    has_map: bool


class PanopticDataset:
    """Segments of images in COCO's panoptic form. Numbers count from 1: images and categories as they are added.

    Args:
        categories: Names whose numbers come first, in this order; others follow as they appear.
    """

    def __init__(self, categories: Iterable[str] = ()) -> None:
        self._categories = {name: n for n, name in enumerate(dict.fromkeys(categories), 1)}
        self._things: set[str] = set()
        self._images: dict[str, tuple[Size, list[Layer]]] = {}

    def add(self, name: str, result: LabelMap | Instances) -> None:
        """Add an image, or a further result of one that is there.

        Args:
            name: File name of the image, which may begin with folders. Images of the same name are one.
            result: A label map, of which an image has one; or instances, the later in front.

        Raises:
            InputError: Another size than before, a second label map, or no pixels.
        """
        self.add_layer(name, layer_of(result))

    def add_layer(self, name: str, layer: Layer) -> None:
        """Add what `layer_of` has made of a result; otherwise as `add`."""
        size, layers = self._images.get(name, (layer.size, []))
        check_size(name, size, layer.size)
        if layer.has_map and any(other.has_map for other in layers):
            raise InputError(f"an image has one label map; {name} has one already. Make a data set for each.")
        self._images[name] = (size, [*layers, layer])
        for segment in layer.segments:
            self._categories.setdefault(segment.label, len(self._categories) + 1)
            if segment.is_object:
                self._things.add(segment.label)

    def to_dict(self) -> dict[str, Any]:
        """Return the data set as COCO's JSON has it; `pngs` gives the files that it names."""
        return {
            "images": [
                {"id": n, "file_name": name, "width": size.width, "height": size.height}
                for n, (name, (size, _)) in enumerate(self._images.items(), 1)
            ],
            "annotations": [
                {"image_id": n, "file_name": _file(n), "segments_info": [*map(self._form, merged(layers).segments)]}
                for n, (_, layers) in enumerate(self._images.values(), 1)
            ],
            "categories": [
                {
                    "id": n,
                    "name": name,
                    "supercategory": "",
                    "isthing": int(name in self._things),
                    "color": [*colour(n)],
                }
                for name, n in self._categories.items()
            ],
        }

    def pngs(self) -> Iterator[tuple[str, bytes]]:
        """Yield the name and the bytes of each image's file of segments."""
        for n, (_, layers) in enumerate(self._images.values(), 1):
            yield _file(n), merged(layers).png

    def to_zip(self) -> bytes:
        """Return the data set as a .zip file; its images belong into the folder `images`."""
        files = ((f"{_FOLDER}/{name}", png) for name, png in self.pngs())
        return zip_bytes([(_JSON, json_bytes(self.to_dict())), *files])

    def _form(self, segment: Segment) -> dict[str, Any]:
        return {
            "id": segment.id,
            "category_id": self._categories[segment.label],
            "area": segment.area,
            "bbox": [*segment.bbox],
            "iscrowd": int(not segment.is_object and segment.label in self._things),
        }


def encode_panoptic(result: LabelMap | Instances, source: Source) -> bytes:
    """Return a result as a panoptic data set of one image, a .zip file.

    Raises:
        InputError: There are no pixels.
    """
    data = PanopticDataset()
    data.add(source.name, result)
    return data.to_zip()


def layer_of(result: LabelMap | Instances) -> Layer:
    """Return what a value tells of its image. Where instances overlap, the later is in front.

    Raises:
        InputError: There are no pixels.
    """
    match result:
        case LabelMap():
            return _layer(result.ids + 1, result.classes, (False,) * len(result), has_map=True)
        case Instances():
            ids = np.zeros(result.masks.shape[1:], np.int32)
            for number, mask in enumerate(result.masks, 1):
                ids[mask] = number
            return _layer(ids, result.labels, (True,) * len(result), has_map=False)


def merged(layers: Sequence[Layer]) -> Layer:
    """Return layers of one image, at least one, as one: a label map behind instances, the last of these in front."""
    if len(layers) == 1:
        return layers[0]
    labels: list[str] = []
    objects: list[bool] = []
    ids = np.zeros(layers[0].size[::-1], np.int32)
    for layer in sorted(layers, key=lambda layer: not layer.has_map):
        numbers = np.zeros(1 + max((segment.id for segment in layer.segments), default=0), np.int32)
        for segment in layer.segments:
            labels.append(segment.label)
            objects.append(segment.is_object)
            numbers[segment.id] = len(labels)
        own = numbers[_numbers(layer.png)]
        np.copyto(ids, own, where=own > 0)
    return _layer(ids, labels, objects, has_map=any(layer.has_map for layer in layers))


def _layer(ids: I32, labels: Sequence[str], objects: Sequence[bool], *, has_map: bool) -> Layer:
    """Return a layer of (H, W) numbers, which count the labels from 1."""
    if not ids.size:
        raise InputError("an image file needs pixels; got a map without any.")
    areas = np.bincount(ids.ravel(), minlength=len(labels) + 1)[1:].tolist()
    segments = []
    for number, (label, is_object, area) in enumerate(zip(labels, objects, areas, strict=True), 1):
        box = extent(ids == number) if area else None
        if box is not None:
            left, top, right, bottom = box.astype(int).tolist()
            segments.append(Segment(number, label, area, (left, top, right - left, bottom - top), is_object))
    return Layer(Size(ids.shape[1], ids.shape[0]), _png(ids), tuple(segments), has_map)


def _png(ids: I32) -> bytes:
    import cv2

    colours = np.ascontiguousarray(ids.astype("<i4")).view(np.uint8).reshape(*ids.shape, 4)[..., 2::-1]
    _, encoded = cv2.imencode(".png", np.ascontiguousarray(colours), [cv2.IMWRITE_PNG_COMPRESSION, _FAST])
    return encoded.tobytes()


def _numbers(png: bytes) -> I32:
    """Return the numbers (H, W) of a file that `_png` has made."""
    import cv2

    blue, green, red = cv2.split(np.asarray(cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR), np.int32))
    return np.asarray(red + 256 * green + 65536 * blue, np.int32)


def _file(number: int) -> str:
    return f"{number:012}.png"
