"""What an actor does: it holds a model in a child process, does one shard after the other, and says how that went."""

from __future__ import annotations

import pickle
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from youtu_gguf.batch import Worker
from youtu_gguf.batch.image import Questions
from youtu_gguf.batch.shard import run_shard
from youtu_gguf.batch.shards import Shard
from youtu_gguf.batch.store import Store
from youtu_gguf.cluster.counts import Noting
from youtu_gguf.cluster.nodes import assigned_gpus
from youtu_gguf.cluster.weights import Loads
from youtu_gguf.environment import share_of_machine
from youtu_gguf.errors import YoutuError


@dataclass(frozen=True)
class Job:
    """What every actor is told.

    Attributes:
        loading: How the model is loaded, and what it must be.
        questions: What is asked about each image.
        out: Address of the output folder.
        about: What every part says of the run.
        counts: Handle of the actor `Counts`, if there is one.
    """

    loading: Loads
    questions: Questions
    out: str
    about: Mapping[str, Any] = field(default_factory=dict)
    counts: Any = field(default=None, repr=False)


@dataclass(frozen=True)
class Summary:
    """How a shard went. What an actor returns for it; the results themselves are in the shard's part.

    Attributes:
        shard: Its name.
        node: The machine.
        n_images: Images in it.
        broken: Names of images with errors, and the first error of each.
        busy_s: Seconds that it took.
        attempt: How often it was begun, this time included.
        fault: What would affect every image; the shard is then not finished.
    """

    shard: str
    node: str
    n_images: int
    broken: Sequence[tuple[str, str]] = ()
    busy_s: float = 0.0
    attempt: int = 1
    fault: YoutuError | None = field(default=None, repr=False)


class ShardActor:
    """Does shards: for `Dataset.map_batches`, one row with a pickled `Shard` at a time."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._worker: Worker | None = None

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[bytes]]:
        """Do the shards of a batch; return their summaries, pickled."""
        return {"summary": [pickle.dumps(self._do(pickle.loads(data))) for data in batch["shard"]]}

    def _do(self, shard: Shard) -> Summary:
        node, started = socket.gethostname(), time.monotonic()
        noting = Noting(self._job.counts, shard.name)
        try:
            about = {**self._job.about, "node": node}
            done = run_shard(
                self._ready, shard, self._job.questions, Store(self._job.out), about=about, told=noting.add
            )
        except YoutuError as exc:
            return Summary(shard.name, node, len(shard.items), fault=exc)
        finally:
            noting.end()
        return Summary(shard.name, node, done.n_images, done.broken, time.monotonic() - started, done.attempt)

    def _ready(self) -> Worker:
        if self._worker is None:
            loading = self._job.loading
            share = share_of_machine(int(loading.about["threads"]), assigned_gpus())
            worker = Worker(loading.load, environment=share)
            try:
                loading.check(worker.identity, socket.gethostname())
            except YoutuError:
                worker.close()
                raise
            self._worker = worker
        return self._worker
