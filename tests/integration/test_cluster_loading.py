"""The model of a run, loaded by a child of an actor: what it is, and what of a node makes no difference to it."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest

import youtu_gguf as yg
from youtu_gguf.batch import Worker
from youtu_gguf.batch.image import Done
from youtu_gguf.calibration.storage import FORMAT
from youtu_gguf.cluster.weights import Loading
from youtu_gguf.environment import share_of_machine

OWN = yg.Calibration(bin_base=0, leading_space=True)
FOLDER = "YOUTU_GGUF_CALIBRATIONS"


@dataclass(frozen=True)
class Look:
    """Work that returns what a process has of the machine, in place of an image's line."""

    names: tuple[str, ...]

    def do(self, model: yg.Model, path: Path) -> Done:
        seen = {name: os.environ.get(name) for name in self.names}
        return Done(path, {"threads": model.settings.n_threads, "where": str(model.engine.placement), **seen})  # type: ignore[attr-defined]


def stored_in(folder: Path, calibration: yg.Calibration) -> Path:
    """Store a calibration of nano in a folder, as if it had been measured."""
    key = Loading.of("nano", calibration="default").identity["model"]["fingerprint"]
    form: dict[str, Any] = {"format": FORMAT, "key": key, "date": "2026-01-01T00:00:00+00:00", "youtu_gguf": "0.1.0"}
    form |= {"calibration": asdict(calibration), "decided": ["bin_base"], "evidence": {}}
    folder.mkdir()
    (folder / f"{key}.json").write_text(json.dumps(form))
    return folder


def seen_by_a_child(loading: Loading, names: tuple[str, ...] = (), **environment: str) -> dict[str, Any]:
    """Return what the child of an actor has, after the check of its model."""
    with Worker(loading.load, environment=environment) as worker:
        loading.check(worker.identity, "here")
        assert worker.identity == loading.identity
        worker.prepare(Look(names))
        worker.start(Path("image"))
        done = worker.wait()
        assert isinstance(done, Done)
        return dict(done.line)


def test_the_identity_is_that_of_the_loaded_model_though_a_node_has_a_calibration_of_its_own(tmp_path: Path) -> None:
    own = stored_in(tmp_path / "node", OWN)
    seen_by_a_child(Loading.of("nano").sized(1), **{FOLDER: str(own)})


def test_the_calibration_stored_where_the_run_began_travels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER, str(stored_in(tmp_path / "driver", OWN)))
    loading = Loading.of("nano").sized(1)
    assert loading.identity["calibration"] == asdict(OWN)
    seen_by_a_child(loading, **{FOLDER: str(tmp_path)})


def test_a_child_has_the_threads_and_gpus_of_its_actor(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES")
    monkeypatch.setenv("OMP_NUM_THREADS", "64")  # of a machine's profile; one actor of many must not follow it
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3")
    seen = seen_by_a_child(Loading.of("nano").sized(1), names, **share_of_machine(1, []))
    assert seen == {"threads": 1, "where": "CPU", **dict(zip(names, ("1", "1", "-1", "-1"), strict=True))}
