"""What is counted, and what is logged of a request."""

from __future__ import annotations

import base64
import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO

import pytest
from PIL import Image
from starlette.testclient import TestClient

import youtu_gguf as yg
from youtu_gguf.serve.app import create_app
from youtu_gguf.serve.settings import ServeSettings
from youtu_gguf.testing import FakeEngine

SECRET = "a-phrase-that-no-log-may-have"


def load() -> yg.Model:
    return yg.load(engine=FakeEngine(answers={SECRET: "Two red cups.", "Describe": "A table."}))


@contextmanager
def ready(settings: ServeSettings | None = None) -> Iterator[TestClient]:
    with TestClient(create_app(load, settings), base_url="http://localhost") as client:
        for _ in range(1000):
            if client.get("/readyz").status_code == 200:
                break
        yield client


def picture() -> str:
    file = BytesIO()
    Image.new("RGB", (64, 96), (200, 30, 30)).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def ask(client: TestClient, **more: object) -> dict[str, object]:
    answer = client.post("/v1/tasks/ask", json={"image": picture(), "question": SECRET, **more})
    assert answer.status_code == 200, answer.text
    found: dict[str, object] = {} if more.get("stream") else answer.json()
    return found


def figures(client: TestClient) -> dict[str, float]:
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    lines = [line for line in answer.text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_requests_are_counted_by_their_declared_route() -> None:
    with ready() as client:
        ask(client)
        client.get(f"/v1/images/img_{SECRET}")
        client.get(f"/{SECRET}")
        found = figures(client)
    assert found['youtu_requests_total{code="200",route="/v1/tasks/ask"}'] == 1
    assert found['youtu_requests_total{code="404",route="/v1/images/{id}"}'] == 1
    assert found['youtu_requests_total{code="404",route="unmatched"}'] == 1
    assert SECRET not in str(found)


def test_times_and_the_work_of_the_engine_are_measured() -> None:
    with ready() as client:
        before = figures(client)
        ask(client)
        ask(client, stream=True)
        found = figures(client)
    assert before["youtu_generated_tokens_total"] == before["youtu_image_tokens_total"] == 0
    assert found['youtu_request_seconds_count{task="ask"}'] == 2
    assert found["youtu_queue_seconds_count"] == 2
    assert found["youtu_first_token_seconds_count"] == 1
    assert found["youtu_generated_tokens_total"] == 6
    assert found["youtu_image_tokens_total"] == 6
    assert found['youtu_prefix_lookups_total{found="none"}'] == 1
    assert found["youtu_loaded"] == 1
    assert found["youtu_image_store_bytes"] > 64 * 96 * 3
    assert (found["youtu_queue_length"], found["youtu_answers_active"]) == (0, 0)
    assert sys.platform != "linux" or found["process_resident_memory_bytes"] > 0


def test_figures_do_not_load_a_model_and_do_not_fall_when_it_is_unloaded() -> None:
    with ready(ServeSettings(idle_unload_s=0.2)) as client:
        ask(client)
        loaded = figures(client)
        holder = client.app.state.core.holder  # type: ignore[attr-defined]
        for _ in range(10_000):
            if holder.state == "unloaded":
                break
            client.get("/healthz")
        unloaded = figures(client)
        assert client.get("/readyz").status_code == 200
        assert client.get("/v1/models").status_code == 200
        assert client.get("/v1/info").status_code == 200
        assert holder.state == "unloaded"
        assert unloaded["youtu_loaded"] == 0
        assert unloaded["youtu_generated_tokens_total"] == loaded["youtu_generated_tokens_total"] == 3
        ask(client)
        again = figures(client)
    assert again["youtu_generated_tokens_total"] == 6


def test_rejected_requests_are_counted_by_their_reason() -> None:
    with ready(ServeSettings(max_body=100)) as client:
        assert client.post("/v1/tasks/ask", json={"image": picture()}).status_code == 413
        assert client.get("/readyz", headers={"host": "example.org"}).status_code == 403
        found = figures(client)
    assert found['youtu_rejected_total{reason="payload_too_large"}'] == 1
    assert found['youtu_rejected_total{reason="host_not_allowed"}'] == 1


def test_a_request_is_one_line_of_log_without_what_it_said(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "youtu_gguf.serve.access")
    with ready() as client:
        ask(client)
        client.get(f"/{SECRET}?key={SECRET}")
        client.get("/healthz")
        client.get("/metrics")
    lines = [record.getMessage() for record in caplog.records if record.name == "youtu_gguf.serve.access"]
    assert len(lines) == 2
    assert re.fullmatch(
        r"req_[0-9a-f]{32} method=POST route=/v1/tasks/ask code=200 bytes=\d+ total_s=\d+\.\d{3} "
        r"queue_s=\d+\.\d{3} task=ask image_tokens=6",
        lines[0],
    )
    assert re.fullmatch(r"req_\w+ method=- route=unmatched code=404 bytes=\d+ total_s=\d+\.\d{3}", lines[1])
    assert SECRET not in caplog.text
