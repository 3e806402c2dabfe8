"""What data sets need of each value of a batch: made while the value is there, and joined for all images later."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from youtu_gguf.atomic import json_bytes, write_bytes
from youtu_gguf.errors import InputError
from youtu_gguf.output.coco import CocoDataset
from youtu_gguf.output.csv import COLUMNS, IN_TABLES, rows_of, table
from youtu_gguf.output.objects import WITH_OBJECTS
from youtu_gguf.output.source import UNNAMED
from youtu_gguf.serve.errors import ApiError
from youtu_gguf.types import DepthMap, Poses, Result, Size

if TYPE_CHECKING:
    from youtu_gguf.serve.task_requests import TaskQuestion

ERROR = "error"
"""The column of the table that says what failed."""

Part = Mapping[str, Any]


def part_of(value: Result, asked: TaskQuestion, name: str, size: Size) -> Part:
    """Return what data sets need of a value: `coco`, a data set of this image, or null; and `rows` of a table."""
    label = str(asked.arguments.get("phrase") or UNNAMED)
    rows: Iterable[Mapping[str, Any]] = [{"image": name, "task": asked.task}]
    if isinstance(value, IN_TABLES):
        rows = rows_of(value, name, asked.task, label=label)
    elif isinstance(value, DepthMap):
        rows = [{"image": name, "task": asked.task, "text": _distances(value)}]
    return {"coco": _coco(value, name, size, label), "rows": list(rows)}


def _coco(value: Result, name: str, size: Size, label: str) -> dict[str, Any] | None:
    if not isinstance(value, WITH_OBJECTS):
        return None
    data = CocoDataset()
    try:
        data.add(name, size, value, label=label)
    except InputError:  # a count without boxes has no places
        return None
    return {**data.to_dict(), "has_joints": isinstance(value, Poses)}


def _distances(depth: DepthMap) -> str:
    known = depth.values[depth.values > 0]
    if not known.size:
        return ""
    least, most = float(known.min()), float(known.max())
    return f"{least:.2f} to {most:.2f} {depth.unit}"


def write_part(folder: Path, image: int, task: int, part: Part) -> None:
    """Write the part of an image and a task, over an earlier one.

    Raises:
        OutputError: It cannot be written.
    """
    folder.mkdir(exist_ok=True)
    write_bytes(_path(folder, image, task), json_bytes(part), private=True)


def _path(folder: Path, image: int, task: int) -> Path:
    return folder / f"{image:05}-{task}.json"


def read_part(folder: Path, image: int, task: int) -> Part:
    """Return what `write_part` wrote."""
    part: Part = json.loads(_path(folder, image, task).read_bytes())
    return part


def joined_coco(parts: Iterable[tuple[str, Sequence[int], Part]], categories: Iterable[str]) -> bytes:
    """Return one COCO file of many images.

    Args:
        parts: Name and size of each image, with a part of it; those of one image follow each other.
        categories: Names whose ids come first.

    Raises:
        ApiError: Persons stand beside other objects, or no part tells objects.
    """
    joined = _Joined()
    for name, size, part in parts:
        joined.add(name, size, part["coco"])
    if joined.has_joints is None:
        message = "no image has boxes, outlines, masks or joints yet, or no task finds any. Take as=csv or as=jsonl."
        raise ApiError(400, "invalid_argument", message, param="as")
    return json_bytes(joined.to_dict(() if joined.has_joints else categories))


class _Joined:
    """Data sets of single images, made one."""

    def __init__(self) -> None:
        self.has_joints: bool | None = None
        self._images: dict[str, dict[str, Any]] = {}
        self._annotations: list[tuple[str, dict[str, Any]]] = []
        self._categories: dict[str, dict[str, Any]] = {}

    def add(self, name: str, size: Sequence[int], coco: Mapping[str, Any] | None) -> None:
        if coco is None:
            return
        if self.has_joints not in (None, coco["has_joints"]):
            message = "a COCO file holds persons with joints or other objects; name the one task with task=0, 1, ..."
            raise ApiError(400, "invalid_argument", message, param="task")
        self.has_joints = coco["has_joints"]
        own = {"id": len(self._images) + 1, "file_name": name, "width": size[0], "height": size[1]}
        image = self._images.setdefault(name, own)
        names = {category["id"]: category["name"] for category in coco["categories"]}
        self._categories |= {category["name"]: category for category in coco["categories"]}
        self._annotations += [
            (names[told["category_id"]], {**told, "image_id": image["id"]}) for told in coco["annotations"]
        ]

    def to_dict(self, first: Iterable[str]) -> dict[str, Any]:
        plain = {name: {"name": name, "supercategory": ""} for name in first}
        ids = {name: n for n, name in enumerate({**plain, **self._categories}, 1)}
        return {
            "images": [*self._images.values()],
            "categories": [{**{**plain, **self._categories}[name], "id": n} for name, n in ids.items()],
            "annotations": [
                {**told, "id": n, "category_id": ids[name]} for n, (name, told) in enumerate(self._annotations, 1)
            ],
        }


def joined_table(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """Return rows of many images as one CSV file; the last column says what failed."""
    return table(map(dict, rows), (*COLUMNS, ERROR))


def failed_rows(name: str, line: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the rows of an image's errors."""
    if ERROR in line:
        yield {"image": name, ERROR: line[ERROR]["message"]}
    for result in line.get("results", ()):
        if ERROR in result:
            yield {"image": name, "task": result["task"], ERROR: result[ERROR]["message"]}
