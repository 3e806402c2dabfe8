"""A hub on the loopback address for huggingface-hub's own client, with a tiny pair in the published files' names."""

from __future__ import annotations

import os
from collections.abc import Iterator

import huggingface_hub
import pytest
from huggingface_hub import constants

from tests.conftest import Pair
from tests.loopback_hub import MODEL, PROJECTOR, Hub, serving
from tests.pull.checks import use_endpoint


@pytest.fixture(scope="module")
def contents(tiny_pair: Pair) -> dict[str, bytes]:
    model, projector = tiny_pair
    return {
        MODEL: model.read_bytes(),
        PROJECTOR: projector.read_bytes(),
        "Youtu-VL-4B-Instruct-F16.gguf": b"GGUF, but nobody asked for it",
        "README.md": b"# Youtu-VL",
    }


@pytest.fixture
def hub(contents: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with serving(Hub(dict(contents))) as hub:
        use_endpoint(hub.url, monkeypatch)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 0.5)
        for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
            monkeypatch.delenv(name)
        yield hub
        huggingface_hub.close_session()


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Do not wait between tries, but note how long it would have been."""
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    return slept
