"""Runs a batch on a cluster: from the names of images to parts in the output folder, and a report of what happened."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import Literal, Unpack

from youtu_gguf.batch.image import Asked, Questions, checked_formats, has_form
from youtu_gguf.batch.parts import Parts
from youtu_gguf.batch.paths import find_images
from youtu_gguf.batch.run import NAMED
from youtu_gguf.batch.shards import cut, pending
from youtu_gguf.batch.sources import Item
from youtu_gguf.batch.sources import Item
from youtu_gguf.batch.store import Store
from youtu_gguf.calibration.assumptions import Calibration
from youtu_gguf.cluster.actor import Job
from youtu_gguf.cluster.connect import connected, nodes_of_cluster
from youtu_gguf.cluster.flow import summaries
from youtu_gguf.cluster.pool import Pool, Size, size_of
from youtu_gguf.cluster.report import Report
from youtu_gguf.cluster.weights import Loading, Loads
from youtu_gguf.config import LoadSettings
from youtu_gguf.errors import InputError
from youtu_gguf.types import ProgressFn, no_progress

DEFAULT_FORMATS = ("coco", "yolo")
"""Formats where none is named, as far as the tasks have a form in them: what data sets are made of, but no arrays, which
take 60 times the room (docs/cluster.md)."""

Told = Callable[[Report], None]
"""Called when something has changed in a report."""


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
    calibration: Literal["stored", "default"] | Calibration = "stored",
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
        told: Called with the report as it grows.
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

    return run_loading(loading, images, tasks, fspath(out), pool, chosen, retry=retry, restart=restart, told=told)


def run_loading(
    loading: Callable[[Size], Loads],
    images: Sequence[str],
    tasks: Sequence[Asked],
    out: str,
    pool: Pool,
    formats: Sequence[str] = (),
    *,
    retry: bool = False,
    restart: bool = False,
    told: Told = _nothing,
) -> Report:
    """Do what `run` does, with a model that is loaded in any way.

    Args:
        loading: Returns how actors of a size load the model.
        images: As for `run`.
        tasks: As for `run`.
        out: As for `run`.
        pool: As for `run`.
        formats: Checked formats.
        retry: As for `run`.
        restart: As for `run`.
        told: As for `run`.

    Raises:
        YoutuError: As for `run`.
    """
    started = time.monotonic()
    store = Store(out)
    items = [Item(path.as_posix(), str(Path.cwd() / path), _etag(path)) for path in find_images(images)]
    to_do = pending(items, Parts(store).index(), retry=retry)
    report = Report(total=len(items), skipped=to_do.n_finished, broken=len(to_do.broken), named=[*to_do.broken[:NAMED]])
    told(report)
    try:
        if to_do.items:  # Ray has no data sets without rows
            with connected(pool.cluster):
                size = size_of(pool, nodes_of_cluster())
                loads = loading(size)
                job = Job(loads, Questions(tuple(tasks), tuple(formats)), out)
                for summary in summaries([*cut(to_do.items, pool.shard_size, f"{time.time_ns()}")], job, size):
                    if summary.fault is not None:
                        raise summary.fault
                    report.count(summary)
                    told(report)
    finally:
        report.seconds = time.monotonic() - started
    return report


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
