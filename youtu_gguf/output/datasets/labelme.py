"""LabelMe's files of many images."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from youtu_gguf.atomic import json_bytes
from youtu_gguf.errors import InputError
from youtu_gguf.output.datasets.base import Chunks, Joining, Part, by_image
from youtu_gguf.output.datasets.places import Places
from youtu_gguf.output.labelme import encode_labelme
from youtu_gguf.output.objects import WITH_OBJECTS
from youtu_gguf.output.source import Source
from youtu_gguf.types import Result


class JoinedLabelme:
    """A file for each image, in folders as the images are. Copied beside the images, LabelMe opens them together."""

    name, media_type, suffix = "labelme", "application/zip", ""
    takes = WITH_OBJECTS
    kept: tuple[str, ...] = ()

    def part(self, result: Result, source: Source) -> Part:
        """Return a value in LabelMe's form."""
        return json.loads(encode_labelme(result, source))

    def files(self, joining: Joining) -> Iterator[tuple[str, Chunks]]:
        """Yield a file for each image. One that would share its file with another is left out."""
        places = Places(".json")
        for name, parts in by_image(joining.pieces):
            try:
                file = places.add(name)
            except InputError as exc:
                joining.leave_out(name, str(exc))
                continue
            yield file, [json_bytes(_joined([piece.read() for piece in parts], name))]


def _joined(forms: Sequence[Part], name: str) -> Part:
    """Return the forms of an image as one; objects of several shapes keep groups of their own."""
    shapes = []
    last = 0
    for form in forms:
        shapes += [
            {**shape, "group_id": None if shape["group_id"] is None else last + shape["group_id"]}
            for shape in form["shapes"]
        ]
        last = max((shape["group_id"] or 0 for shape in shapes), default=0)
    return {**forms[0], "shapes": shapes, "imagePath": PurePosixPath(name).name}
