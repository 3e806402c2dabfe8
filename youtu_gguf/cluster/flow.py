"""Hands shards to a pool of actors on Ray Data, and yields what they report."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from youtu_gguf.errors import EngineError

if TYPE_CHECKING:
    from youtu_gguf.batch.shards import Shard
    from youtu_gguf.cluster.actor import Job, Summary
    from youtu_gguf.cluster.pool import Size

IN_FLIGHT = 2
"""Shards that an actor has at a time: one that it does, and the next; it does both again after its death."""


def summaries(shards: Sequence[Shard], job: Job, size: Size) -> Iterator[Summary]:
    """Have shards done by actors of the Ray that this process is connected to; yield a summary of each, in any order.

    Every shard is a block of its own: Ray Data would put such small rows into one, which one actor does.

    Raises:
        EngineError: Ray failed.
    """
    import ray.data

    from youtu_gguf.cluster.actor import ShardActor

    rows = [{"shard": pickle.dumps(shard)} for shard in shards]
    with ray_errors():
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
        for row in data.iter_rows():
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
        first = str(exc).strip().splitlines()[0] if str(exc).strip() else type(exc).__name__
        raise EngineError(
            f"Ray failed: {type(exc).__name__}: {first}. Finished images are kept; run the same command again to "
            "resume."
        ) from exc
