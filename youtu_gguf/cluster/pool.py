"""What a run takes of a cluster: how many actors, of what size."""

from __future__ import annotations

from dataclasses import dataclass

from youtu_gguf.batch.shards import SHARD_SIZE


@dataclass(frozen=True)
class Pool:
    """What a run takes of a cluster.

    Attributes:
        cluster: "local", for a Ray of this run on this machine; "auto", for the one that runs here; or `ray://HOST`.
        actors: How many, or the least and the most.
        cpus_per_actor: Processors of each, which are its threads too.
        gpus_per_actor: GPUs of each.
        shard_size: Images in a shard.
    """

    cluster: str = "local"
    actors: tuple[int, int] = (1, 1)
    cpus_per_actor: int = 1
    gpus_per_actor: float = 0.0
    shard_size: int = SHARD_SIZE
