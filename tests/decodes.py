"""What tests of threads on one native engine share. No test lives here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.engine_contract import picture
from youtu_gguf.engines.native.engine import NativeEngine
from youtu_gguf.engines.native.session import NativeSession
from youtu_gguf.engines.prefix import Prefix

PATIENCE_S = 120.0
"""After so long a test fails instead of waiting for ever."""

QUESTIONS = [f"What is thing {i}?" for i in range(8)]


def open_image(engine: NativeEngine, seed: int = 1, size: tuple[int, int] = (64, 96)) -> NativeSession:
    """Open a random image."""
    return engine.open(Prefix(picture(seed, *size)))


class Decodes:
    """Counts the decodes of an engine, and calls `during` at the beginning of each with its number."""

    def __init__(self, engine: NativeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
        self.n = 0
        self.during: Callable[[int], None] = lambda _n: None
        original = engine.context.decode

        def counted(batch: Any) -> bool:
            self.n += 1
            self.during(self.n)
            return original(batch)

        monkeypatch.setattr(engine.context, "decode", counted)
