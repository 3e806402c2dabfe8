"""Fixtures of tests of threads on one native engine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import youtu_gguf as yg
from tests.conftest import ON_PROCESSOR, Pair
from tests.decodes import Decodes
from youtu_gguf.engines.native.engine import NativeEngine


@pytest.fixture
def engine(tiny_pair: Pair) -> Iterator[NativeEngine]:
    with yg.load(*tiny_pair, n_ctx=4096, threads=1, **ON_PROCESSOR) as model:
        assert isinstance(model.engine, NativeEngine)
        yield model.engine


@pytest.fixture
def decodes(engine: NativeEngine, monkeypatch: pytest.MonkeyPatch) -> Decodes:
    return Decodes(engine, monkeypatch)
