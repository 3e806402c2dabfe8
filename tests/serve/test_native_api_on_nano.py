"""The native routes on the model that ships: the values of Python, and an image that is read once for all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from starlette.testclient import TestClient

import youtu_gguf as yg
from youtu_gguf.output import to_json
from youtu_gguf.serve.app import create_app

SCENE = Path(__file__).parents[2] / "docs" / "pictures" / "tasks" / "scene.png"


def nano() -> yg.Model:
    return yg.load("nano", temperature=0)


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with TestClient(create_app(nano), base_url="http://localhost") as client:
        while client.get("/readyz").status_code == 503:
            pass
        yield client


@pytest.fixture(scope="module")
def image(client: TestClient) -> str:
    sent = client.post("/v1/images", content=SCENE.read_bytes(), headers={"Content-Type": "image/png"})
    return str(sent.json()["id"])


@pytest.fixture(scope="module")
def scene() -> Iterator[yg.Scene]:
    with nano() as model, model.open(SCENE) as scene:
        yield scene


def run(client: TestClient, image: str, task: str, **sent: Any) -> Any:
    answer = client.post(f"/v1/tasks/{task}", json={"image": image, **sent})
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize(
    ("task", "arguments", "keys"),
    [
        ("describe", {}, ["text", "raw"]),
        ("count", {"what": "circle"}, ["count"]),
        ("detect", {"classes": ["circle", "sign"]}, ["boxes"]),
        ("refer", {"phrase": "the red circle", "crop_size": 224}, ["runs", "xyxy", "area"]),
        ("segment", {"classes": ["sky", "grass"], "present": "all"}, ["shares", "runs"]),
        ("depth", {"focal_px": 1500}, ["median", "unit"]),
    ],
)
def test_answers_over_http_are_those_of_python(
    client: TestClient, image: str, scene: yg.Scene, task: str, arguments: dict[str, Any], keys: list[str]
) -> None:
    form = run(client, image, task, **arguments, output={"masks": "runs"})
    expected = to_json(scene.run(task, **arguments))
    assert {key: form[key] for key in keys} == {key: expected[key] for key in keys}


def test_the_same_bytes_are_read_once_however_they_come(client: TestClient, image: str) -> None:
    run(client, image, "describe")
    again = client.post("/v1/tasks/count", files={"image": SCENE.read_bytes()}, data={"params": '{"what": "circle"}'})
    spent, usage = again.json()["timings"], again.json()["usage"]
    assert again.json()["image"] == image
    assert (spent["encode_s"], usage["image_tokens"]) == (0, 80)
    assert usage["cached_tokens"] > 80


def test_several_tasks_are_answered_together(client: TestClient, image: str) -> None:
    tasks = [{"task": "count", "what": "circle"}, {"task": "detect", "classes": ["star"]}, {"task": "ocr"}]
    answer = client.post("/v1/tasks", json={"image": image, "tasks": tasks})
    assert [result["task"] for result in answer.json()["results"]] == ["count", "detect", "ocr"]
    assert answer.json()["results"][0]["count"] == run(client, image, "count", what="circle")["count"]


def test_a_click_masks_what_was_detected_there(client: TestClient, image: str) -> None:
    found = run(client, image, "detect")["boxes"]
    left, top, right, bottom = found[0]["xyxy"]
    mask = run(client, image, "refer", point=[(left + right) / 2, (top + bottom) / 2], crop_size=224)
    assert (mask["via"], mask["usage"]["generated_tokens"]) == ("box", 0)
    assert mask["area"] > 0


def test_depth_comes_as_millimetres_or_256ths_of_metres(client: TestClient, image: str, scene: yg.Scene) -> None:
    sent = {"image": image, "focal_px": 1500}
    answer = client.post("/v1/tasks/depth", json=sent, headers={"Accept": "image/png"})
    levels = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_UNCHANGED)
    distances = levels * float(answer.headers["x-scale"])
    assert float(answer.headers["x-scale"]) in (1 / 1000, 1 / 256)
    assert np.abs(distances - scene.depth(focal_px=1500).values).max() <= float(answer.headers["x-scale"])
