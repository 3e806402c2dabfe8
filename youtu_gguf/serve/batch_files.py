"""The results of a batch as files: lines of JSON, a data set, a table, or everything in one archive."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Literal

from youtu_gguf.atomic import json_bytes
from youtu_gguf.batch import FILES, Asked, Finished, FinishedImage
from youtu_gguf.batch.datasets import read_file
from youtu_gguf.errors import InputError
from youtu_gguf.output.datasets import DATASETS, Chunks, Dataset
from youtu_gguf.serve.batch_runs import asked_of
from youtu_gguf.serve.errors import ApiError

if TYPE_CHECKING:
    from youtu_gguf.serve.image_batch import ImageBatch

BatchForm = Literal["jsonl", "coco", "yolo", "labelme", "panoptic", "csv", "zip"]

MEDIA: Mapping[BatchForm, tuple[str, str]] = {
    "jsonl": ("application/x-ndjson", "results.jsonl"),
    "coco": ("application/json", "coco.json"),
    "yolo": ("application/zip", "yolo.zip"),
    "labelme": ("application/zip", "labelme.zip"),
    "panoptic": ("application/zip", "panoptic.zip"),
    "csv": ("text/csv; charset=utf-8", "results.csv"),
    "zip": ("application/zip", "results.zip"),
}
"""Media type and file name of each form."""

LEFT_OUT = "left-out.json"
"""In an archive: the images that the data set cannot have, and why."""

_NOT_PLAIN = re.compile(r"[^\w.-]", re.ASCII)
_LONGEST_STEM = 40

_COMPRESSED = (".npz", ".png")
"""Files that become no smaller."""

_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the date of a data set's files, so that equal ones are equal archives


@dataclass(frozen=True)
class BatchResults:
    """What a batch has finished, as it was when this was made. Its methods are for worker threads.

    Attributes:
        folder: Of the batch.
        asked: What was asked.
        images: Index, name and line of each image that is finished, in the order in which they came.
    """

    folder: Path
    asked: Sequence[Asked]
    images: Sequence[tuple[int, str, Mapping[str, Any]]]

    @classmethod
    def of(cls, batch: ImageBatch, indices: Iterable[int] | None = None) -> BatchResults:
        """Return what a batch has finished by now, of all images or of some."""
        rows = batch.rows if indices is None else [batch.rows[index] for index in indices]
        images = [(row.index, row.name, row.line) for row in rows if row.line is not None]
        return cls(batch.folder, [*map(asked_of, batch.request.questions)], images)

    def lines(self, task: int | None = None) -> bytes:
        """Return the lines of all results, or of one task's."""
        return b"".join(json_bytes(self._line(*image, task)) for image in self.images)

    def write(self, path: Path, form: BatchForm, task: int | None = None) -> None:
        """Write a file of all results, or of one task's; an archive with everything has all.

        Raises:
            ApiError: The results have no such form.
        """
        if form == "jsonl":
            path.write_bytes(self.lines(task))
        elif form == "zip":
            self._write_all(path)
        else:
            self._write_dataset(path, DATASETS[form], task)

    def _write_dataset(self, path: Path, dataset: Dataset, task: int | None) -> None:
        left_out: dict[str, str] = {}
        joining = self._finished().joining(dataset, self._tasks(task), left_out)
        if joining.is_empty and dataset.name != "csv":
            message = (
                "no image has boxes, outlines, masks or joints yet, or no task finds any. Take as=csv or as=jsonl."
            )
            raise ApiError(400, "invalid_argument", message, param="as")
        try:
            if dataset.suffix:
                with path.open("wb") as file:
                    file.writelines(next(dataset.files(joining))[1])
                return
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
                for name, chunks in dataset.files(joining):
                    _add(archive, name, chunks)
                if left_out:
                    _add(archive, LEFT_OUT, [json_bytes(left_out, indent=2)])
        except InputError as exc:
            raise ApiError(400, "invalid_argument", f"{exc} Name it with task=0, 1, ...", param="task") from exc

    def _finished(self) -> Finished:
        journal = self.folder / "journal"
        images = [
            FinishedImage(index + 1, name, line, partial(read_file, journal)) for index, name, line in self.images
        ]
        return Finished(journal, self.asked, images)

    def _tasks(self, task: int | None) -> Sequence[int]:
        return range(len(self.asked)) if task is None else (task,)

    def _line(self, index: int, name: str, line: Mapping[str, Any], task: int | None = None) -> dict[str, Any]:
        """Return a line as clients get it: with the client's name, and files under names in the archive."""
        results = []
        for result in line.get("results", ())[slice(None) if task is None else slice(task, task + 1)]:
            told = {key: value for key, value in result.items() if key != "parts"}
            if "files" in told:
                told["files"] = [_member(index, name, file) for file in told["files"]]
            results.append(told)
        return {**line, "image": name, **({"results": results} if "results" in line else {})}

    def _write_all(self, path: Path) -> None:
        """Write an archive: lines, a table, a COCO file of each task that has objects, and the files of images."""
        finished = self._finished()
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            _add(archive, MEDIA["jsonl"][1], [self.lines()])
            _, table = next(DATASETS["csv"].files(finished.joining(DATASETS["csv"], self._tasks(None), {})))
            _add(archive, MEDIA["csv"][1], table)
            for n, asked in enumerate(self.asked):
                joining = finished.joining(DATASETS["coco"], (n,), {})
                if not joining.is_empty:
                    _add(archive, f"coco-{n + 1}-{asked.question.task}.json", next(DATASETS["coco"].files(joining))[1])
            for index, name, line in self.images:
                for file in (file for result in line.get("results", ()) for file in result.get("files", ())):
                    kind = zipfile.ZIP_STORED if file.endswith(_COMPRESSED) else zipfile.ZIP_DEFLATED
                    archive.write(self.folder / "journal" / file, _member(index, name, file), kind)


def _add(archive: zipfile.ZipFile, name: str, chunks: Chunks) -> None:
    info = zipfile.ZipInfo(name, _LONG_AGO)
    info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
    with archive.open(info, "w", force_zip64=True) as member:
        for chunk in chunks:
            member.write(chunk)


def _member(index: int, name: str, file: str) -> str:
    """Return the name in the archive of a file of an image: a plain one, whatever the image is called."""
    stem = _NOT_PLAIN.sub("_", PurePosixPath(name).stem)[:_LONGEST_STEM].strip(".") or "image"
    return f"{FILES}/{index + 1:05}-{stem}/{PurePosixPath(file).name}"
