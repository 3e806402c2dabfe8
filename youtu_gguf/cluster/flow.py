"""Hands shards to a pool of actors on Ray Data, and yields what they report."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from youtu_gguf.cluster.counts import Counted, Counts, asking
from youtu_gguf.errors import EngineError

if TYPE_CHECKING:
    from youtu_gguf.batch.shards import Shard
    from youtu_gguf.cluster.actor import Job, Summary
    from youtu_gguf.cluster.pool import Size

IN_FLIGHT = 2
"""Shards that an actor has at a time: one that it does, and the next. After its death both are done again."""

KEPT = "Finished images are kept; run the same command again to resume."


def flow(shards: Sequence[Shard], job: Job, size: Size, counted: Callable[[Counted], None]) -> Generator[Summary]:
    """Have shards done by actors of the Ray that this process is part of; yield a summary of each, in any order.

    Close the iterator to end it early; the actors then end, and so do their children.

    Args:
        shards: What is to be done.
        job: What every actor is told.
        size: How many actors, and what they take.
        counted: Called in another thread, every few seconds, with how far shards are that are not finished.

    Raises:
        EngineError: Ray failed.
    """
    import ray

    with ray_errors():
        counts: Any = ray.remote(Counts).options(num_cpus=0).remote()
        try:
            with asking(counts, counted), closing(_summaries(shards, replace(job, counts=counts), size)) as found:
                yield from found
        finally:
            ray.kill(counts)


def _summaries(shards: Sequence[Shard], job: Job, size: Size) -> Generator[Summary]:
    """Run the data set. A shard is a block of its own; Ray Data would put such small rows into one, for one actor."""
    import ray.data

    from youtu_gguf.cluster.actor import ShardActor

    rows = [{"shard": pickle.dumps(shard)} for shard in shards]
    data = ray.data.from_items(rows, override_num_blocks=len(rows)).map_batches(
        ShardActor,
        fn_constructor_args=(job,),
        batch_size=1,
        num_cpus=size.cpus,
        num_gpus=size.gpus or None,
        compute=ray.data.ActorPoolStrategy(
            min_size=size.least, max_size=size.most, max_tasks_in_flight_per_actor=IN_FLIGHT
        ),
    )
    context: Any = data.context
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.execution_no_progress_timeout_s = -1  # a shard takes as long as its images
    with closing(iter(data.iter_rows())) as found:
        for row in found:
            yield pickle.loads(row["summary"])


@contextmanager
def ray_errors() -> Iterator[None]:
    """Turn errors of Ray into ours.

    Raises:
        EngineError: Ray raised an error.
    """
    from ray.exceptions import RayError

    try:
        yield
    except RayError as exc:
        raise EngineError(in_words(exc)) from exc


def in_words(exc: BaseException) -> str:
    """Return what an error of Ray means to the user, without its pages of frames."""
    from ray.exceptions import RayTaskError

    cause: BaseException = exc
    while isinstance(cause, RayTaskError) and isinstance(cause.cause, BaseException):
        cause = cause.cause
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    words = " ".join((lines[-1:] if isinstance(cause, RayTaskError) else lines[:2]) or [type(cause).__name__])
    if "No module named" in str(exc):
        words += ' Install the same version of it on every machine: pip install "youtu_gguf[ray]".'
    return f"Ray failed: {type(cause).__name__}: {words[:400]} {KEPT}"
