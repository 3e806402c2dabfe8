"""Runs a batch on a cluster: from the names of images to parts in the output folder, and a report of what happened."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from os import PathLike, fspath
from threading import Lock
from typing import Any, Self, Unpack

from youtu_gguf.batch.addresses import absolute, joined
from youtu_gguf.batch.attempts import FOLDER as ATTEMPTS
from youtu_gguf.batch.attempts import clear, let_go, take_over
from youtu_gguf.batch.folder import check_settings
from youtu_gguf.batch.image import Asked, Questions, checked_formats, has_form
from youtu_gguf.batch.journal import FILES
from youtu_gguf.batch.parts import PARTS, Parts
from youtu_gguf.batch.questions import question_to_json
from youtu_gguf.batch.run import settings_of
from youtu_gguf.batch.shards import cut, pending
from youtu_gguf.batch.sources import Item, find_items
from youtu_gguf.batch.store import Store
from youtu_gguf.calibration.assumptions import Calibration
from youtu_gguf.cluster.actor import Job
from youtu_gguf.cluster.claim import DRIVERS, Claim
from youtu_gguf.cluster.conductor import flow_elsewhere
from youtu_gguf.cluster.connect import connected, is_elsewhere, nodes_of_cluster
from youtu_gguf.cluster.counts import Counted
from youtu_gguf.cluster.flow import flow
from youtu_gguf.cluster.nodes import ask_a_node
from youtu_gguf.cluster.pool import Pool, Size, size_of
from youtu_gguf.cluster.report import Report
from youtu_gguf.cluster.weights import Ask, Found, Loading, Loads, Wanted
from youtu_gguf.config import LoadSettings
from youtu_gguf.errors import InputError, YoutuError
from youtu_gguf.output.datasets import DATASETS
from youtu_gguf.types import CalibrationWord, ProgressFn, no_progress

DEFAULT_FORMATS = ("coco", "yolo")
"""Formats where none is named, as far as the tasks have a form in them: what data sets are made of. Arrays take a
hundred times the room and more (docs/cluster.md)."""

WRITTEN = (PARTS, ATTEMPTS, DRIVERS, FILES, *DATASETS)
"""Folders in the output folder that are never searched for images."""

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

    def loading(ask: Ask | None) -> Loads:
        return Loading.of(model, mmproj, engine, calibration=calibration, ask=ask, progress=progress, **settings)

    return Run(images, Questions(tuple(tasks), chosen), fspath(out), pool, loading, settings, retry, restart).go(told)


@dataclass(frozen=True)
class Run:
    """A run whose model is loaded in any way.

    Attributes:
        images: As for `run`.
        questions: The questions, with checked formats.
        out: As for `run`.
        pool: As for `run`.
        loading: Returns how actors load the model, given what looks for it on the cluster; None to look here.
        options: Settings of the model, as for `settings_of`.
        retry: As for `run`.
        restart: As for `run`.
    """

    images: Sequence[str]
    questions: Questions
    out: str
    pool: Pool
    loading: Callable[[Ask | None], Loads]
    options: Mapping[str, Any] = field(default_factory=dict)
    retry: bool = False
    restart: bool = False

    def go(self, told: Told = _nothing) -> Report:
        """Do the images that are not finished, and return what was done.

        Raises:
            YoutuError: As for `run`.
        """
        started, report, lock = time.monotonic(), Report(), Lock()

        def tell() -> None:
            with lock:
                report.seconds = time.monotonic() - started
                told(report)

        def stage(words: str) -> None:
            report.stage = words
            tell()

        stage("looking for images")
        store = Store(absolute(self.out))
        with Claim(store, stage) as claim, ExitStack() as after, _Cluster(self.pool, stage) as cluster:
            loads = self.loading(cluster.ask)
            check_settings(store, self._settings(loads), restart=self.restart)
            items = find_items(self.images, [joined(store.address, name) for name in WRITTEN])
            to_do = pending(items, Parts(store).index(), retry=self.retry)
            report.begin(len(items), to_do.broken, to_do.n_finished)
            tell()
            if to_do.items:  # Ray has no data sets without rows
                self._do(to_do.items, store, claim, cluster, after, loads, report, tell)
        report.seconds = time.monotonic() - started
        return report

    def _do(
        self,
        items: Sequence[Item],
        store: Store,
        claim: Claim,
        cluster: _Cluster,
        after: ExitStack,
        loads: Loads,
        report: Report,
        tell: Callable[[], None],
    ) -> None:
        def counted(counts: Counted) -> None:
            report.follow(counts)
            tell()

        size = cluster.connect()
        loads = loads.sized(size.cpus, size.gpus)
        lost = take_over(store, claim.run)
        after.push(_letting_go(store, claim.run))
        shards = [*cut(items, self.pool.shard_size, claim.run, lost)]
        job = Job(loads, self.questions, store.address, {"run": claim.run, **loads.about})
        report.stage, report.begun = "loading the model", True
        tell()
        with closing((flow_elsewhere if is_elsewhere() else flow)(shards, job, size, counted)) as summaries:
            for summary in summaries:
                claim.check()
                if summary.fault is not None:
                    raise summary.fault
                report.count(summary)
                tell()
        clear(store)

    def _settings(self, loads: Loads) -> dict[str, Any]:
        asked = self.questions.asked
        settings = settings_of(loads.identity, asked, self.options, self.questions.formats)
        return {**settings, "questions": [*map(question_to_json, asked)]}


def _letting_go(store: Store, run: str) -> Callable[..., None]:
    """Return what ends a run in the store if it ends by an error.

    It belongs after the end of the cluster: an actor has its next shard at hand, and may begin it, and note that,
    after the iterator that it works for is closed.
    """

    def ended(kind: type[BaseException] | None, *_of_exception: object) -> None:
        if kind is not None:
            with suppress(YoutuError):  # what ended the run matters more
                let_go(store, run)

    return ended


class _Cluster:
    """The cluster of a run, which is connected to when it is first needed: a context manager."""

    def __init__(self, pool: Pool, stage: Callable[[str], None]) -> None:
        self._pool = pool
        self._stage = stage
        self._size: Size | None = None
        self._undo = ExitStack()
        self.ask: Ask | None = None if pool.cluster == "local" else self._ask

    def connect(self) -> Size:
        """Connect, once, and return the size of the actors.

        Raises:
            InputError: There is no such cluster, or no room.
            EngineError: The cluster cannot be used.
        """
        if self._size is None:
            self._stage("starting Ray" if self._pool.cluster == "local" else f"connecting to {self._pool.cluster}")
            self._undo.enter_context(connected(self._pool.cluster))
            self._size = size_of(self._pool, nodes_of_cluster())
        return self._size

    def _ask(self, wanted: Wanted) -> Found:
        size = self.connect()
        return ask_a_node(size.cpus, size.gpus)(wanted)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_of_exception: object) -> None:
        self._undo.close()


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
