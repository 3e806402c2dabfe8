"""A pool of shards in memory that worker processes fill while the network trains on it."""

from __future__ import annotations

import multiprocessing as mp
import signal
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from types import TracebackType
from typing import Self

import cv2
import numpy as np

from scripts.nano.examples import CoreCrops, make_scenes, make_views
from scripts.nano.foreign import make_clicks, make_screens, make_strangers
from scripts.nano.scenes import TEST_SEEDS
from scripts.nano.shards import Kind, Shard
from scripts.nano.tokenizer import Tokenizer

LEAST_HELD = 6
"""Shards of each kind that are kept at least."""
SCENES_FOR_CROPS = 4
"""Scenes whose things are cropped for a delivery; they give one or two shards."""


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
        self._workers: list[SpawnProcess] = []
        self._deliveries: list[Connection] = []
        for number in range(workers):
            here, there = context.Pipe(duplex=False)
            worker = context.Process(
                target=_draw_forever, args=(there, tokenizer_path, dict(shares), [seed, start, number]), daemon=True
            )
            worker.start()
            there.close()  # the worker holds the only copy, so its end is noticed here
            self._workers.append(worker)
            self._deliveries.append(here)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self._workers:
            worker.kill()  # they ignore milder signals
            worker.join()
        for delivery in self._deliveries:
            delivery.close()

    def fill(self, at_least: int) -> None:
        """Wait until the pool holds so many shards, and some of each kind."""
        while sum(map(len, self.shards.values())) < at_least or not all(self.shards.values()):
            if not self.take(timeout=120):
                raise RuntimeError("expected shards from the workers; none came for 120 s.")

    def take(self, timeout: float = 0.001) -> bool:
        """Take one delivery of the workers if there is one; a worker waits until its own is taken.

        Raises:
            RuntimeError: A worker has ended.
        """
        ready = wait(self._deliveries, timeout)
        if not ready:
            return False
        delivery = next(one for one in self._deliveries if one in ready)
        try:
            shards = delivery.recv()
        except (EOFError, OSError) as exc:
            raise RuntimeError("expected the workers to draw until the end; one has ended. See its error.") from exc
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


def _draw_forever(out: Connection, tokenizer_path: Path, shares: Mapping[Kind, float], seed: list[int]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # they stop the trainer, which still takes shards until it has saved
    cv2.setNumThreads(1)  # the trainer wants the processors
    for shards in draw_shards(Tokenizer.load(tokenizer_path), shares, np.random.default_rng(seed)):
        try:
            out.send(shards)
        except BrokenPipeError:  # the trainer has ended
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
