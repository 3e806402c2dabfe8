"""A run on a cluster, without one: what is left in the output folder when it ends by an error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import pytest

import youtu_gguf as yg
from tests.mortal import QUESTIONS
from tests.pictures import write_images
from youtu_gguf.batch.store import Store
from youtu_gguf.cluster.pool import Node, Pool

MODULE = import_module("youtu_gguf.cluster.run")  # the package has a function of this name


class Loads:
    """Loads nothing."""

    identity: ClassVar[dict[str, Any]] = {}
    about: ClassVar[dict[str, Any]] = {}

    def sized(self, _cpus: int, _gpus: float = 0.0) -> Loads:
        return self


@pytest.mark.parametrize("at_the_end", [True, False])
def test_an_actor_that_begins_a_shard_after_the_error_leaves_no_note(
    at_the_end: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_images(tmp_path / "images", (0, 10))
    out = tmp_path / "out"
    begun: list[str] = []

    def begin(name: str) -> None:
        Store(str(out)).write(f"attempts/{name}.json", b'{"attempt": 1, "in_progress": []}')
        begun.append(name)

    @contextmanager
    def connected(_cluster: str) -> Iterator[None]:
        try:
            yield
        finally:
            if at_the_end:
                begin("000001-0001")

    def flow(*_arguments: object) -> Iterator[Any]:
        begin("000001-0000")
        raise yg.EngineError("the cluster is gone")
        yield

    monkeypatch.setattr(MODULE, "connected", connected)
    monkeypatch.setattr(MODULE, "flow", flow)
    monkeypatch.setattr(MODULE, "is_elsewhere", lambda: False)
    monkeypatch.setattr(MODULE, "nodes_of_cluster", lambda: [Node("here", 3.0)])
    this = MODULE.Run([str(tmp_path / "images")], QUESTIONS, str(out), Pool(cpus_per_actor=1), lambda _ask: Loads())
    with pytest.raises(yg.EngineError, match="the cluster is gone"):
        this.go()
    assert len(begun) == 1 + at_the_end
    assert not [*(out / "attempts").glob("*")]
