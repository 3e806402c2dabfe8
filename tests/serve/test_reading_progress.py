"""How far the model is with reading an image: estimates from steps, and what clients are told while it reads."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

import youtu_gguf as yg
from tests.serve.squares import PNG, encoded, load, squares_client
from tests.serve.test_images_api import send
from youtu_gguf.serve.app import create_app
from youtu_gguf.serve.reading import Pace, Reading, begins_with_image

TOKENS = 100


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def steps(reading: Reading, clock: Clock, *told: tuple[float, str, int, int]) -> bool:
    """Report steps, each at its time; return whether the last one ended the reading."""
    is_last = False
    for now, stage, done, total in told:
        clock.now = now
        is_last = reading.report(stage, done, total, TOKENS)
    return is_last


def test_before_the_first_reading_nothing_is_estimated() -> None:
    reading = Reading(Pace(), Clock())
    expected = {"stage": "encode", "done": 0, "total": 0, "elapsed_s": 0.0, "left_s": None}
    assert reading.told(TOKENS) == expected
    assert reading.told(None) == expected


def test_the_steps_of_a_stage_say_how_long_its_rest_takes() -> None:
    clock = Clock()
    reading = Reading(Pace(), clock)
    steps(reading, clock, (0, "encode", 0, 0), (2, "encode", 1, 4))
    assert reading.told(TOKENS)["left_s"] is None  # how long the other stage takes is not known
    steps(reading, clock, (8, "encode", 4, 4), (8, "prefill", 0, 200), (10, "prefill", 50, 200))
    assert reading.told(TOKENS) == {"stage": "prefill", "done": 50, "total": 200, "elapsed_s": 10.0, "left_s": 6.0}
    clock.now = 11.5  # no step since
    assert reading.told(TOKENS)["left_s"] == 4.5
    clock.now = 30
    assert reading.told(TOKENS)["left_s"] == 0


def test_earlier_readings_say_how_long_an_image_of_another_size_takes() -> None:
    clock, pace = Clock(), Pace()
    first = Reading(pace, clock)
    assert steps(first, clock, (0, "encode", 0, 4), (3, "encode", 4, 4), (3, "prefill", 0, 9), (9, "prefill", 9, 9))
    assert first.seconds == 9
    second = Reading(pace, clock)
    assert second.told(2 * TOKENS)["left_s"] == 18  # before its first step
    steps(second, clock, (10, "encode", 0, 0))
    clock.now = 12
    assert second.told(TOKENS)["left_s"] == 3 + 6 - 2
    steps(second, clock, (12, "encode", 1, 2))
    assert second.told(TOKENS)["left_s"] == 2 + 6


def test_what_was_not_seen_from_its_beginning_is_not_learned() -> None:
    clock, pace = Clock(), Pace()
    reading = Reading(pace, clock)
    assert steps(reading, clock, (0, "prefill", 100, 200), (1, "prefill", 200, 200))
    assert pace.seconds("prefill", TOKENS) is None


def test_a_reading_that_stops_begins_again() -> None:
    clock = Clock()
    reading = Reading(Pace(), clock)
    steps(reading, clock, (0, "encode", 0, 4), (5, "encode", 2, 4))
    reading.stop()
    assert reading.told(TOKENS)["elapsed_s"] == 0
    steps(reading, clock, (20, "encode", 0, 4), (21, "encode", 1, 4))
    assert reading.told(TOKENS)["elapsed_s"] == 1
    assert reading.seconds is None


def test_steps_of_other_work_are_not_noted() -> None:
    reading = Reading(Pace(), Clock())
    assert not reading.report("generate", 5, 5, TOKENS)
    assert reading.told(TOKENS)["total"] == 0


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, True),
        ({"classes": ["car"], "zoom": 1, "tiles": [1, 1]}, True),
        ({"phrase": "the cup", "box": None}, True),
        ({"box": [0, 0, 9, 9]}, False),
        ({"zoom": 2}, False),
        ({"zoom": [1, 2]}, False),
        ({"zoom": "auto"}, False),
        ({"tiles": (2, 2)}, False),
    ],
)
def test_a_task_on_a_part_of_the_image_is_no_reading_of_the_image(arguments: dict[str, Any], expected: bool) -> None:
    assert begins_with_image(arguments) is expected


class Held:
    """A model whose states are computed when a test lets them be."""

    def __init__(self) -> None:
        self.go_on, self.begun = threading.Event(), threading.Event()

    def __call__(self) -> yg.Model:
        model = load()
        states = model.engine.states  # type: ignore[attr-defined]

        def held(image: Any) -> Any:
            self.begun.set()
            assert self.go_on.wait(20)
            return states(image)

        model.engine.states = held  # type: ignore[attr-defined]
        return model


@pytest.fixture
def held() -> Iterator[tuple[Held, TestClient]]:
    model = Held()
    with TestClient(create_app(model), "http://localhost", False) as client:
        while client.get("/readyz").status_code != 200:
            pass
        yield model, client
        model.go_on.set()


def test_an_image_tells_how_far_its_reading_is_and_what_it_cost(held: tuple[Held, TestClient]) -> None:
    model, client = held
    form = send(client, query="?prepare=1").json()
    assert (form["state"], form["reading"]["stage"], form["reading"]["done"], form["read_s"]) == (
        "reading", "encode", 0, None,
    )  # fmt: skip
    assert model.begun.wait(20)
    model.go_on.set()
    read = _ready(client, form["id"])
    assert read["reading"] is None
    assert read["read_s"] >= 0


def test_an_image_that_no_one_reads_has_no_reading() -> None:
    with squares_client() as client:
        form = send(client).json()
        assert (form["reading"], form["read_s"]) == (None, None)
        assert events(client.get(f"/v1/images/{form['id']}/events").text) == [("done", {})]
        client.post("/v1/tasks/describe", json={"image": form["id"]})
        assert _ready(client, form["id"])["read_s"] >= 0


def test_a_reading_is_followed_until_it_ends(held: tuple[Held, TestClient]) -> None:
    model, client = held
    id_ = send(client, query="?prepare=1").json()["id"]
    threading.Timer(0.1, model.go_on.set).start()
    answer = client.get(f"/v1/images/{id_}/events")
    assert answer.headers["content-type"].startswith("text/event-stream")
    told = events(answer.text)
    assert [name for name, _ in (told[0], *told[-2:])] == ["reading", "ready", "done"]
    assert told[0][1].keys() == {"stage", "done", "total", "elapsed_s", "left_s"}
    assert told[-2][1]["read_s"] == _ready(client, id_)["read_s"]
    assert [name for name, _ in events(client.get(f"/v1/images/{id_}/events").text)] == ["ready", "done"]


def test_following_ends_when_the_image_is_forgotten(held: tuple[Held, TestClient]) -> None:
    model, client = held
    id_ = send(client, query="?prepare=1").json()["id"]
    assert model.begun.wait(20)
    following, texts = followed(client, id_)
    assert client.delete(f"/v1/images/{id_}").status_code == 204
    following.join(20)
    assert [name for name, _ in events(*texts)] == ["reading", "done"]


def test_following_ends_when_the_server_stops(held: tuple[Held, TestClient]) -> None:
    model, client = held
    id_ = send(client, encoded("BMP"), "?prepare=1", "image/bmp").json()["id"]
    assert model.begun.wait(20)
    following, texts = followed(client, id_)
    core = client.app.state.core  # type: ignore[attr-defined]
    client.portal.call(core.jobs.drain, 0)  # type: ignore[union-attr]
    following.join(20)
    assert {name for name, _ in events(*texts)} == {"reading"}
    assert core.jobs.at_drain == []


def test_an_unknown_image_cannot_be_followed() -> None:
    with squares_client() as client:
        answer = client.get("/v1/images/img_1/events")
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "image_not_found")


def followed(client: TestClient, id_: str) -> tuple[threading.Thread, list[str]]:
    """Return a thread that follows the reading of an image, and where it puts the stream when that has ended."""
    texts: list[str] = []
    thread = threading.Thread(target=lambda: texts.append(client.get(f"/v1/images/{id_}/events").text))
    thread.start()
    while not client.app.state.core.jobs.at_drain:  # type: ignore[attr-defined]
        time.sleep(0.01)
    return thread, texts


def events(text: str) -> list[tuple[str, Any]]:
    """Return names and data of the events of a stream."""
    blocks = [block.split("\n") for block in text.strip().split("\n\n") if not block.startswith(":")]
    return [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in blocks]


def _ready(client: TestClient, id_: str) -> Any:
    deadline = time.monotonic() + 20
    while (form := client.get(f"/v1/images/{id_}").json())["state"] != "ready":
        assert time.monotonic() < deadline
    return form


def test_a_picture_of_another_task_is_read_once() -> None:
    with squares_client() as client:
        id_ = send(client, PNG).json()["id"]
        client.post("/v1/tasks/detect", json={"image": id_})
        cost = _ready(client, id_)["read_s"]
        client.post("/v1/tasks/describe", json={"image": id_})
        assert _ready(client, id_)["read_s"] == cost
