"""A server that answers slowly and one question at a time, run as a program: for what happens meanwhile.

    python slow_server.py PORT [SETTING=NUMBER ...]

It is copied beside the unpacked wheel, whose package it runs.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator

import youtu_gguf as yg
from youtu_gguf.config import Sampling
from youtu_gguf.engines.base import Piece
from youtu_gguf.engines.prefix import Prefix
from youtu_gguf.serve.run import serve
from youtu_gguf.serve.settings import ServeSettings
from youtu_gguf.testing import FakeEngine, FakeSession

PIECE_S = 0.05
LONG = " ".join(f"word{n}" for n in range(400))
ANSWERS = {"long": LONG, "Describe": LONG, "": "a short answer"}

sys.modules["pi_heif"] = None  # type: ignore[assignment]  # as where the extra for HEIC is not installed


class SlowSession(FakeSession):
    """Takes its time for every word."""

    def generate(self, question: str, sampling: Sampling, cancel: threading.Event | None = None) -> Iterator[Piece]:
        for piece in super().generate(question, sampling, cancel):
            time.sleep(PIECE_S)
            yield piece


class SlowEngine(FakeEngine):
    def open(self, prefix: Prefix) -> SlowSession:
        return SlowSession(self, prefix)


def main() -> None:
    port, *settings = sys.argv[1:]
    numbers = {name: int(number) for name, number in (setting.split("=") for setting in settings)}
    sys.exit(
        serve(
            lambda: yg.load(engine=SlowEngine(ANSWERS)),
            ServeSettings(port=int(port), drain_s=0.2, **numbers),  # type: ignore[arg-type]
            lambda url: print("listening at", url, flush=True),
        )
    )


if __name__ == "__main__":
    main()
