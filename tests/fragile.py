"""Models whose process does not survive some images, for tests of what survives instead. A worker imports this file."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import youtu_gguf as yg
from youtu_gguf.engines.prefix import Prefix
from youtu_gguf.testing import FakeEngine, FakeSession
from youtu_gguf.types import ProgressFn, no_progress

ANSWERS = {"Describe": "A square."}


def end_by(number: int) -> None:
    os.kill(os.getpid(), number)


def fail() -> None:
    raise RuntimeError("a bug of ours")


def end_with_parent() -> None:
    os.kill(os.getppid(), signal.SIGKILL)
    end_by(signal.SIGKILL)


def hang() -> None:
    Path("hanging").write_text(str(os.getpid()), encoding="utf-8")
    time.sleep(60)


ENDS: dict[str, Callable[[], None]] = {
    "killed": lambda: end_by(signal.SIGKILL),
    "crash": lambda: end_by(signal.SIGSEGV),
    "exception": fail,
    "with its parent": end_with_parent,
    "hang": hang,
}
"""What may happen to the process that looks at an image."""


class FragileEngine(FakeEngine):
    """Meets its end at images whose first pixel has a red value of `ends`; only once if `mark` is there by then."""

    def __init__(self, ends: Mapping[int, str], mark: Path | None, n_parallel: int) -> None:
        super().__init__(ANSWERS)
        self.ends, self.mark, self.n_parallel = ends, mark, n_parallel

    def open(self, prefix: Prefix) -> FakeSession:
        end = self.ends.get(int(prefix.images[0].rgb[0, 0, 0]))
        if end is not None and (self.mark is None or not self.mark.exists()):
            if self.mark is not None:
                self.mark.touch()
            ENDS[end]()
        return super().open(prefix)


def load(
    ends: Mapping[int, str], *, mark: Path | None = None, n_parallel: int = 1, progress: ProgressFn = no_progress
) -> yg.Model:
    progress("load", 100, 100)
    return yg.load(engine=FragileEngine(ends, mark, n_parallel))


def refuse(progress: ProgressFn = no_progress) -> yg.Model:
    raise yg.ServerError("there is no such model", retry=True)


def die(progress: ProgressFn = no_progress) -> yg.Model:
    end_by(signal.SIGKILL)
    raise AssertionError
