"""A real llama-server, as scripts/build-llama-server installs it, running nano; and a folder for its records."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import youtu_gguf as yg
from youtu_gguf.engines.llama_server.engine import ServerEngine

NANO = {"n_ctx": 2048, "threads": 1, "max_tokens": 64, "temperature": 0.0, "vision": "mtmd"}
"""How nano is loaded; in this process with the vision tower that llama-server has, for the same numbers."""


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Records and logs go to a folder of the test's own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "youtu-gguf"


Serve = Callable[..., yg.Model]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start nano on a llama-server, with further settings; closed at the end."""
    models: list[yg.Model] = []

    def start(**settings: object) -> yg.Model:
        models.append(yg.load("nano", engine="server", **{**NANO, **settings}))
        return models[-1]

    yield start
    for model in models:
        model.close()


def engine_of(model: yg.Model) -> ServerEngine:
    assert isinstance(model.engine, ServerEngine)
    return model.engine


def address_of(model: yg.Model) -> tuple[str, str]:
    """Return the address of a model's server, and its key."""
    address = engine_of(model).supervisor.wait_ready()
    assert address.key is not None
    return address.url, address.key
