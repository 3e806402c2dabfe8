"""Conducts a run from within the cluster, for a driver outside: Ray Data needs a process that is part of it."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from youtu_gguf.batch.shards import Shard
from youtu_gguf.cluster.actor import Job, Summary
from youtu_gguf.cluster.counts import NOTE_S, Counted
from youtu_gguf.cluster.flow import flow, ray_errors
from youtu_gguf.cluster.pool import Size
from youtu_gguf.errors import YoutuError

HEAD = "node:__internal_head__"
"""Ray's name for the machine that the cluster stands and falls with."""


@dataclass
class News:
    """What has happened since the last time the driver asked."""

    summaries: list[Summary] = field(default_factory=list)
    counted: Counted = field(default_factory=dict)
    error: YoutuError | None = None
    has_ended: bool = False


class Conductor:
    """Runs `flow` in a thread, and keeps what comes of it. An actor of Ray itself; with it, its actors end too."""

    def __init__(self, shards: Sequence[Shard], job: Job, size: Size) -> None:
        self._queue: queue.SimpleQueue[Summary | YoutuError | None] = queue.SimpleQueue()
        self._counted: Counted = {}
        threading.Thread(target=self._run, args=(shards, job, size), daemon=True).start()

    def news(self) -> News:
        """Return what has happened, at the latest after `NOTE_S`."""
        news = News()
        with_what = self._next(NOTE_S)
        while with_what is not _NOTHING:
            if isinstance(with_what, Summary):
                news.summaries.append(with_what)
            else:
                news.error, news.has_ended = with_what, True
            with_what = self._next(0)
        news.counted = self._counted
        return news

    def _next(self, wait_s: float) -> Any:
        try:
            return self._queue.get(timeout=wait_s) if wait_s else self._queue.get_nowait()
        except queue.Empty:
            return _NOTHING

    def _run(self, shards: Sequence[Shard], job: Job, size: Size) -> None:
        def counted(counts: Counted) -> None:
            self._counted = dict(counts)

        error: YoutuError | None = None
        try:
            with closing(flow(shards, job, size, counted)) as summaries:
                for summary in summaries:
                    self._queue.put(summary)
        except YoutuError as exc:
            error = exc
        finally:
            self._queue.put(error)


_NOTHING = object()


def flow_elsewhere(
    shards: Sequence[Shard], job: Job, size: Size, counted: Callable[[Counted], None]
) -> Generator[Summary]:
    """Do what `flow` does, from a process that is a client of the cluster.

    Args:
        shards: As for `flow`.
        job: As for `flow`.
        size: As for `flow`.
        counted: As for `flow`, called in the thread of the caller.

    Raises:
        EngineError: Ray failed.
    """
    import ray

    with ray_errors():
        head = {HEAD: 0.001}
        conductor: Any = ray.remote(Conductor).options(num_cpus=0, resources=head).remote(shards, job, size)
        try:
            while True:
                news: News = ray.get(conductor.news.remote())
                counted(news.counted)
                yield from news.summaries
                if news.error is not None:
                    raise news.error
                if news.has_ended:
                    return
        finally:
            ray.kill(conductor)
