"""A data set for YOLO of many images: labels, the list of images, and the names of the classes.

The images themselves are not copied. They belong, under the names that the list has, into the folder `images` beside
`labels`: YOLO finds the labels of an image by putting "labels" for "images" into its path. Source:
docs.ultralytics.com, "Datasets".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import Any

from youtu_gguf.errors import InputError
from youtu_gguf.output.datasets.base import Chunks, Joining, Part, by_image
from youtu_gguf.output.datasets.places import Places
from youtu_gguf.output.objects import PERSON, WITH_OBJECTS, size_of
from youtu_gguf.output.source import Source
from youtu_gguf.output.yolo import data_yaml, kind_of, named_lines
from youtu_gguf.types import Result

_LIST, _LABELS = "train.txt", ".txt"


class JoinedYolo:
    """Labels as YOLO reads them: boxes, outlines, or persons with joints. Classes count from 0."""

    name, media_type, suffix = "yolo", "application/zip", ""
    takes = WITH_OBJECTS
    kept: tuple[str, ...] = ("images",)

    def part(self, result: Result, source: Source) -> Part:
        """Return the kind of a value's labels, and its lines, each as its class's name and its numbers."""
        return {
            "kind": kind_of(result),
            "lines": list(named_lines(result, size_of(result, source, "YOLO"), source.label)),
        }

    def files(self, joining: Joining) -> Iterator[tuple[str, Chunks]]:
        """Yield a file of labels for each image, then the list of images, then `data.yaml`.

        Left out are images that share their labels with another, as a.jpg and a.png in one folder, and those whose
        names cannot stand in a list of files.

        Raises:
            InputError: The parts are of different kinds.
        """
        classes = {name: i for i, name in enumerate(dict.fromkeys(joining.categories))}
        kinds: set[str] = set()
        images: list[str] = []
        places = Places(_LABELS)
        for name, parts in by_image(joining.pieces):
            try:
                _check_listed(name)
                file = places.add(name)
            except InputError as exc:
                joining.leave_out(name, str(exc))
                continue
            images.append(file.removesuffix(_LABELS) + PurePosixPath(name).suffix)
            yield f"labels/{file}", [_labels((piece.read() for piece in parts), classes, kinds)]
        yield _LIST, (f"./images/{image}\n".encode() for image in images)
        yield "data.yaml", [data_yaml(classes, "joints" in kinds, _LIST).encode()]


def _check_listed(name: str) -> None:
    if "\\" in name or len(name.splitlines()) != 1:
        raise InputError("a list of files cannot have a name with a line end or a backslash")


def _labels(parts: Iterable[Any], classes: dict[str, int], kinds: set[str]) -> bytes:
    lines = []
    for part in parts:
        kinds.add(part["kind"])
        if len(kinds) > 1:
            both = " and ".join(sorted(kinds))
            raise InputError(f"a data set for YOLO has labels of one kind; got {both}. Make one for each task.")
        if part["kind"] == "joints":
            classes.setdefault(PERSON, len(classes))
        lines += [f"{classes.setdefault(name, len(classes))} {numbers}\n" for name, numbers in part["lines"]]
    return "".join(lines).encode()
