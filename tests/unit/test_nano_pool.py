"""The pool of shards: what it keeps, drops and picks. No worker draws here."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from scripts.nano.pool import LEAST_HELD, Pool
from scripts.nano.shards import Kind, Shard, bare_targets


def shard(kind: Kind, n_images: int, rows: int = 2, cols: int = 2) -> Shard:
    targets = bare_targets(rows, cols, np.zeros((4 * rows, 4 * cols), np.uint8))
    rgb = np.zeros((32 * rows, 32 * cols, 3), np.uint8)
    return Shard.of(kind, (rows, cols), [(rgb, targets, [])] * n_images)


def pool_of(n_tokens: int, **shares: float) -> Pool:
    return Pool(Path("unused"), seed=1, start=7, n_tokens=n_tokens, shares=shares, workers=0)  # type: ignore[arg-type]


def test_each_kind_keeps_its_share_of_the_tokens() -> None:
    with pool_of(400, scene=3.0, core=1.0) as pool:
        for _ in range(100):
            pool.keep(shard("scene", 5))
            pool.keep(shard("core", 2))
        held = {kind: sum(one.n_tokens for one in shards) for kind, shards in pool.shards.items()}
    assert held == {"scene": 300, "core": 96}  # 20 tokens a shard of scenes, 8 one of crops


def test_some_shards_are_kept_however_large_they_are() -> None:
    with pool_of(1, view=1.0) as pool:
        for _ in range(20):
            pool.keep(shard("view", 4))
        assert len(pool.shards["view"]) == LEAST_HELD


def test_the_oldest_is_dropped_first() -> None:
    with pool_of(1, view=1.0) as pool:
        drawn = [shard("view", 1) for _ in range(LEAST_HELD + 2)]
        for one in drawn:
            pool.keep(one)
        assert all(kept is one for kept, one in zip(pool.shards["view"], drawn[2:], strict=True))


def test_a_shard_of_four_times_as_many_images_is_picked_twice_as_often() -> None:
    rng = np.random.default_rng(0)
    with pool_of(1000, scene=1.0) as pool:
        pool.keep(shard("scene", 4))
        pool.keep(shard("scene", 16))
        picked = Counter(len(pool.pick(rng, "scene").rgb) for _ in range(3000))
    assert picked[16] / picked[4] == pytest.approx(2, rel=0.1)


def test_drawing_goes_on_where_it_was_left() -> None:
    with pool_of(100, view=1.0) as pool:
        for _ in range(10):
            pool.keep(shard("view", 1))
        assert pool.drawn == 17


def test_nothing_is_taken_where_nothing_was_drawn() -> None:
    with pool_of(100, view=1.0) as pool:
        assert not pool.take()
