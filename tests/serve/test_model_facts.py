"""What is said of the model: known while it is unloaded, and not while it is loaded for the first time."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from starlette.testclient import TestClient

import youtu_gguf as yg
from tests.serve.talking import Scripted
from youtu_gguf.serve.app import create_app
from youtu_gguf.serve.model_facts import ModelFacts


def test_an_unloaded_model_is_listed_and_not_loaded_for_that() -> None:
    app = create_app(Scripted())
    with TestClient(app, base_url="http://localhost") as client:
        while client.get("/readyz").status_code == 503:
            pass
        holder = app.state.core.holder
        assert [len(client.get(path).json()["models"]) for path in ("/api/ps", "/api/tags")] == [1, 15]
        assert holder.unload_if_idle(0)
        assert client.get("/v1/models").json()["data"][0]["id"] == "youtu-vl"
        assert client.get("/props").status_code == 200
        assert [len(client.get(path).json()["models"]) for path in ("/api/ps", "/api/tags")] == [0, 15]
        assert client.post("/api/show", json={"model": "youtu-vl"}).status_code == 200
        assert holder.state == "unloaded"
        assert client.post("/api/generate", json={"model": "youtu-vl"}).json()["done_reason"] == "load"
        assert holder.state == "ready"


def test_a_model_that_is_being_loaded_is_not_listed_yet() -> None:
    may_load = threading.Event()

    def load() -> yg.Model:
        may_load.wait(20)
        return Scripted()()

    with TestClient(create_app(load), base_url="http://localhost") as client:
        answer = client.get("/v1/models")
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "loading")
        assert client.post("/api/show", json={"model": "youtu-vl"}).json()["error"].startswith("the model is being")
        may_load.set()


def test_the_facts_of_nano_are_those_of_its_files() -> None:
    with yg.load("nano", threads=1) as model:
        facts = ModelFacts.of(model)
    assert facts.aliases == ("Youtu-VL-nano-Q8_0",)
    assert (facts.n_ctx, facts.quantisation, facts.parameter_size) == (4096, "Q8_0", "3.8M")
    assert facts.size == sum(filter(None, facts.files.values())) > 7_000_000
    assert len(facts.digest) == 64


@pytest.mark.parametrize(("n_params", "size"), [(None, "unknown"), (3_600_000, "3.6M"), (4_080_000_000, "4.1B")])
def test_parameters_are_counted_in_millions_or_billions(n_params: int | None, size: str) -> None:
    assert replace(ModelFacts.of(Scripted()()), n_params=n_params).parameter_size == size
