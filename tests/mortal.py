"""An actor without Ray: it does shards with a fake model, and dies where a test wants it to."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from PIL import Image

import youtu_gguf as yg
from youtu_gguf.batch import Asked
from youtu_gguf.batch.image import Done, ImageWork, Questions
from youtu_gguf.batch.messages import Died
from youtu_gguf.batch.parts import Parts, Row
from youtu_gguf.batch.shard import ShardDone, run_shard
from youtu_gguf.batch.shards import Shard
from youtu_gguf.batch.sources import find_items
from youtu_gguf.batch.store import Store
from youtu_gguf.testing import FakeEngine

QUESTIONS = Questions((Asked("describe", yg.Question("describe")), Asked("detect", yg.Question("detect", (None,)))))
ANSWERS = {"Describe": "A square.", "Detect all": "<ref>square</ref><box><x_8><y_8><x_32><y_32></box>"}

SURVIVED = "survived"


class DeathError(BaseException):
    """The actor is dead."""


class MortalStore(Store):
    """A store that hears nothing more of a process that has died."""

    is_dead = False

    def write(self, name: str, data: bytes) -> None:
        if not self.is_dead:
            super().write(name, data)

    def remove(self, name: str) -> None:
        if not self.is_dead:
            super().remove(name)


class Here:
    """Does images in this process, one at a time.

    Args:
        ends: What happens at images by their grey value: called, and what it returns is how a child has died.
        engine: Answers.
    """

    n_parallel = 1

    def __init__(self, ends: Mapping[int, Callable[[], str]] | None = None, engine: FakeEngine | None = None) -> None:
        self._model = yg.load(engine=engine or FakeEngine(ANSWERS))
        self._ends = ends or {}
        self._work: ImageWork | None = None
        self._begun: deque[Path] = deque()
        self.asked: list[str] = []

    def prepare(self, work: ImageWork) -> None:
        self._work = work

    def make_ready(self, path: Path) -> None:
        pass

    def start(self, path: Path) -> None:
        self._begun.append(path)
        self.asked.append(path.name)

    def wait(self) -> Done | Died:
        assert self._work is not None
        path = self._begun.popleft()
        end = self._ends.get(grey_of(path))
        if end is not None and (how := end()) != SURVIVED:
            return Died(how)
        return self._work.do(self._model, path)

    def stop(self) -> None:
        self._begun.clear()


def grey_of(path: Path) -> int:
    """Return the value of the first pixel; -1 if it is no image."""
    try:
        with Image.open(path) as image:
            pixel = image.convert("L").getpixel((0, 0))
    except OSError:
        return -1
    assert isinstance(pixel, int)
    return pixel


class Actor:
    """Attempts at a shard, as Ray begins them again when an actor dies.

    Args:
        out: Address of the output folder.
        deadly: Grey values of images that kill the actor.
        questions: What is asked.
    """

    def __init__(self, out: str, deadly: Sequence[int] = (), questions: Questions = QUESTIONS) -> None:
        self.out, self.questions = out, questions
        self._deadly = deadly
        self.asked: list[list[str]] = []

    def attempt(self, shard: Shard) -> ShardDone | None:
        """Return how an attempt ended; None if the actor died."""
        store = MortalStore(self.out)

        def die() -> str:
            store.is_dead = True
            raise DeathError

        here = Here(dict.fromkeys(self._deadly, die))
        self.asked.append(here.asked)
        try:
            return run_shard(lambda: here, shard, self.questions, store)
        except DeathError:
            return None

    def finish(self, shard: Shard, most: int = 20) -> ShardDone:
        """Attempt a shard until it is done."""
        return next(done for _ in range(most) if (done := self.attempt(shard)) is not None)


def shard_of(named: Sequence[str], name: str = "000001-0000-000000") -> Shard:
    """Return a shard of images."""
    return Shard(name, tuple(find_items(named)))


def rows_of(out: str) -> list[Row]:
    """Return all rows of all parts."""
    parts = Parts(Store(out))
    return [row for name in parts.names() for row in parts.rows(name)]
