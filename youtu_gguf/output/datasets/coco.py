"""One COCO file of many images, written as its parts are read: memory holds one image and the categories."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

from youtu_gguf.errors import InputError
from youtu_gguf.output.coco import CocoDataset
from youtu_gguf.output.datasets.base import Chunks, Joining, Part, Piece
from youtu_gguf.output.datasets.json_array import array
from youtu_gguf.output.objects import WITH_OBJECTS, size_of
from youtu_gguf.output.source import Source
from youtu_gguf.types import Result


class JoinedCoco:
    """COCO's annotations. Ids of annotations count from 1, those of categories too."""

    name, media_type, suffix = "coco", "application/json", ".json"
    takes = WITH_OBJECTS
    kept: tuple[str, ...] = ()

    def part(self, result: Result, source: Source) -> Part:
        """Return the categories and annotations of a value, in COCO's form."""
        data = CocoDataset()
        data.add("", size_of(result, source, "COCO"), result, label=source.label)
        form = data.to_dict()
        return {"categories": form["categories"], "annotations": form["annotations"]}

    def files(self, joining: Joining) -> Iterator[tuple[str, Chunks]]:
        """Yield the one file.

        Raises:
            InputError: Persons with joints stand beside other objects.
        """
        yield "", _chunks(joining.pieces, joining.categories)


def _chunks(pieces: Iterable[Piece], categories: Iterable[str]) -> Iterator[bytes]:
    yield b'{"images": '
    yield from array(_images(pieces))
    yield b', "annotations": '
    known = _Categories()
    first = tuple(dict.fromkeys(categories))
    yield from array(_annotations(pieces, known, first))
    yield b', "categories": '
    yield from array(known.forms(first))
    yield b"}\n"


def _images(pieces: Iterable[Piece]) -> Iterator[dict[str, Any]]:
    for image_id, group in groupby(pieces, lambda piece: piece.image_id):
        piece = next(group)
        yield {
            "id": image_id,
            "file_name": piece.name,
            "width": piece.size.width,
            "height": piece.size.height,
        }


def _annotations(pieces: Iterable[Piece], known: _Categories, first: Sequence[str]) -> Iterator[dict[str, Any]]:
    n = 0
    for piece in pieces:
        part = piece.read()
        ids = known.add(part["categories"], first)
        for told in part["annotations"]:
            n += 1
            yield {**told, "id": n, "image_id": piece.image_id, "category_id": ids[told["category_id"]]}


class _Categories:
    """Categories of all parts, in the order of appearing. Those of persons with joints stand alone."""

    def __init__(self) -> None:
        self._has_joints: bool | None = None
        self._forms: dict[str, dict[str, Any]] = {}

    def add(self, categories: Iterable[dict[str, Any]], first: Sequence[str]) -> dict[int, int]:
        """Note the categories of a part; return their ids in the data set by those in the part."""
        ids = {}
        for form in categories:
            has_joints = "keypoints" in form
            if self._has_joints not in (None, has_joints):
                raise InputError(
                    "a COCO file holds persons with joints or other objects; got both. Make a data set for each task."
                )
            self._begin(has_joints, first)
            own = self._forms.setdefault(form["name"], {**form, "id": len(self._forms) + 1})
            ids[form["id"]] = own["id"]
        return ids

    def _begin(self, has_joints: bool, first: Sequence[str]) -> None:
        if self._has_joints is None and not has_joints:
            self._forms = {name: _plain(n, name) for n, name in enumerate(first, 1)}
        self._has_joints = has_joints

    def forms(self, first: Sequence[str]) -> Iterable[dict[str, Any]]:
        """Return all categories; where no part has any, those that come first."""
        if self._has_joints is None:
            return [_plain(n, name) for n, name in enumerate(first, 1)]
        return self._forms.values()


def _plain(number: int, name: str) -> dict[str, Any]:
    return {"id": number, "name": name, "supercategory": ""}
