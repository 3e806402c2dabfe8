"""A model whose process does not survive some pictures: those with a corner in one of two colours. A worker imports it.

Every picture is noted in a file before it is looked at, so that what was redone can be counted.
"""

from __future__ import annotations

import hashlib
import os
import signal
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

import youtu_gguf as yg
from youtu_gguf.engines.base import Engine, Session
from youtu_gguf.engines.prefix import Prefix
from youtu_gguf.types import ProgressFn

CRASH, WITH_ACTOR = (255, 0, 255), (0, 255, 255)
"""A picture that llama.cpp fails an assertion at, and one that takes the process with it that started llama.cpp's."""

CORNER_PX = 32
TOLERANCE = 8
"""What rounding may change of a corner's colour."""


class _Deadly:
    """An engine that ends at pictures of a colour, and is another one otherwise."""

    def __init__(self, engine: Engine, seen: Path | None) -> None:
        self._engine, self._seen = engine, seen

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def open(self, prefix: Prefix) -> Session:
        rgb = prefix.images[0].rgb
        if self._seen is not None:
            with self._seen.open("a", encoding="utf-8") as file:
                file.write(f"{os.getpid()} {hashlib.sha256(rgb.tobytes()).hexdigest()}\n")
        colour = rgb[2, 2].astype(int)
        if np.abs(colour - WITH_ACTOR).max() <= TOLERANCE:
            os.kill(os.getppid(), signal.SIGKILL)
            os.kill(os.getpid(), signal.SIGKILL)
        if np.abs(colour - CRASH).max() <= TOLERANCE:
            os.abort()
        return self._engine.open(prefix)


def marked(rgb: NDArray[np.uint8], colour: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Return a copy with a corner of a colour."""
    copy = rgb.copy()
    copy[:CORNER_PX, :CORNER_PX] = colour
    return copy


def load(*, seen: Path | None = None, progress: ProgressFn | None = None) -> yg.Model:
    """Load nano, with one thread. Pictures are noted in `seen`: a line for each, of the process and of their digest."""
    model = yg.load("nano", threads=1, progress=progress)
    model.engine = cast(Engine, _Deadly(model.engine, seen))
    return model
