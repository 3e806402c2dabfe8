"""Faults for whole commands: workers of batches that do not survive some pictures, or whose model does nothing.

A command that is run with `faulty_environment` has them wherever its workers run, on other nodes too. Only what
answers is replaced; commands, drivers and actors are those that users have.
"""

from __future__ import annotations

import hashlib
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from youtu_gguf.engines.base import Session
from youtu_gguf.engines.prefix import Prefix
from youtu_gguf.testing import FakeEngine

KIND, SEEN, PAUSE = "YOUTU_GGUF_FAULTS", "YOUTU_GGUF_FAULTS_SEEN", "YOUTU_GGUF_FAULTS_PAUSE"
DONE = "done"
DEADLY, NULL = "deadly", "null"
"""Workers end at pictures with a corner in one of two colours; or answer at once, without looking."""

CRASH, WITH_ACTOR = (255, 0, 255), (0, 255, 255)
"""A picture that llama.cpp fails an assertion at, and one that takes the process with it that started llama.cpp's."""

CORNER_PX = 32
TOLERANCE = 8
"""What rounding may change of a corner's colour."""


def faulty_environment(kind: str, seen: Path | None = None, pause_s: float = 0.0) -> dict[str, str]:
    """Return variables of the environment for a command with faulty workers.

    Args:
        kind: `DEADLY` or `NULL`.
        seen: Pictures are noted there before they are looked at, a line each: the process, and a digest of the pixels;
            and again when they are done, or end the process, with the word `DONE` behind.
        pause_s: How much longer a picture takes, so that there is time to kill what works on it.
    """
    root = Path(__file__).resolve().parents[2]
    path = os.pathsep.join(
        filter(None, (str(Path(__file__).with_name("_faulty")), str(root), os.environ.get("PYTHONPATH")))
    )
    return {"PYTHONPATH": path, KIND: kind} | ({SEEN: str(seen)} if seen else {}) | {PAUSE: str(pause_s)}


def marked(rgb: NDArray[np.uint8], colour: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Return a copy with a corner of a colour."""
    copy = rgb.copy()
    copy[:CORNER_PX, :CORNER_PX] = colour
    return copy


def install(environment: Mapping[str, str] = os.environ) -> None:
    """Make the engine of this process faulty, as the environment says."""
    from youtu_gguf.engines.native.engine import NativeEngine

    opened, seen = NativeEngine.open, environment.get(SEEN)
    null = FakeEngine({}) if environment.get(KIND) == NULL else None

    def open_(engine: NativeEngine, prefix: Prefix) -> Session:
        if null is not None:
            return null.open(prefix)
        noted = meet_end(prefix.images[0].rgb, seen)
        time.sleep(float(environment.get(PAUSE, "0")))
        session = opened(engine, prefix)
        close = session.close

        def close_and_note() -> None:
            close()
            note(seen, f"{noted} {DONE}")

        setattr(session, "close", close_and_note)  # noqa: B010 - types say that methods are not to be replaced
        return session

    setattr(NativeEngine, "open", open_)  # noqa: B010 - types say that methods are not to be replaced


def meet_end(rgb: NDArray[np.uint8], seen: str | None = None) -> str:
    """Note a picture, and end the process at one of the deadly colours; return what was noted."""
    line = f"{os.getpid()} {hashlib.sha256(rgb.tobytes()).hexdigest()}"
    note(seen, line)
    corner = rgb[2, 2].astype(int)
    deadly = [np.abs(corner - colour).max() <= TOLERANCE for colour in (WITH_ACTOR, CRASH)]
    if any(deadly):
        note(seen, f"{line} {DONE}")
    if deadly[0]:
        os.kill(os.getppid(), signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)
    if deadly[1]:
        os.abort()
    return line


def note(seen: str | None, line: str) -> None:
    """Add a line to a file, if there is one."""
    if seen:
        with Path(seen).open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")
