"""A cluster on paper: from measured costs to the rate at which each resource is used up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

S3_GET_PER_S, S3_PUT_PER_S = 5500, 3500
"""Requests per second that S3 promises for one prefix.

Source: AWS, "Best practices design patterns: optimizing Amazon S3 performance".
"""

NETWORK_BYTES_PER_S = 25e9 / 8
"""Assumed for a machine: 25 Gbit/s."""

IMAGE_BYTES = 500e3
"""Assumed for an image file."""

GPUS_PER_NODE = 8
CORES_OF_HEAD = 8
"""Assumed."""


@dataclass(frozen=True)
class Costs:
    """What was measured.

    Attributes:
        driver_shard_s: Processor seconds of the driver for a shard; they are one thread's.
        ray_shard_s: Those of Ray's processes outside the actors.
        idle_node: Processors that Ray takes on a node while nothing runs.
        run_s: Processor seconds of a run that depend on neither images nor shards.
        name_s: Seconds of the driver for each name before the first shard begins: listing, comparing, cutting.
        name_bytes: Memory of the driver for each name.
        gets: Requests that read, for each image.
        shard_reads: Requests that read, for each shard beside its images.
        shard_writes: Requests that write, list or delete, for each shard.
        part_bytes: Bytes of a part, for each image.
    """

    driver_shard_s: float
    ray_shard_s: float
    idle_node: float
    run_s: float
    name_s: float
    name_bytes: float
    gets: float
    shard_reads: float
    shard_writes: float
    part_bytes: float


def limits(costs: Costs, shard_size: int, gpus: int) -> Iterator[tuple[str, float, str]]:
    """Yield each resource, the images per second at which it is used up, and why."""
    nodes = gpus / GPUS_PER_NODE
    yield "driver, one thread", shard_size / costs.driver_shard_s, f"{costs.driver_shard_s * 1e3:.1f} ms a shard"
    head = CORES_OF_HEAD / (costs.ray_shard_s / shard_size)
    yield f"Ray's processes, {CORES_OF_HEAD} cores", head, f"{costs.ray_shard_s * 1e3:.1f} ms a shard"
    reads = costs.gets + costs.shard_reads / shard_size
    yield "store, reading", S3_GET_PER_S / reads, f"{reads:.2f} requests an image, {S3_GET_PER_S}/s for a prefix"
    writes = costs.shard_writes / shard_size
    yield "store, writing", S3_PUT_PER_S / writes, f"{costs.shard_writes:.1f} requests a shard, {S3_PUT_PER_S}/s"
    network = nodes * NETWORK_BYTES_PER_S / (IMAGE_BYTES + costs.part_bytes)
    yield f"network of {nodes:.0f} nodes", network, f"{IMAGE_BYTES / 1e6:.1f} MB an image, 25 Gbit/s a node"


RATES = (1.0, 5.0, 20.0)
"""Assumed images per second of a GPU: none was tried."""


def table(costs: Costs, images: int, gpus: int, shard_size: int) -> Iterator[str]:
    """Yield the lines of a table for a cluster."""
    yield f"{images:,} images on {gpus} GPUs in shards of {shard_size}; assumed: {GPUS_PER_NODE} GPUs a node"
    names_s, names_gb = images * costs.name_s, images * costs.name_bytes / 1e9
    yield f"before the first shard: {names_s:.0f} s; memory of the driver for names: {names_gb:.2f} GB"
    yield f"{'used up first':28}{'images/s':>12}{'of a GPU':>10}  since"
    for name, rate, why in sorted(limits(costs, shard_size, gpus), key=lambda limit: limit[1]):
        yield f"{name:28}{rate:12,.0f}{rate / gpus:10.1f}  {why}"
    yield f"{'a GPU does per second':28}{'hours':>8}{'shards/s':>10}{'driver':>9}{'names and start':>17}"
    for rate in RATES:
        seconds = images / (rate * gpus)
        shards = rate * gpus / shard_size
        busy = shards * costs.driver_shard_s
        start = (images * costs.name_s + costs.run_s) / seconds
        yield f"{rate:28.0f}{seconds / 3600:8.1f}{shards:10.1f}{busy:8.0%} {start:16.1%}"
    yield f"{images // shard_size:,} shards; at the end, actors wait for the last one as long as it takes"
