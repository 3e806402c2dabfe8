"""Many images by the same questions over HTTP: the package's batch, behind all requests of the queue."""

from __future__ import annotations

import csv
import json
import tempfile
import threading
import time
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.serve.slow import SlowEngine, slow_model, wait_until
from tests.serve.squares import LARGE, PNG, SMALL, encoded, squares_client
from youtu_gguf.serve.app import create_app
from youtu_gguf.serve.settings import ServeSettings

DETECT = {"task": "detect", "classes": ["square"]}


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let servers keep their files in a folder of the test."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def client() -> Iterator[TestClient]:
    with squares_client() as client:
        yield client


@pytest.fixture
def slow() -> Iterator[tuple[TestClient, SlowEngine]]:
    engine = SlowEngine()
    with TestClient(create_app(lambda: slow_model(engine)), "http://localhost", False) as client:
        wait_until(lambda: client.get("/readyz").status_code == 200)
        yield client, engine


def begin(client: TestClient, *tasks: dict[str, Any], **how: Any) -> str:
    answer = client.post("/v1/batches", json={"tasks": [*tasks] or [DETECT], **how})
    assert answer.status_code == 201, answer.text
    assert answer.json()["state"] == "open"
    return str(answer.json()["id"])


def add(client: TestClient, id_: str, name: str, data: bytes = PNG) -> Any:
    return client.post(
        f"/v1/batches/{id_}/images", params={"name": name}, content=data, headers={"Content-Type": "image/png"}
    )


def act(client: TestClient, id_: str, action: str) -> Any:
    return client.post(f"/v1/batches/{id_}", json={"action": action})


def told(client: TestClient, id_: str) -> Any:
    return client.get(f"/v1/batches/{id_}").json()


def ended(client: TestClient, id_: str, state: str = "done") -> Any:
    wait_until(lambda: told(client, id_)["state"] not in ("open", "running"))
    form = told(client, id_)
    assert form["state"] == state, form
    return form


def results(client: TestClient, id_: str, query: str) -> Any:
    answer = client.get(f"/v1/batches/{id_}/results?{query}")
    assert answer.status_code == 200, answer.text
    return answer


def events(client: TestClient, id_: str, query: str = "") -> list[tuple[str, Any]]:
    text = client.get(f"/v1/batches/{id_}/events{query}").text
    blocks = [block for block in text.split("\n\n") if block and not block.startswith(":")]
    return [(block.split("\n")[0][7:], json.loads(block.split("\n")[1][6:])) for block in blocks]


def test_images_are_asked_while_others_are_sent_and_their_results_come_as_every_form(client: TestClient) -> None:
    id_ = begin(client, DETECT, {"task": "refer", "phrase": "the square"}, {"task": "describe"}, drawings=True)
    assert add(client, id_, "holiday/a.png").json()["index"] == 0
    wait_until(lambda: told(client, id_)["done"] == 1)
    assert add(client, id_, "b.bmp", encoded("BMP")).status_code == 201
    assert act(client, id_, "end").status_code == 200
    form = ended(client, id_)
    assert (form["total"], form["done"], form["failed"], form["left_s"]) == (2, 2, 0, 0.0)
    first = form["images"][0]
    assert (first["name"], first["state"], first["size"]) == ("holiday/a.png", "done", [160, 128])
    assert [answer["task"] for answer in first["answers"]] == ["detect", "refer", "describe"]
    assert (first["answers"][0]["labels"], first["answers"][2]["text"]) == ({"square": 2}, "Two red squares.")

    lines = [json.loads(line) for line in results(client, id_, "as=jsonl").text.splitlines()]
    assert [line["image"] for line in lines] == ["holiday/a.png", "b.bmp"]
    assert [box["xyxy"] for box in lines[0]["results"][0]["boxes"]] == [SMALL, LARGE]
    assert lines[0]["results"][1]["mask"]["size"] == [128, 160]
    assert client.get(f"/v1/batches/{id_}/images/0").json() == lines[0]
    coco = results(client, id_, "as=coco&task=0").json()
    assert [(image["id"], image["file_name"]) for image in coco["images"]] == [(1, "holiday/a.png"), (2, "b.bmp")]
    assert [category["name"] for category in coco["categories"]] == ["square"]
    assert [(told["id"], told["image_id"], told["bbox"]) for told in coco["annotations"]] == [
        (1, 1, [120, 96, 16, 16]),
        (2, 1, [16, 16, 64, 64]),
        (3, 2, [120, 96, 16, 16]),
        (4, 2, [16, 16, 64, 64]),
    ]
    both = results(client, id_, "as=coco").json()
    assert [category["name"] for category in both["categories"]] == ["square", "the square"]
    assert len(both["annotations"]) == 6
    rows = list(csv.DictReader(StringIO(results(client, id_, "as=csv").content.decode("utf-8-sig"))))
    assert [row["task"] for row in rows[:4]] == ["detect", "detect", "refer", "describe"]
    assert rows[3]["text"] == "Two red squares."
    archive = zipfile.ZipFile(BytesIO(results(client, id_, "as=zip").content))
    assert {"results.jsonl", "results.csv", "coco-1-detect.json", "coco-2-refer.json"} <= set(archive.namelist())
    assert archive.read(lines[0]["results"][0]["files"][0])[:4] == b"\x89PNG"
    assert lines[0]["results"][0]["files"] == ["files/00001-a/1-detect.png"]


def test_data_sets_of_several_files_come_as_archives_that_name_what_they_lack(client: TestClient) -> None:
    id_ = begin(client, DETECT, {"task": "refer", "phrase": "the square"})
    for name, data in (("holiday/a.png", PNG), ("a.png", PNG), ("a.bmp", encoded("BMP"))):
        assert add(client, id_, name, data).status_code == 201
    act(client, id_, "end")
    ended(client, id_)
    yolo = zipfile.ZipFile(BytesIO(results(client, id_, "as=yolo&task=0").content))
    assert yolo.namelist() == ["labels/holiday/a.txt", "labels/a.txt", "train.txt", "data.yaml", "left-out.json"]
    assert yolo.read("train.txt") == b"./images/holiday/a.png\n./images/a.png\n"
    assert "a.txt with a.png" in json.loads(yolo.read("left-out.json"))["a.bmp"]
    assert results(client, id_, "as=yolo&task=0").content == results(client, id_, "as=yolo&task=0").content
    labelme = zipfile.ZipFile(BytesIO(results(client, id_, "as=labelme").content))
    shapes = json.loads(labelme.read("holiday/a.json"))["shapes"]
    assert [shape["label"] for shape in shapes] == ["square", "square", "the square"]
    empty = client.get(f"/v1/batches/{id_}/results?as=panoptic")
    assert (empty.status_code, empty.json()["error"]["param"]) == (400, "as")
    refused = client.get(f"/v1/batches/{id_}/results?as=yolo")
    assert refused.status_code == 400
    assert refused.json()["error"]["param"] == "task"
    assert "boxes and outlines" in refused.json()["error"]["message"]


def test_a_broken_image_is_a_line_with_its_error_and_the_others_continue(client: TestClient) -> None:
    id_ = begin(client)
    assert [add(client, id_, f"{n}.png", data).status_code for n, data in enumerate((b"no image", PNG[:200], PNG))] == [
        201
    ] * 3
    act(client, id_, "end")
    form = ended(client, id_)
    assert [row["state"] for row in form["images"]] == ["failed", "failed", "done"]
    assert all(row["error"]["message"] for row in form["images"][:2])
    assert "/" not in form["images"][0]["error"]["message"].replace("image/", "")
    assert [image["file_name"] for image in results(client, id_, "as=coco").json()["images"]] == ["2.png"]
    rows = list(csv.DictReader(StringIO(results(client, id_, "as=csv").content.decode("utf-8-sig"))))
    assert [bool(row["error"]) for row in rows] == [True, True, False, False]


def test_each_image_is_told_in_events_to_all_who_watch_and_again_to_who_comes_late(client: TestClient) -> None:
    id_ = begin(client)
    for n in range(3):
        add(client, id_, f"{n}.png", b"none" if n == 1 else PNG)
    act(client, id_, "end")
    first, late = events(client, id_), events(client, id_, "?from=2")
    assert [data["index"] for name, data in first if name == "image"] == [0, 1, 2]
    assert [data["index"] for name, data in late if name == "image"] == [2]
    assert first[-1] == late[-1] == ("done", {})
    name, form = first[-2]
    assert (name, form["state"], form["done"], form["failed"]) == ("progress", "done", 2, 1)


def test_requests_come_before_the_images_of_a_batch(slow: tuple[TestClient, SlowEngine]) -> None:
    client, engine = slow
    id_ = begin(client, {"task": "describe", "options": {"max_seconds": 2}})
    for n in range(6):
        add(client, id_, f"{n}.png")
    act(client, id_, "end")
    wait_until(lambda: engine.n_running == 1)
    body = {"image": client.post("/v1/images", content=PNG, headers={"Content-Type": "image/png"}).json()["id"]}
    answers: list[int] = []

    def ask() -> None:
        answers.append(client.post("/v1/tasks/describe", json=body).status_code)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    wait_until(lambda: engine.n_running == 4)  # at once, beside the image in progress
    wait_until(lambda: told(client, id_)["done"] == 1)
    time.sleep(0.1)
    assert engine.n_running == 3  # no other image was begun meanwhile
    engine.hurry.set()
    for thread in threads:
        thread.join()
    assert answers == [200, 200, 200]
    assert ended(client, id_)["done"] == 6


def test_a_stopped_batch_keeps_what_is_finished_and_resumes(slow: tuple[TestClient, SlowEngine]) -> None:
    client, engine = slow
    id_ = begin(client, {"task": "describe", "options": {"max_seconds": 0.3}})
    for n in range(3):
        add(client, id_, f"{n}.png")
    wait_until(lambda: told(client, id_)["done"] == 1 and engine.n_running == 1)
    assert act(client, id_, "stop").json()["state"] == "stopped"
    wait_until(lambda: engine.n_running == 0)
    form = ended(client, id_, "stopped")
    assert [row["state"] for row in form["images"]] == ["done", "waiting", "waiting"]
    assert len(results(client, id_, "as=jsonl").text.splitlines()) == 1
    assert add(client, id_, "late.png").status_code == 400
    wait_until(lambda: act(client, id_, "retry").status_code == 200)
    assert add(client, id_, "late.png").status_code == 201
    act(client, id_, "end")
    assert ended(client, id_)["done"] == 4


def test_images_with_errors_are_asked_again(client: TestClient) -> None:
    id_ = begin(client, {"task": "detect", "classes": ["square"], "options": {"strict": True}}, {"task": "describe"})
    engine = client.app.state.core.holder.model.engine  # type: ignore[attr-defined]
    answers = dict(engine.answers)
    engine.answers = {"": "<ref>square</ref><box><x_1>"}
    add(client, id_, "a.png")
    act(client, id_, "end")
    assert ended(client, id_)["images"][0]["error"]["class"] == "DecodeError"
    engine.answers = answers
    assert act(client, id_, "retry").json()["state"] == "running"
    assert ended(client, id_)["images"][0]["answers"][0]["n"] == 2
    assert len(results(client, id_, "as=jsonl").text.splitlines()) == 1
    assert len(results(client, id_, "as=coco").json()["annotations"]) == 2


def test_a_deleted_batch_ends_and_leaves_no_file(slow: tuple[TestClient, SlowEngine], temporary: Path) -> None:
    client, engine = slow
    id_ = begin(client, {"task": "describe"})
    add(client, id_, "a.png")
    wait_until(lambda: engine.n_running == 1)
    (folder,) = temporary.glob("youtu-gguf-batches-*/bat_*")
    assert client.delete(f"/v1/batches/{id_}").status_code == 204
    wait_until(lambda: engine.n_running == 0 and not folder.exists())
    for answer in (client.get(f"/v1/batches/{id_}"), act(client, id_, "stop"), add(client, id_, "b.png")):
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "batch_not_found")


def test_a_server_that_stops_leaves_no_folder(temporary: Path) -> None:
    engine = SlowEngine()
    with TestClient(create_app(lambda: slow_model(engine)), "http://localhost", False) as client:
        wait_until(lambda: client.get("/readyz").status_code == 200)
        id_ = begin(client, {"task": "describe"})
        for n in range(3):
            add(client, id_, f"{n}.png")
        wait_until(lambda: engine.n_running == 1)
        assert [*temporary.iterdir()]
    assert [*temporary.iterdir()] == []
    assert engine.n_running == 0


def test_a_model_that_is_unloaded_between_two_images_is_loaded_again() -> None:
    with squares_client(ServeSettings(idle_unload_s=0.05)) as client:
        id_ = begin(client)
        holder = client.app.state.core.holder  # type: ignore[attr-defined]
        for n in range(2):
            wait_until(lambda: holder.state == "unloaded")
            add(client, id_, f"{n}.png")
            wait_until(lambda n=n: told(client, id_)["done"] == n + 1)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../etc/passwd", "etc/passwd"),
        ("/etc/passwd", "etc/passwd"),
        ("C:\\Windows\\..\\a.png", "Windows/a.png"),
        ("a\x00\n\u202eb.png", "ab.png"),
        ("=HYPERLINK(1).png", "=HYPERLINK(1).png"),
        ("照片/街.jpg", "照片/街.jpg"),
        (" . /./a", "a"),
    ],
)
def test_a_name_is_shown_and_never_a_path(client: TestClient, temporary: Path, name: str, shown: str) -> None:
    id_ = begin(client, drawings=True)
    answer = client.post(f"/v1/batches/{id_}/images", files={"image": ("x.png", PNG, "image/png")}, data={"name": name})
    assert answer.json()["name"] == shown
    act(client, id_, "end")
    ended(client, id_)
    archive = zipfile.ZipFile(BytesIO(results(client, id_, "as=zip").content))
    assert all(member.replace("files/00001-", "", 1).count("/") <= 1 for member in archive.namelist())
    assert not any(".." in member or "\\" in member or member.startswith("/") for member in archive.namelist())
    written = {path.name for path in temporary.rglob("*")}
    assert not any(part in file for file in written for part in ("passwd", "a.png", "街"))
    table = results(client, id_, "as=csv").content.decode("utf-8-sig").splitlines()
    assert not table[1].startswith("=")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "tasks"),
        ({"tasks": []}, "tasks"),
        ({"tasks": [{"task": "detekt"}]}, "tasks.0.task"),
        ({"tasks": [{"task": "detect", "classes": 3}]}, "tasks.0.classes"),
        ({"tasks": [{"task": "ask"}]}, "tasks.0.question"),
        ({"tasks": [DETECT], "images": []}, "images"),
        ({"tasks": [DETECT], "arrays": "yes"}, "arrays"),
        ({"tasks": [{**DETECT, "output": {"masks": "png"}}]}, "tasks.0.output"),
        ({"tasks": [{**DETECT, "options": {"max_tokens": 0}}]}, "options"),
    ],
)
def test_a_batch_that_cannot_be_is_a_400_that_names_the_argument(
    client: TestClient, body: dict[str, Any], param: str
) -> None:
    answer = client.post("/v1/batches", json=body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    assert client.get("/v1/batches").json() == {"batches": []}


def test_requests_about_a_batch_that_cannot_be_say_what_is_wrong(client: TestClient) -> None:
    id_ = begin(client, {"task": "describe"})
    path = f"/v1/batches/{id_}"
    stored = client.post("/v1/images", content=PNG, headers={"Content-Type": "image/png"}).json()["id"]
    assert client.post(f"{path}/images", json={"image": stored, "name": "a"}).status_code == 201
    assert client.post(f"{path}/images", json={"image": stored, "name": "a"}).status_code == 200
    wait_until(lambda: told(client, id_)["done"] == 1)
    refused = [
        (act(client, id_, "begin"), 400, "action"),
        (client.post(path, json={"action": "end", "now": True}), 400, "action"),
        (add(client, id_, "a", encoded("BMP")), 400, "name"),
        (add(client, id_, ".."), 400, "name"),
        (add(client, id_, "x" * 2000), 400, "name"),
        (client.post(f"{path}/images", json={"image": "img_none"}), 404, "image"),
        (client.post(f"{path}/images", json={"image": stored, "size": 3}), 400, "size"),
        (client.post(f"{path}/images", json={"image": stored, "name": 3}), 400, "name"),
        (client.post(f"{path}/images", files={"picture": ("a", PNG)}), 400, "image"),
        (client.post(f"{path}/images", content=PNG, headers={"Content-Type": "text/plain"}), 415, None),
        (client.get(f"{path}/results?as=pdf"), 400, "as"),
        (client.get(f"{path}/results?as=coco"), 400, "as"),
        (client.get(f"{path}/results?as=csv&task=1"), 400, "task"),
        (client.get(f"{path}/images/7"), 404, None),
        (client.get(f"{path}/events?from=-1"), 400, "from"),
    ]
    assert [(answer.status_code, answer.json()["error"]["param"]) for answer, _, _ in refused] == [
        (status, param) for _, status, param in refused
    ]
    assert told(client, id_)["total"] == 1


def test_there_are_limits_of_batches_images_bytes_and_results(client: TestClient) -> None:
    batches = client.app.state.core.batches  # type: ignore[attr-defined]
    batches.limits = replace(batches.limits, batches=2, images=2, results_bytes=1000)
    first, second = begin(client), begin(client, {"task": "describe"})
    full = client.post("/v1/batches", json={"tasks": [DETECT]})
    assert (full.status_code, full.json()["error"]["code"]) == (429, "queue_full")
    assert int(full.headers["retry-after"]) > 0
    assert [add(client, second, f"{n}.png").status_code for n in range(3)] == [201, 201, 413]
    form = ended(client, second, "failed")
    assert form["error"]["code"] == "payload_too_large"
    third = begin(client)  # in place of the one that has ended
    assert client.get(f"/v1/batches/{second}").status_code == 404
    assert client.delete(f"/v1/batches/{first}").status_code == 204
    engine = SlowEngine()
    with TestClient(create_app(lambda: slow_model(engine)), "http://localhost", False) as other:
        wait_until(lambda: other.get("/readyz").status_code == 200)
        batches = other.app.state.core.batches  # type: ignore[attr-defined]
        batches.limits = replace(batches.limits, waiting_bytes=len(PNG) + 10)
        slow_one = begin(other, {"task": "describe"})
        assert [add(other, slow_one, f"{n}.png").status_code for n in range(2)] == [201, 429]
    assert told(client, third)["state"] == "open"


def test_a_batch_is_kept_for_its_time(client: TestClient, temporary: Path) -> None:
    batches = client.app.state.core.batches  # type: ignore[attr-defined]
    batches.limits = replace(batches.limits, kept_s=0.05)
    id_ = begin(client)
    wait_until(lambda: not client.get("/v1/batches").json()["batches"])
    wait_until(lambda: not [*temporary.glob("*/bat_*")])
    assert client.get(f"/v1/batches/{id_}").status_code == 404


def test_an_engine_that_fails_at_every_image_ends_the_batch(client: TestClient) -> None:
    id_ = begin(client)
    engine = client.app.state.core.holder.model.engine  # type: ignore[attr-defined]
    engine.closed = True
    n_added = [add(client, id_, f"{n}.png").status_code for n in range(5)].count(201)  # until it has failed
    act(client, id_, "end")
    form = ended(client, id_, "failed")
    assert [row["state"] for row in form["images"]] == ["failed"] * 3 + ["waiting"] * (n_added - 3)
    assert "3 images in a row" in form["error"]["message"]
    assert "--retry" not in form["error"]["message"]
    engine.closed = False
    act(client, id_, "retry")
    assert ended(client, id_)["done"] == n_added
