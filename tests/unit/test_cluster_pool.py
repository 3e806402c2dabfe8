"""What a run takes of a cluster: numbers that work, and the number to use where one does not."""

from __future__ import annotations

from typing import Any

import pytest

import youtu_gguf as yg
from youtu_gguf.cluster import Pool
from youtu_gguf.cluster.pool import Node, Size, size_of

HEAD, BIG, GPUS = Node("head", 2), Node("big", 8), Node("gpus", 16, 4)


@pytest.mark.parametrize(
    ("pool", "nodes", "expected"),
    [
        (Pool(), [Node("here", 3)], Size(1, 1, 2, 0)),  # a Ray of our own on two cores
        (Pool(cpus_per_actor=1), [Node("here", 3)], Size(2, 2, 1, 0)),
        (Pool(), [HEAD, BIG, BIG, BIG], Size(3, 3, 7, 0)),
        (Pool(cpus_per_actor=4), [HEAD, BIG, BIG], Size(4, 4, 4, 0)),
        (Pool(cpus_per_actor=8), [BIG, BIG], Size(1, 1, 8, 0)),
        (Pool(actors=2, cpus_per_actor=2), [BIG], Size(2, 2, 2, 0)),
        (Pool(actors=(1, 40), cpus_per_actor=2), [BIG], Size(1, 40, 2, 0)),  # the cluster may grow
        (Pool(gpus_per_actor=1), [HEAD, GPUS], Size(4, 4, 3, 1)),
        (Pool(gpus_per_actor=0.5), [HEAD, GPUS], Size(8, 8, 1, 0.5)),
        (Pool(gpus_per_actor=0.4, cpus_per_actor=1), [GPUS], Size(8, 8, 1, 0.4)),  # two on each, not ten on four
        (Pool(gpus_per_actor=3, cpus_per_actor=1), [GPUS], Size(1, 1, 1, 3)),
    ],
)
def test_actors_are_as_many_as_there_is_room_for(pool: Pool, nodes: list[Node], expected: Size) -> None:
    assert size_of(pool, nodes) == expected


@pytest.mark.parametrize(
    ("pool", "nodes", "words"),
    [
        (Pool(actors=3, cpus_per_actor=1), [Node("a", 3)], "would take every CPU.*Use --actors 2"),
        (Pool(actors=9, cpus_per_actor=4), [BIG, BIG], "do not fit; the cluster has big: 8 CPUs.*Use --actors 3"),
        (Pool(cpus_per_actor=9), [HEAD, BIG], "room for an actor of 9 CPUs.*head: 2 CPUs; big: 8 CPUs"),
        (Pool(gpus_per_actor=1), [HEAD, BIG], "room for an actor of 1 CPUs and 1 GPUs"),
        (Pool(cpus_per_actor=8), [BIG], "would take every CPU.*Use --cpus-per-actor 7"),
        (Pool(), [Node("a", 1)], "at least 2 CPUs"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_does(pool: Pool, nodes: list[Node], words: str) -> None:
    with pytest.raises(yg.InputError, match=words):
        size_of(pool, nodes)


@pytest.mark.parametrize(
    ("named", "words"),
    [
        ({"cluster": "here"}, "local, auto or ray://HOST:PORT; got 'here'"),
        ({"actors": 0}, "at least 1"),
        ({"actors": (3, 2)}, "got \\(3, 2\\)"),
        ({"actors": True}, "number of actors"),
        ({"cpus_per_actor": 0}, "cpus_per_actor"),
        ({"gpus_per_actor": 1.5}, "a part of one"),
        ({"gpus_per_actor": -1}, "a part of one"),
        ({"shard_size": 0}, "shard_size"),
    ],
)
def test_numbers_are_checked_before_anything_runs(named: dict[str, Any], words: str) -> None:
    with pytest.raises(yg.InputError, match=words):
        Pool(**named)
