"""Runs a batch on a cluster: from the names of images to parts in the output folder, and a report of what happened."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from threading import Lock
from typing import Unpack

from youtu_gguf.batch.image import Asked, Questions, checked_formats, has_form
from youtu_gguf.batch.parts import Parts
from youtu_gguf.batch.paths import find_images
from youtu_gguf.batch.shards import cut, pending
from youtu_gguf.batch.sources import Item
from youtu_gguf.batch.store import Store
from youtu_gguf.calibration.assumptions import Calibration
from youtu_gguf.cluster.actor import Job
from youtu_gguf.cluster.connect import connected, nodes_of_cluster
from youtu_gguf.cluster.counts import Counted
from youtu_gguf.cluster.flow import flow
from youtu_gguf.cluster.pool import Pool, Size, size_of
from youtu_gguf.cluster.report import Report
from youtu_gguf.cluster.weights import Loading, Loads
from youtu_gguf.config import LoadSettings
from youtu_gguf.errors import InputError
from youtu_gguf.types import CalibrationWord, ProgressFn, no_progress

DEFAULT_FORMATS = ("coco", "yolo")
"""Formats where none is named, as far as the tasks have a form in them: what data sets are made of. Arrays take 60
times the room (docs/cluster.md)."""

Told = Callable[[Report], None]
"""Called when a report has changed, one call at a time, in any thread."""


def _nothing(_report: Report) -> None:
    pass


def run(
    images: Sequence[str],
    tasks: Sequence[Asked],
    out: str | PathLike[str],
    model: str | PathLike[str] | None = None,
    mmproj: str | PathLike[str] | None = None,
    engine: str | None = "native",
    *,
    pool: Pool = Pool(),  # noqa: B008 - a frozen value
    formats: Sequence[str] | None = None,
    retry: bool = False,
    restart: bool = False,
    told: Told = _nothing,
    progress: ProgressFn = no_progress,
    calibration: CalibrationWord | Calibration = "stored",
    **settings: Unpack[LoadSettings],
) -> Report:
    """Ask the same questions about many images, on one machine or several; a later run resumes.

    Args:
        images: Files, folders, patterns and lists, as for `batch`, or addresses of these.
        tasks: The questions.
        out: The output folder: a path that leads to the same folder on every machine, or an address.
        model: As for `load`. A path must lead to the same files on every machine.
        mmproj: As for `load`.
        engine: As for `load`: "native", or the address of a server that every machine reaches.
        pool: The cluster, and the actors on it.
        formats: Formats that are stored besides the lines; None for `DEFAULT_FORMATS`.
        retry: Ask images with errors again.
        restart: Delete earlier results and start over.
        told: Called with the report whenever it has changed, one call at a time, in any thread.
        progress: Called while the model is looked up or pulled.
        calibration: As for `load`.
        settings: As for `load`.

    Raises:
        InputError: An argument is invalid, no image is found, there is no such cluster, or it has no room.
        EngineError: Ray failed, or the engine did on several images in a row.
        OutputError: Results cannot be written.
        YoutuError: An error that would affect every image.
    """
    chosen = formats_of(formats, tasks)

    def loading(size: Size) -> Loads:
        return Loading.of(
            model,
            mmproj,
            engine,
            calibration=calibration,
            progress=progress,
            **settings,
        ).sized(size.cpus, size.gpus)

    return Run(images, Questions(tuple(tasks), chosen), fspath(out), pool, loading, retry, restart).go(told)


@dataclass(frozen=True)
class Run:
    """A run whose model is loaded in any way.

    Attributes:
        images: As for `run`.
        questions: The questions, with checked formats.
        out: As for `run`.
        pool: As for `run`.
        loading: Returns how actors of a size load the model.
        retry: As for `run`.
        restart: As for `run`.
    """

    images: Sequence[str]
    questions: Questions
    out: str
    pool: Pool
    loading: Callable[[Size], Loads]
    retry: bool = False
    restart: bool = False

    def go(self, told: Told = _nothing) -> Report:
        """Do the images that are not finished, and return what was done.

        Raises:
            YoutuError: As for `run`.
        """
        started, report, lock = time.monotonic(), Report(), Lock()

        def tell(report: Report) -> None:
            with lock:
                report.seconds = time.monotonic() - started
                told(report)

        store = Store(self.out)
        items = [Item(path.as_posix(), str(Path.cwd() / path), _etag(path)) for path in find_images(self.images)]
        to_do = pending(items, Parts(store).index(), retry=self.retry)
        report.begin(len(items), to_do.broken, to_do.n_finished)
        if to_do.items:  # Ray has no data sets without rows
            self._do(to_do.items, report, tell)
        report.seconds = time.monotonic() - started
        return report

    def _do(self, items: Sequence[Item], report: Report, told: Told) -> None:
        report.stage = "starting Ray"
        told(report)

        def counted(counts: Counted) -> None:
            report.follow(counts)
            told(report)

        with connected(self.pool.cluster):
            size = size_of(self.pool, nodes_of_cluster())
            job = Job(self.loading(size), self.questions, self.out)
            report.stage = "loading the model"
            told(report)
            shards = [*cut(items, self.pool.shard_size, f"{time.time_ns()}")]
            with closing(flow(shards, job, size, counted)) as summaries:
                for summary in summaries:
                    if summary.fault is not None:
                        raise summary.fault
                    report.count(summary)
                    told(report)


def formats_of(formats: Sequence[str] | None, tasks: Sequence[Asked]) -> tuple[str, ...]:
    """Return the formats that a run stores.

    Raises:
        InputError: There is no such format, or no question has a form in it.
    """
    if not tasks:
        raise InputError("expected at least one task; got none.")
    if formats is None:
        return tuple(name for name in DEFAULT_FORMATS if any(has_form(asked.kind, name) for asked in tasks))
    return checked_formats(formats, tasks)


def _etag(path: Path) -> str | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return f"{stat.st_size:x}-{stat.st_mtime_ns:x}"
