"""COCO's panoptic form of many images: a list of segments, and an image of segment numbers for each image."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from typing import Any

from youtu_gguf.errors import InputError
from youtu_gguf.output.datasets.base import Chunks, Joining, Part, Piece, by_image
from youtu_gguf.output.datasets.json_array import array
from youtu_gguf.output.panoptic import Layer, Segment, layer_of, merged
from youtu_gguf.output.source import Source
from youtu_gguf.types import Instances, LabelMap, Result
from youtu_gguf.types.colours import colour

_JSON, _FOLDER = "annotations/panoptic_default.json", "annotations/panoptic_default"


class JoinedPanoptic:
    """Classes of label maps as stuff, instances as things. Ids of categories count from 1."""

    name, media_type, suffix = "panoptic", "application/zip", ""
    takes: tuple[type[Result], ...] = (LabelMap, Instances)
    kept: tuple[str, ...] = ("images",)

    def part(self, result: LabelMap | Instances, source: Source) -> Part:
        """Return a value's segments, and its numbers as a PNG file in base64."""
        layer = layer_of(result)
        if source.size not in (None, layer.size):
            raise InputError(f"expected a map of the image's size, {source.size}; got {layer.size}.")
        return {
            "segments": [[s.id, s.label, s.area, [*s.bbox], s.is_object] for s in layer.segments],
            "has_map": layer.has_map,
            "png": base64.b64encode(layer.png).decode("ascii"),
        }

    def files(self, joining: Joining) -> Iterator[tuple[str, Chunks]]:
        """Yield the list, then the image of numbers of each image.

        Raises:
            InputError: An image has two label maps.
        """
        categories = {name: n for n, name in enumerate(dict.fromkeys(joining.categories), 1)}
        things: set[str] = set()
        for segment in (segment for piece in joining.pieces for segment in _segments(piece.read())):
            categories.setdefault(segment.label, len(categories) + 1)
            if segment.is_object:
                things.add(segment.label)
        yield _JSON, _listed(joining.pieces, categories, things)
        for _, pieces in by_image(joining.pieces):
            yield f"{_FOLDER}/{_file(pieces[0].image_id)}", [_whole(pieces).png]


def _listed(pieces: Iterable[Piece], categories: dict[str, int], things: set[str]) -> Iterator[bytes]:
    yield b'{"images": '
    yield from array(
        {"id": first.image_id, "file_name": first.name, "width": first.size.width, "height": first.size.height}
        for _, (first, *_) in by_image(pieces)
    )
    yield b', "annotations": '
    yield from array(
        {
            "image_id": of_image[0].image_id,
            "file_name": _file(of_image[0].image_id),
            "segments_info": [_form(segment, categories, things) for segment in _whole(of_image).segments],
        }
        for _, of_image in by_image(pieces)
    )
    yield b', "categories": '
    yield from array(
        {"id": n, "name": name, "supercategory": "", "isthing": int(name in things), "color": [*colour(n)]}
        for name, n in categories.items()
    )
    yield b"}\n"


def _form(segment: Segment, categories: dict[str, int], things: set[str]) -> dict[str, Any]:
    return {
        "id": segment.id,
        "category_id": categories[segment.label],
        "area": segment.area,
        "bbox": [*segment.bbox],
        "iscrowd": int(not segment.is_object and segment.label in things),
    }


def _whole(pieces: Iterable[Piece]) -> Layer:
    """Return what all pieces of an image tell.

    Raises:
        InputError: Two of them are label maps.
    """
    layers = []
    for piece in pieces:
        part = piece.read()
        layers.append(Layer(piece.size, base64.b64decode(part["png"]), tuple(_segments(part)), part["has_map"]))
    if sum(layer.has_map for layer in layers) > 1:
        raise InputError("an image has one label map in a panoptic data set; got two. Make one for each task.")
    return merged(layers)


def _segments(part: Part) -> Iterator[Segment]:
    for number, label, area, (left, top, width, height), is_object in part["segments"]:
        yield Segment(number, label, area, (left, top, width, height), is_object)


def _file(image_id: int) -> str:
    return f"{image_id:012}.png"
