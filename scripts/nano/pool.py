"""A pool of shards in memory that worker processes fill while the network trains on it."""

from __future__ import annotations

import multiprocessing as mp
import os
import queue
import signal
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from multiprocessing.queues import Queue
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from scripts.nano.examples import CoreCrops, make_scenes, make_views
from scripts.nano.foreign import make_clicks, make_screens, make_strangers
from scripts.nano.scenes import TEST_SEEDS
from scripts.nano.shards import Kind, Shard
from scripts.nano.tokenizer import Tokenizer

LEAST_HELD = 6
"""Shards of each kind that are kept at least."""
SCENES_FOR_CROPS = 16


class Pool:
    """Keeps the latest shards of each kind and picks from them; an image is used several times, with other questions.

    Args:
        tokenizer_path: Of the tokenizer that lessons are written with.
        seed: The sequence of images.
        start: How many shards of the sequence were used before.
        n_tokens: Image tokens to keep, of all kinds together.
        shares: How many of the shards are of each kind.
        workers: Processes that draw.
    """

    def __init__(
        self, tokenizer_path: Path, *, seed: int, start: int, n_tokens: int, shares: Mapping[Kind, float], workers: int
    ) -> None:
        context = mp.get_context("spawn")
        total = sum(shares.values())
        self.shards: dict[Kind, deque[Shard]] = {kind: deque() for kind in shares}
        self._most = {kind: n_tokens * share / total for kind, share in shares.items()}
        self.drawn = start
        self._queue: Queue[list[Shard]] = context.Queue(maxsize=2)
        self._workers = [
            context.Process(
                target=_draw_forever, args=(self._queue, tokenizer_path, dict(shares), [seed, start, number])
            )
            for number in range(workers)
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
            worker.kill()  # they ignore milder signals

    def fill(self, at_least: int) -> None:
        """Wait until the pool holds so many shards, and some of each kind."""
        while sum(map(len, self.shards.values())) < at_least or not all(self.shards.values()):
            if not self.take(timeout=120):
                raise RuntimeError("expected shards from the workers; none came for 120 s.")

    def take(self, timeout: float = 0.001) -> bool:
        """Take one delivery of the workers if there is one; the workers wait while the queue is full.

        Raises:
            RuntimeError: A worker has ended.
        """
        try:
            shards = self._queue.get(timeout=timeout)
        except queue.Empty:
            ended = [worker.exitcode for worker in self._workers if worker.exitcode is not None]
            if ended:
                raise RuntimeError(f"expected the workers to draw until the end; one ended with {ended[0]}.") from None
            return False
        for shard in shards:
            self.keep(shard)
        return True

    def keep(self, shard: Shard) -> None:
        """Add a shard, and drop the oldest of its kind beyond what is kept of that."""
        self.drawn += 1
        kept = self.shards[shard.kind]
        kept.append(shard)
        while len(kept) > LEAST_HELD and sum(one.n_tokens for one in kept) > self._most[shard.kind]:
            kept.popleft()

    def pick(self, rng: np.random.Generator, kind: Kind) -> Shard:
        """Return a shard at random: one of four times as many images, which are smaller, twice as often."""
        shards = self.shards[kind]
        weights = np.sqrt([len(shard.rgb) for shard in shards])
        return shards[int(rng.choice(len(shards), p=weights / weights.sum()))]


def _draw_forever(out: Queue[list[Shard]], tokenizer_path: Path, shares: Mapping[Kind, float], seed: list[int]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # they stop the trainer, which still takes shards until it has saved
    parent = os.getppid()
    for shards in draw_shards(Tokenizer.load(tokenizer_path), shares, np.random.default_rng(seed)):
        while os.getppid() == parent:  # ends when the trainer was killed
            try:
                out.put(shards, timeout=5)
                break
            except queue.Full:
                continue
        if os.getppid() != parent:
            return


def draw_shards(tokenizer: Tokenizer, shares: Mapping[Kind, float], rng: np.random.Generator) -> Iterator[list[Shard]]:
    """Yield shards without end; crops come when there are enough of a size."""
    crops = CoreCrops()

    def make_crops(seed: int) -> list[Shard]:
        return [shard for number in range(SCENES_FOR_CROPS) for shard in crops.add(seed + number)]

    makers: dict[Kind, Callable[[int], list[Shard]]] = {
        "scene": lambda seed: [make_scenes(seed, tokenizer)],
        "view": lambda seed: [make_views(seed)],
        "core": make_crops,
        "screen": lambda seed: [make_screens(seed, tokenizer)],
        "click": lambda seed: [make_clicks(seed, tokenizer)],
        "stranger": lambda seed: [make_strangers(seed, tokenizer)],
    }
    weights = np.array([*shares.values()])
    while True:
        kind = list(shares)[int(rng.choice(len(weights), p=weights / weights.sum()))]
        shards = makers[kind](int(rng.integers(0, TEST_SEEDS - 100)))
        if shards:
            yield shards
