"""Runs a batch on Ray: cuts the images that are not finished into shards, and hands them to actors."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from youtu_gguf.batch.parts import Parts
from youtu_gguf.batch.shards import Item, cut, pending
from youtu_gguf.batch.store import Store
from youtu_gguf.cluster.actor import Job, ShardActor, Summary
from youtu_gguf.cluster.pool import Pool


@dataclass
class Totals:
    """Images of one run: done in it, and finished earlier; of those done, how many have errors."""

    done: int = 0
    skipped: int = 0
    broken: int = 0


def run(items: Sequence[Item], job: Job, how: Pool, told: Callable[[Summary], None] = lambda _summary: None) -> Totals:
    """Do all images that are not finished, and return how many there were.

    Raises:
        YoutuError: An error that would affect every image.
    """
    open_ = pending(items, Parts(Store(job.out)).index())
    totals = Totals(skipped=open_.n_finished)
    if not open_.items:  # Ray has no data sets without rows
        return totals
    for summary in _summaries([*cut(open_.items, how.shard_size, "000001")], job, how):
        if summary.fault is not None:
            raise summary.fault
        totals.done += summary.n_images
        totals.broken += len(summary.broken)
        told(summary)
    return totals


def _summaries(shards: Sequence[Any], job: Job, how: Pool) -> Iterator[Summary]:
    import ray
    import ray.data

    ray.init(address="local", include_dashboard=False, log_to_driver=False, logging_level="error")
    try:
        rows = [{"shard": pickle.dumps(shard)} for shard in shards]
        least, most = how.actors
        data = ray.data.from_items(rows, override_num_blocks=len(rows)).map_batches(
            ShardActor,
            fn_constructor_args=(job,),
            batch_size=1,
            num_cpus=how.cpus_per_actor,
            compute=ray.data.ActorPoolStrategy(min_size=least, max_size=most),
        )
        for row in data.iter_rows():
            yield pickle.loads(row["summary"])
    finally:
        ray.shutdown()
