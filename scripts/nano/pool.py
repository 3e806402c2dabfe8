"""A pool of shards in memory that worker processes fill while the network trains on it."""

from __future__ import annotations

import multiprocessing as mp
import os
import queue
from collections import deque
from multiprocessing.queues import Queue
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from scripts.nano.examples import GRID_WEIGHTS, GRIDS, CoreCrops, Shard, make_shard
from scripts.nano.scenes import TEST_SEEDS
from scripts.nano.tokenizer import Tokenizer

SCENES_PER_SHARD, SCENES_PER_CORE_SHARD = 32, 40
CORE_EVERY = 6


class Pool:
    """Keeps the latest shards and picks from them; each scene is used several times, with other questions."""

    def __init__(self, tokenizer_path: Path, *, seed: int, start: int, size: int, workers: int) -> None:
        """Start the workers, which draw the scenes `start`, `start` + 1, ... of the sequence `seed`."""
        context = mp.get_context("spawn")
        self.shards: deque[Shard] = deque(maxlen=size)
        self.core: deque[Shard] = deque(maxlen=max(8, size // CORE_EVERY))
        self.drawn = start
        self._queue: Queue[tuple[int, list[Shard]]] = context.Queue(maxsize=2)
        self._workers = [
            context.Process(target=_draw_forever, args=(self._queue, tokenizer_path, seed, start, i, workers))
            for i in range(workers)
        ]
        for worker in self._workers:
            worker.daemon = True
            worker.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self._workers:
            worker.terminate()

    def fill(self, at_least: int, at_least_core: int) -> None:
        """Wait until the pool holds this number of shards."""
        while len(self.shards) < at_least or len(self.core) < at_least_core:
            if not self.take(timeout=120):
                raise RuntimeError("expected scenes from the workers; none came for 120 s.")

    def take(self, timeout: float = 0.001) -> bool:
        """Take one delivery of the workers if there is one; the workers wait while the queue is full."""
        try:
            count, shards = self._queue.get(timeout=timeout)
        except queue.Empty:
            return False
        self.drawn += count
        for shard in shards:
            (self.core if shard.core else self.shards).append(shard)
        return True

    def pick(self, rng: np.random.Generator, *, core: bool = False) -> Shard:
        """Return a shard at random."""
        shards = self.core if core else self.shards
        return shards[int(rng.integers(len(shards)))]


def _draw_forever(
    out: Queue[tuple[int, list[Shard]]], tokenizer_path: Path, seed: int, start: int, index: int, workers: int
) -> None:
    tokenizer = Tokenizer.load(tokenizer_path)
    rng = np.random.default_rng([seed, start, index])
    crops = CoreCrops()
    step, parent = index, os.getppid()
    while os.getppid() == parent:
        core = step % CORE_EVERY == 0
        count = SCENES_PER_CORE_SHARD if core else SCENES_PER_SHARD
        seeds = [int(s) for s in rng.integers(0, TEST_SEEDS, count)]
        if core:
            shards = [shard for seed in seeds for shard in crops.add(seed)]
        else:
            shards = [make_shard(seeds, GRIDS[int(rng.choice(len(GRIDS), p=GRID_WEIGHTS))], tokenizer)]
        while os.getppid() == parent:  # ends when the trainer was killed
            try:
                out.put((count, shards), timeout=5)
                break
            except queue.Full:
                continue
        step += workers
