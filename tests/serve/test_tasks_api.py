"""Tasks over HTTP: the values of Python, as JSON and as files."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import cv2
import numpy as np
import pytest
from starlette.testclient import TestClient

import youtu_gguf as yg
from tests.serve.squares import (
    ANSWERS,
    BOXES,
    DATA_URI,
    LARGE,
    PIXELS,
    PNG,
    SMALL,
    load,
    overlap,
    square,
    squares_client,
)
from youtu_gguf.facts import N_BINS
from youtu_gguf.output import to_json
from youtu_gguf.output.rle import coco_rle
from youtu_gguf.render import draw
from youtu_gguf.serve.app import create_app
from youtu_gguf.tasks import TASKS
from youtu_gguf.testing import FakeEngine

ARGUMENTS: dict[str, dict[str, Any]] = {
    "ask": {"question": "Describe it."},
    "reason": {"question": "Describe it."},
    "count": {"what": "square", "by": "detection"},
    "ground": {"description": "the square"},
    "detect": {"classes": ["square"]},
    "polygon": {"description": "the square"},
    "refer": {"box": LARGE, "crop_size": 160},
    "instances": {"classes": ["square"], "crop_size": 160},
    "segment": {"classes": ["<FG>", "<BG>"], "present": "all", "refine": "none"},
    "depth": {"focal_px": 900},
    "click": {"instruction": "press the square"},
}


@pytest.fixture
def client() -> Iterator[TestClient]:
    with squares_client() as client:
        yield client


def run(client: TestClient, task: str, **sent: Any) -> Any:
    answer = client.post(f"/v1/tasks/{task}", json={"image": DATA_URI, **sent})
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("task", TASKS)
def test_every_task_answers_as_in_python(client: TestClient, task: str) -> None:
    form = run(client, task, **ARGUMENTS.get(task, {}), output={"masks": "runs"})
    with load().open(PIXELS) as scene:
        expected = json.loads(json.dumps(to_json(scene.run(task, **ARGUMENTS.get(task, {})))))
    del expected["timings"]
    assert {key: form[key] for key in expected} == expected
    assert (form["task"], form["type"]) == (task, TASKS[task].value.__name__)
    assert form["id"].startswith("res_")
    assert form["image"].startswith("img_")


def test_a_result_says_what_it_cost(client: TestClient) -> None:
    first, again = (run(client, "describe") for _ in range(2))
    assert first["usage"]["image_tokens"] == 20
    assert first["usage"]["generated_tokens"] == 3
    assert first["usage"]["prompt_tokens"] > first["usage"]["cached_tokens"] == 0
    assert again["usage"]["prompt_tokens"] > again["usage"]["cached_tokens"] > 20
    seconds = first["timings"]
    assert list(seconds) == ["queue_s", "wait_s", "encode_s", "prefill_s", "generate_s", "decode_s", "total_s"]
    assert seconds["total_s"] >= seconds["queue_s"] >= 0


def test_an_image_is_sent_as_a_file_of_a_form(client: TestClient) -> None:
    params = json.dumps({"classes": ["square"], "options": {"scores": True}})
    answer = client.post("/v1/tasks/detect", files={"image": ("a.png", PNG, "image/png")}, data={"params": params})
    assert [box["xyxy"] for box in answer.json()["boxes"]] == [SMALL, LARGE]
    assert [box["score"] for box in answer.json()["boxes"]] == [0.5, 0.5]
    id_ = answer.json()["image"]
    again = client.post("/v1/tasks/describe", files={"image": (None, id_)})
    assert (again.json()["text"], again.json()["image"]) == ("Two red squares.", id_)


@pytest.mark.parametrize(
    ("masks", "key"), [("rle", "mask"), ("runs", "runs"), ("polygon", "polygon"), ("png", "png"), ("none", None)]
)
def test_masks_are_told_in_the_form_that_is_asked_for(client: TestClient, masks: str, key: str | None) -> None:
    form = run(client, "refer", box=LARGE, crop_size=160, output={"masks": masks})
    assert {"mask", "runs", "polygon", "png"} & form.keys() == ({key} if key else set())
    assert form["area"] > 0
    assert len(form["xyxy"]) == 4


def test_a_mask_is_run_lengths_of_coco_unless_something_else_is_asked_for(client: TestClient) -> None:
    form = run(client, "refer", box=LARGE, crop_size=160, refine="none")
    with load().open(PIXELS) as scene:
        expected = scene.refer(box=LARGE, crop_size=160, refine="none").bits
    assert form["mask"] == coco_rle(expected)
    assert overlap(expected, square(LARGE)) > 0.5


def test_maps_are_told_inside_json_where_that_is_asked_for(client: TestClient) -> None:
    labels = run(client, "segment", **ARGUMENTS["segment"], output={"map": "png"})["map"]
    depth = run(client, "depth", focal_px=900, output={"map": "png"})["map"]
    assert labels["background"] == 255
    assert (depth["unit"], depth["invalid"]) == ("m", 0)
    for form, dtype in ((labels, np.uint8), (depth, np.uint16)):
        levels = cv2.imdecode(np.frombuffer(b64decode(form["png"]), np.uint8), cv2.IMREAD_UNCHANGED)
        assert (levels.shape, levels.dtype) == (PIXELS.shape[:2], dtype)
    assert "map" not in run(client, "depth")


def file_of(client: TestClient, task: str, accept: str = "*/*", query: str = "") -> Any:
    sent = {"image": DATA_URI, **ARGUMENTS.get(task, {})}
    return client.post(f"/v1/tasks/{task}{query}", json=sent, headers={"Accept": accept})


def python_value(task: str) -> yg.Result:
    with load().open(PIXELS) as scene:
        return scene.run(task, **ARGUMENTS.get(task, {}))


def test_depth_is_given_as_a_file(client: TestClient) -> None:
    value = python_value("depth")
    assert isinstance(value, yg.DepthMap)

    raw = file_of(client, "depth", "application/octet-stream")
    assert (raw.headers["x-shape"], raw.headers["x-dtype"], raw.headers["x-unit"]) == ("128,160", "float32", "m")
    assert np.array_equal(np.frombuffer(raw.content, "<f4").reshape(128, 160), value.values)

    png = file_of(client, "depth", "image/png")
    levels = cv2.imdecode(np.frombuffer(png.content, np.uint8), cv2.IMREAD_UNCHANGED)
    scale = float(png.headers["x-scale"])
    assert np.abs(levels * scale - value.values).max() <= scale
    assert (png.headers["x-dtype"], png.headers["x-invalid"]) == ("uint16", "0")

    with np.load(BytesIO(file_of(client, "depth", "application/x-npz").content)) as arrays:
        assert np.array_equal(arrays["values"], value.values)
    assert raw.headers["x-result-id"].startswith("res_")


def test_a_label_map_and_a_mask_are_given_as_files(client: TestClient) -> None:
    labels, mask = python_value("segment"), python_value("refer")
    assert isinstance(labels, yg.LabelMap)
    assert isinstance(mask, yg.Mask)
    raw = file_of(client, "segment", query="?as=raw")
    assert (raw.headers["x-dtype"], raw.content) == ("int32", labels.ids.astype("<i4").tobytes())
    png = file_of(client, "refer", query="?as=png")
    assert np.array_equal(cv2.imdecode(np.frombuffer(png.content, np.uint8), -1), mask.bits * np.uint8(255))


def test_a_drawing_and_words_are_given_as_files(client: TestClient) -> None:
    drawing = file_of(client, "detect", query="?as=overlay")
    shown = cv2.imdecode(np.frombuffer(drawing.content, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    assert np.array_equal(shown, draw(PIXELS, python_value("detect")))
    words = file_of(client, "describe", "text/plain")
    assert (words.text, words.headers["content-type"]) == ("Two red squares.\n", "text/plain; charset=utf-8")


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("*/*", "application/json"),
        ("", "application/json"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "application/json"),
        ("image/*", "image/png"),
        ("image/png;q=0.5, application/json;q=0.1", "image/png"),
        ("application/octet-stream, */*;q=0.1", "application/octet-stream"),
        ("image/png;q=0, */*", "application/json"),
        ("image/png;q=x, application/x-npz", "application/x-npz"),
    ],
)
def test_the_form_that_a_client_likes_best_is_given(client: TestClient, accept: str, kind: str) -> None:
    assert file_of(client, "depth", accept).headers["content-type"] == kind


@pytest.mark.parametrize(
    ("task", "accept", "query", "status", "told"),
    [
        ("describe", "image/png", "", 406, "application/json, text/plain, text/csv; got Accept: image/png"),
        ("detect", "image/png", "", 406, "A drawing is as=overlay"),
        (
            "detect",
            "*/*",
            "?as=raw",
            400,
            "json, npz, coco, labelme, yolo, label_studio, cvat, csv, overlay; got as='raw'",
        ),
        ("depth", "*/*", "?as=gif", 400, "json, npz, ply, pfm, exr, ros, kitti, tum, f32, overlay, png, raw"),
    ],
)
def test_a_form_that_a_value_does_not_have_is_refused_before_anything_is_asked(
    client: TestClient, task: str, accept: str, query: str, status: int, told: str
) -> None:
    answer = file_of(client, task, accept, query)
    assert answer.status_code == status
    assert told in answer.json()["error"]["message"]


def test_a_stream_gives_no_files(client: TestClient) -> None:
    answer = client.post("/v1/tasks/depth?as=png", json={"image": DATA_URI, "stream": True})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "as")


def test_several_tasks_are_answered_in_their_order_and_one_error_is_its_own(client: TestClient) -> None:
    tasks = [
        {"task": "detect", "classes": ["square"]},
        {"task": "depth", "zoom": 9},
        {"task": "describe", "options": {"max_tokens": 1}},
    ]
    answer = client.post("/v1/tasks", json={"image": DATA_URI, "tasks": tasks, "options": {"max_tokens": 2}})
    boxes, error, words = answer.json()["results"]
    assert (boxes["raw"], boxes["finish"]) == (BOXES, "stop")  # a word, in the fake's count
    assert error["error"]["code"] == "invalid_argument"
    assert "zoom must be a number from 1 to 4" in error["error"]["message"]
    assert (words["raw"], words["finish"]) == ("Two ", "length")
    assert answer.json()["request_id"] == answer.headers["x-request-id"] == boxes["request_id"]


def test_a_fault_of_the_server_is_in_its_log_and_not_in_the_answer(caplog: pytest.LogCaptureFixture) -> None:
    def states(_image: object) -> Any:
        raise yg.OutputError("expected to write /secret/place; got: the disk is full.")

    tokens = {f"<custom_{b}>": b for b in range(1, N_BINS + 1)}
    model = yg.load(engine=FakeEngine(ANSWERS, states=states, vocabulary=tokens))
    with TestClient(create_app(lambda: model), base_url="http://localhost") as client:
        while client.get("/readyz").status_code != 200:
            pass
        tasks = [{"task": "depth"}, {"task": "describe"}]
        fault, words = client.post("/v1/tasks", json={"image": DATA_URI, "tasks": tasks}).json()["results"]
    assert (fault["error"]["code"], words["text"]) == ("internal", "Two red squares.")
    assert "secret" not in fault["error"]["message"]
    assert "/secret/place" in caplog.text


@pytest.mark.parametrize(
    ("sent", "status", "code", "param"),
    [
        ({"image": DATA_URI, "clases": ["car"]}, 400, "invalid_argument", "clases"),
        ({"image": DATA_URI, "zoom": "2"}, 400, "invalid_argument", "zoom"),
        ({"image": DATA_URI, "options": {"max_tokens": 0}}, 400, "invalid_argument", "options"),
        ({"image": DATA_URI, "classes": [" "]}, 400, "invalid_argument", None),
        ({}, 400, "image_required", "image"),
        ({"image": "img_" + "0" * 32}, 404, "image_not_found", "image"),
        ({"image": "img_"}, 404, "image_not_found", "image"),
    ],
)
def test_a_request_that_cannot_be_answered_says_why(
    client: TestClient, sent: dict[str, Any], status: int, code: str, param: str | None
) -> None:
    answer = client.post("/v1/tasks/detect", json=sent)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (status, code, param)


def test_an_unknown_task_says_which_there_are(client: TestClient) -> None:
    answer = client.post("/v1/tasks/find", json={"image": DATA_URI})
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
    assert "detect, polygon" in answer.json()["error"]["message"]


def test_a_form_without_an_image_or_with_broken_parameters_is_refused(client: TestClient) -> None:
    none = client.post("/v1/tasks/describe", files={"picture": ("a.png", PNG, "image/png")})
    assert none.json()["error"]["code"] == "image_required"
    broken = client.post("/v1/tasks/describe", files={"image": ("a.png", PNG)}, data={"params": "{"})
    assert broken.json()["error"]["code"] == "invalid_json"


def test_a_strict_request_refuses_an_answer_with_flaws() -> None:
    with squares_client(Describe="", **{"Detect all objects": "<box><x_1>"}) as client:
        answer = client.post("/v1/tasks/detect", json={"image": DATA_URI, "options": {"strict": True}})
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "answer_unusable")


def test_half_a_surrogate_pair_of_an_answer_is_valid_json() -> None:
    with squares_client(Describe="cup \ud83d") as client:
        assert run(client, "describe")["text"] == "cup \ud83d"


def test_options_are_passed_on(client: TestClient) -> None:
    assert run(client, "describe", options={"max_tokens": 1})["finish"] == "length"
    assert run(client, "describe", options={"stop": ["red"], "lang": "en"})["text"] == "Two"
    assert run(client, "describe", options={"scores": True})["score"] == 0.5
