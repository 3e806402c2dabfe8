"""The results of a batch as files: lines of JSON, a data set, a table, or everything in one archive."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Literal

from youtu_gguf.atomic import json_bytes
from youtu_gguf.batch import FILES
from youtu_gguf.serve.batch_parts import failed_rows, joined_coco, joined_table, read_part
from youtu_gguf.serve.errors import ApiError

if TYPE_CHECKING:
    from youtu_gguf.serve.image_batch import ImageBatch
    from youtu_gguf.serve.task_requests import TaskQuestion

BatchForm = Literal["jsonl", "coco", "csv", "zip"]

MEDIA: Mapping[BatchForm, tuple[str, str]] = {
    "jsonl": ("application/x-ndjson", "results.jsonl"),
    "coco": ("application/json", "coco.json"),
    "csv": ("text/csv; charset=utf-8", "results.csv"),
    "zip": ("application/zip", "results.zip"),
}
"""Media type and file name of each form."""

_NOT_PLAIN = re.compile(r"[^\w.-]", re.ASCII)
_LONGEST_STEM = 40

_COMPRESSED = (".npz", ".png")
"""Files that become no smaller."""


@dataclass(frozen=True)
class BatchResults:
    """What a batch has finished, as it was when this was made. Its methods are for worker threads.

    Attributes:
        folder: Of the batch.
        questions: What was asked.
        images: Index, name and line of each image that is finished, in the order in which they came.
    """

    folder: Path
    questions: Sequence[TaskQuestion]
    images: Sequence[tuple[int, str, Mapping[str, Any]]]

    @classmethod
    def of(cls, batch: ImageBatch) -> BatchResults:
        """Return what a batch has finished by now."""
        images = [(row.index, row.name, row.line) for row in batch.rows if row.line is not None]
        return cls(batch.folder, batch.request.questions, images)

    def make(self, form: BatchForm, task: int | None = None) -> bytes:
        """Return a file of all results, or of one task's, in a form that is not an archive.

        Raises:
            ApiError: The results have no such form.
        """
        match form:
            case "jsonl":
                return b"".join(json_bytes(self._line(*image, task)) for image in self.images)
            case "csv":
                return joined_table(self._rows(task))
            case _:
                return self._coco(task)

    def _tasks(self, task: int | None) -> Sequence[int]:
        return range(len(self.questions)) if task is None else (task,)

    def _coco(self, task: int | None) -> bytes:
        asked = [self.questions[n].arguments.get("classes") or () for n in self._tasks(task)]
        found = (
            (name, line["size"], read_part(self.folder / "parts", index, n))
            for index, name, line in self.images
            for n in self._tasks(task)
            if "results" in line and "error" not in line["results"][n]
        )
        return joined_coco(found, dict.fromkeys(name for names in asked for name in names))

    def _rows(self, task: int | None) -> Iterator[Mapping[str, Any]]:
        for index, name, line in self.images:
            kept = _only(line, task)
            yield from failed_rows(name, kept)
            for n in self._tasks(task):
                if "results" in line and "error" not in line["results"][n]:
                    yield from read_part(self.folder / "parts", index, n)["rows"]

    def _line(self, index: int, name: str, line: Mapping[str, Any], task: int | None = None) -> dict[str, Any]:
        """Return a line as clients get it: with the client's name, and files under names in the archive."""
        results = [
            {**result, "files": [_member(index, name, file) for file in result["files"]]}
            if "files" in result
            else result
            for result in _only(line, task).get("results", ())
        ]
        return {**line, "image": name, **({"results": results} if "results" in line else {})}

    def write_zip(self, path: Path) -> None:
        """Write an archive with all that there is: lines, a table, a data set where there are objects, and files."""
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(MEDIA["jsonl"][1], self.make("jsonl"))
            archive.writestr(MEDIA["csv"][1], self.make("csv"))
            for n, asked in enumerate(self.questions):
                try:
                    archive.writestr(f"coco-{n + 1}-{asked.task}.json", self.make("coco", n))
                except ApiError:  # a task without objects
                    continue
            for index, name, line in self.images:
                for file in (file for result in line.get("results", ()) for file in result.get("files", ())):
                    kind = zipfile.ZIP_STORED if file.endswith(_COMPRESSED) else zipfile.ZIP_DEFLATED
                    archive.write(self.folder / "journal" / file, _member(index, name, file), kind)


def _only(line: Mapping[str, Any], task: int | None) -> Mapping[str, Any]:
    """Return a line with the result of one task alone."""
    return line if task is None or "results" not in line else {**line, "results": [line["results"][task]]}


def _member(index: int, name: str, file: str) -> str:
    """Return the name in the archive of a file of an image: a plain one, whatever the image is called."""
    stem = _NOT_PLAIN.sub("_", PurePosixPath(name).stem)[:_LONGEST_STEM].strip(".") or "image"
    return f"{FILES}/{index + 1:05}-{stem}/{PurePosixPath(file).name}"
