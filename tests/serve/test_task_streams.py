"""Tasks with events while they run: the queue, progress, pieces, results and errors; and their end at any time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from starlette.testclient import TestClient

from tests.serve.conftest import ServeApp
from tests.serve.slow import SlowEngine, slow_model, wait_until
from tests.serve.squares import BOXES, DATA_URI, LARGE, SMALL, squares_client
from youtu_gguf.serve.settings import ServeSettings

Told = tuple[str, dict[str, Any]]


def events_of(text: str) -> list[Told]:
    """Return the names and data of server-sent events, without comments."""
    blocks = [block.split("\n") for block in text.split("\n\n") if block and not block.startswith(":")]
    assert all(len(lines) == 2 for lines in blocks)
    return [(first.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for first, data in blocks]


@pytest.fixture
def client() -> Iterator[TestClient]:
    with squares_client() as client:
        yield client


def stream(client: TestClient, path: str, **sent: Any) -> list[Told]:
    answer = client.post(path, json={"image": DATA_URI, "stream": True, **sent})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    return events_of(answer.text)


def test_a_task_tells_its_pieces_and_its_result(client: TestClient) -> None:
    told = stream(client, "/v1/tasks/describe")
    pieces = [data for name, data in told if name == "piece"]
    assert "".join(piece["text"] for piece in pieces) == "Two red squares."
    assert {piece["index"] for piece in pieces} == {0}
    (name, result), end = told[-2:]
    assert (name, result["index"], result["text"]) == ("result", 0, "Two red squares.")
    assert end == ("done", {})
    assert client.get(f"/v1/results/{result['id']}").json()["text"] == result["text"]


def test_several_tasks_tell_of_each_by_its_index(client: TestClient) -> None:
    tasks = [{"task": "detect"}, {"task": "depth", "zoom": 9}, {"task": "describe"}]
    told = stream(client, "/v1/tasks", tasks=tasks)
    results = {data["index"]: data for name, data in told if name == "result"}
    assert [box["xyxy"] for box in results[0]["boxes"]] == [SMALL, LARGE]
    assert results[2]["text"] == "Two red squares."
    (error,) = [data for name, data in told if name == "error"]
    assert (error["index"], error["error"]["code"]) == (1, "invalid_argument")
    assert "".join(data["text"] for name, data in told if name == "piece" and data["index"] == 0) == BOXES
    assert told[-1] == ("done", {})


def test_steps_of_a_long_task_are_told(client: TestClient) -> None:
    told = stream(client, "/v1/tasks/instances", classes=["square"], crop_size=160)
    steps = [data for name, data in told if name == "progress" and data["stage"] == "instances"]
    assert {(step["index"], step["total"]) for step in steps} == {(0, 2)}
    assert [step["done"] for step in steps] == sorted(step["done"] for step in steps)


def test_half_a_surrogate_pair_is_told_as_valid_json() -> None:
    with squares_client(Describe="cup \ud83d") as client:
        told = stream(client, "/v1/tasks/describe")
    assert [data["text"] for name, data in told if name == "result"] == ["cup \ud83d"]


def test_a_request_is_checked_before_the_stream_begins(client: TestClient) -> None:
    answer = client.post("/v1/tasks/detect", json={"image": DATA_URI, "stream": True, "zoom": "2"})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "zoom")


class Slow:
    """A server whose answers take long."""

    def __init__(self, serve_app: ServeApp, **settings: Any) -> None:
        self.engine = SlowEngine()
        self.url = serve_app(lambda: slow_model(self.engine), ServeSettings(**settings))
        self.client = httpx2.Client(base_url=self.url, timeout=20)

    def ask(self, **sent: Any) -> httpx2.Response:
        return self.client.post("/v1/tasks/describe", json={"image": DATA_URI, **sent})


@pytest.fixture
def slow(serve_app: ServeApp) -> Iterator[Slow]:
    made = Slow(serve_app, n_answers=1, max_waiting=2, drain_s=0.1)
    with made.client:
        yield made


def test_a_client_that_hangs_up_ends_its_stream(slow: Slow) -> None:
    sent = {"image": DATA_URI, "stream": True}
    with slow.client.stream("POST", "/v1/tasks/describe", json=sent) as answer:
        wait_until(lambda: slow.engine.n_running == 1)
        assert answer.status_code == 200
    wait_until(lambda: slow.engine.n_running == 0, 2)


def test_a_client_that_hangs_up_ends_an_answer_in_one_piece(slow: Slow) -> None:
    with httpx2.Client(base_url=slow.url, timeout=0.3) as client, pytest.raises(httpx2.ReadTimeout):
        client.post("/v1/tasks/describe", json={"image": DATA_URI})
    wait_until(lambda: slow.engine.n_running == 0, 2)


def test_a_request_is_ended_by_its_id(slow: Slow) -> None:
    sent = {"image": DATA_URI, "stream": True}
    with slow.client.stream("POST", "/v1/tasks/describe", json=sent) as answer:
        wait_until(lambda: slow.engine.n_running == 1)
        with httpx2.Client(base_url=slow.url) as other:
            ended = other.delete(f"/v1/requests/{answer.headers['x-request-id']}")
        assert (ended.status_code, ended.json()["cancelled"]) == (202, True)
        told = events_of("".join(answer.iter_text()))
    assert [data["finish"] for name, data in told if name == "result"] == ["cancelled"]
    assert told[-1] == ("done", {})
    assert slow.client.delete("/v1/requests/req_none").json()["error"]["code"] == "request_not_found"


def test_an_answer_ends_when_its_time_has_passed(slow: Slow) -> None:
    answer = slow.ask(timeout_s=0.3).json()
    assert answer["finish"] == "time"
    assert answer["text"].startswith("word word")
    assert "raise max_seconds for the rest" in answer["issues"][0]["message"]
    assert 0.2 < answer["timings"]["total_s"] < 3
    assert slow.ask(options={"max_seconds": 0.1}).json()["finish"] == "time"


def test_a_waiting_request_is_told_its_place_and_its_time_may_pass(slow: Slow) -> None:
    sent = {"image": DATA_URI, "stream": True}
    with slow.client.stream("POST", "/v1/tasks/describe", json=sent):
        wait_until(lambda: slow.engine.n_running == 1)
        with httpx2.Client(base_url=slow.url, timeout=20) as other:
            told = events_of(other.post("/v1/tasks/describe", json={**sent, "timeout_s": 0.2}).text)
            late = other.post("/v1/tasks/describe", json={"image": DATA_URI, "timeout_s": 0.2})
    (first, place), (last, error), end = told[0], *told[-2:]
    assert (first, place["position"]) == ("queued", 1)
    assert place["eta_s"] >= 0
    assert (last, error["error"]["code"], end) == ("error", "timeout", ("done", {}))
    assert (late.status_code, late.json()["error"]["code"]) == (504, "timeout")
