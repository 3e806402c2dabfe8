"""How far the model is with reading an image: the steps of that, how long it has taken, and how long it will."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

STAGES = ("encode", "prefill")
"""The stages of reading an image, in their order."""

_NEWEST = 0.5
"""Weight of the newest reading in the pace: what else runs on the machine changes it from one to the next."""


_ELSEWHERE = {"box": (None,), "zoom": (None, 1), "tiles": (None, (1, 1), [1, 1])}
"""Arguments of tasks that read a part of an image, or read it at another size, unless they have one of these values."""


def begins_with_image(arguments: Mapping[str, object]) -> bool:
    """Return whether a task with these arguments first reads the image as it is, if that has not been read."""
    return all(arguments.get(name) in values for name, values in _ELSEWHERE.items())


class Pace:
    """How long images took to read here, in seconds for each image token, by stage. In any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._s_per_token: dict[str, float] = {}

    def learn(self, stage: str, seconds: float, n_tokens: int) -> None:
        """Note that a stage took `seconds` for an image of `n_tokens`."""
        with self._lock:
            new = seconds / n_tokens
            old = self._s_per_token.get(stage, new)
            self._s_per_token[stage] = _NEWEST * new + (1 - _NEWEST) * old

    def seconds(self, stage: str, n_tokens: int | None) -> float | None:
        """Return how long a stage takes for an image of `n_tokens`; None where that is not known."""
        with self._lock:
            found = self._s_per_token.get(stage)
            return None if found is None or n_tokens is None else found * n_tokens


class Reading:
    """The reading of one image. In any thread.

    Its steps are those that an engine reports, whichever request has caused them. It begins with the first of them and
    ends with the last one, or with `stop`.

    Args:
        pace: What earlier readings took; this one adds to it.
        clock: Gives seconds.

    Attributes:
        seconds: What it cost, from its first step to the last one; None until the image has been read.
    """

    def __init__(self, pace: Pace, clock: Callable[[], float] = time.perf_counter) -> None:
        self.seconds: float | None = None
        self._pace, self._clock = pace, clock
        self._lock = threading.Lock()
        self._watchers: list[Callable[[], None]] = []
        self._clear()

    def _clear(self) -> None:
        self._stage, self._done, self._total, self._first = STAGES[0], 0, 0, 0
        self._began = self._stage_began = self._stepped = None

    _began: float | None
    _stage_began: float | None
    _stepped: float | None

    def report(self, stage: str, done: int, total: int, n_tokens: int) -> bool:
        """Note a step; return whether it was the last one.

        Args:
            stage: What is being done; what is none of `STAGES` is not noted.
            done: Steps of the stage that have been done.
            total: All of its steps.
            n_tokens: Image tokens.
        """
        if stage not in STAGES:
            return False
        now = self._clock()
        with self._lock:
            if self._began is None or stage != self._stage:
                self._enter(stage, done, now, n_tokens)
            self._done, self._total, self._stepped = done, total, now
            is_last = stage == STAGES[-1] and done >= total
            if is_last:
                self._learn(now, n_tokens)
                assert self._began is not None
                self.seconds = now - self._began
                self._clear()
        self.tell()
        return is_last

    def _enter(self, stage: str, done: int, now: float, n_tokens: int) -> None:
        if self._began is None:
            self._began = now
        else:
            self._learn(now, n_tokens)
        self._stage, self._first, self._stage_began = stage, done, now

    def _learn(self, now: float, n_tokens: int) -> None:
        """Note what the stage that ends took, where all of it was seen."""
        if self._stage_began is not None and not self._first:
            self._pace.learn(self._stage, now - self._stage_began, n_tokens)

    def stop(self) -> None:
        """Note that it has ended, where no last step said so."""
        with self._lock:
            self._clear()
        self.tell()

    def told(self, n_tokens: int | None) -> dict[str, Any]:
        """Return how far it is, as JSON.

        Args:
            n_tokens: Image tokens; None where that is not known.

        Returns:
            `stage`, and the steps of it that are `done` of a `total` (0 until it is known); `elapsed_s` since the first
            step, and `left_s` until the image has been read, None where that cannot be estimated yet.
        """
        now = self._clock()
        with self._lock:
            elapsed_s = 0.0 if self._began is None else now - self._began
            left_s = self._left_s(now, n_tokens)
            return {
                "stage": self._stage, "done": self._done, "total": self._total, "elapsed_s": round(elapsed_s, 3),
                "left_s": None if left_s is None else round(left_s, 3),
            }  # fmt: skip

    def _left_s(self, now: float, n_tokens: int | None) -> float | None:
        own_s = self._own_left_s(now, n_tokens)
        later = [self._pace.seconds(stage, n_tokens) for stage in STAGES[STAGES.index(self._stage) + 1 :]]
        parts = [own_s, *later]
        return None if any(part is None for part in parts) else sum(part for part in parts if part is not None)

    def _own_left_s(self, now: float, n_tokens: int | None) -> float | None:
        """Return how long the stage will take: by its own steps, and before the second of them by earlier readings."""
        if self._stage_began is None or self._stepped is None:
            return self._pace.seconds(self._stage, n_tokens)
        n_seen, n_left = self._done - self._first, self._total - self._done
        if n_seen > 0:
            whole_s = (self._stepped - self._stage_began) * n_left / n_seen
            return max(0.0, whole_s - (now - self._stepped))
        before_s = self._pace.seconds(self._stage, n_tokens)
        return None if before_s is None else max(0.0, before_s - (now - self._stage_began))

    @contextmanager
    def watched(self, changed: Callable[[], None]) -> Iterator[None]:
        """Call `changed`, in any thread, whenever something changes in a `with` block."""
        self._watchers.append(changed)
        try:
            yield
        finally:
            self._watchers.remove(changed)

    def tell(self) -> None:
        """Tell all who watch that something has changed."""
        for changed in tuple(self._watchers):
            changed()
