"""A request's way through the server, with an engine that answers from a script."""

from __future__ import annotations

from starlette.testclient import TestClient

import youtu_gguf as yg
from youtu_gguf.serve.app import create_app
from youtu_gguf.testing import FakeEngine


def model() -> yg.Model:
    return yg.load(engine=FakeEngine(answers={"What": "A red cup."}))


def test_a_server_answers_health_checks_while_it_is_up() -> None:
    with TestClient(create_app(model), base_url="http://localhost") as client:
        assert client.get("/healthz").json() == {"status": "ok"}
        while (ready := client.get("/readyz")).status_code == 503:
            assert ready.json()["error"]["code"] == "loading"
        assert ready.json() == {"status": "ok"}


def test_an_unknown_path_is_an_error_in_our_shape() -> None:
    with TestClient(create_app(model), base_url="http://localhost") as client:
        answer = client.get("/nothing")
        assert answer.status_code == 404
        assert answer.json()["error"]["code"] == "not_found"
        assert answer.json()["request_id"] == answer.headers["x-request-id"]
