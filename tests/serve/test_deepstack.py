"""DeepStack's object detection, as its clients ask for it and read the answer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from tests.serve.squares import LARGE, PNG, SCORE, SMALL, squares_client
from youtu_gguf.serve.settings import ServeSettings

SETTINGS = ServeSettings(classes={"cubes": ("square", "cube")})
NAMES = ("x_min", "y_min", "x_max", "y_max")


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with squares_client(SETTINGS) as client:
        yield client


def test_objects_are_found_with_corners_in_whole_pixels(client: TestClient) -> None:
    form = {"api_key": "", "min_confidence": "0.4"}
    answer = client.post("/v1/vision/detection", data=form, files={"image": ("image.jpg", PNG, "image/jpeg")}).json()
    assert answer["success"] is True
    assert [[p[name] for name in NAMES] for p in answer["predictions"]] == [SMALL, LARGE]
    assert {(p["label"], p["confidence"]) for p in answer["predictions"]} == {("square", SCORE)}
    assert answer["count"] == 2
    assert answer["processMs"] >= answer["inferenceMs"] >= 0


def test_a_confidence_leaves_out_what_is_below_it(client: TestClient) -> None:
    answer = client.post("/v1/vision/detection", data={"min_confidence": "0.6"}, files={"image": PNG}).json()
    assert (answer["success"], answer["predictions"], answer["count"]) == (True, [], 0)


def test_a_custom_model_is_a_list_of_classes(client: TestClient) -> None:
    for method in (client.get, client.post):
        assert method("/v1/vision/custom/list").json() == {"success": True, "models": ["cubes"]}
    assert client.post("/v1/vision/custom/cubes", files={"image": PNG}).json()["count"] == 2
    core = client.app.state.core  # type: ignore[attr-defined]
    assert core.holder.model.engine.questions[-1].endswith("square, cube")


def test_the_list_named_default_is_what_detection_looks_for() -> None:
    with squares_client(ServeSettings(classes={"default": ("square",)})) as client:
        client.post("/v1/vision/detection", files={"image": PNG})
        core = client.app.state.core  # type: ignore[attr-defined]
        assert core.holder.model.engine.questions == ["Detect all objects in these classes: square"]


def test_boxes_are_cut_at_the_edges_of_the_image() -> None:
    beyond = "<ref>square</ref><box><x_0><y_0><x_900><y_900></box>"
    with squares_client(**{"Detect all objects": beyond}) as client:
        found = client.post("/v1/vision/detection", files={"image": PNG}).json()["predictions"][0]
    assert [found[name] for name in NAMES] == [0, 0, 160, 128]


@pytest.mark.parametrize(
    ("path", "sent", "status", "message"),
    [
        ("detection", {"data": {"min_confidence": "0.4"}, "files": {}}, 415, "multipart/form-data"),
        ("detection", {"data": {"min_confidence": "high"}, "files": {"image": PNG}}, 400, "from 0 to 1"),
        ("detection", {"data": {"min_confidence": "nan"}, "files": {"image": PNG}}, 400, "from 0 to 1"),
        ("detection", {"files": {"image": b"no image"}}, 415, "image"),
        ("detection", {"files": {"other": ("", "text")}}, 400, "image"),
        ("detection", {"json": {"image": "a"}}, 415, "multipart/form-data"),
        ("custom/balls", {"files": {"image": PNG}}, 404, "there are: cubes"),
        ("scene", {"files": {"image": PNG}}, 404, "Not Found"),
    ],
)
def test_an_error_has_the_shape_that_clients_read(
    client: TestClient, path: str, sent: dict[str, object], status: int, message: str
) -> None:
    answer = client.post(f"/v1/vision/{path}", **sent)  # type: ignore[arg-type]
    assert answer.status_code == status
    body = answer.json()
    assert {**body, "error": ""} == {"success": False, "error": "", "code": status}
    assert message in body["error"]


def test_another_method_is_an_error_in_the_same_shape(client: TestClient) -> None:
    answer = client.get("/v1/vision/detection")
    assert (answer.status_code, answer.json()["code"]) == (405, 405)
    assert "POST" in answer.headers["allow"]


def test_a_ping_is_answered(client: TestClient) -> None:
    assert client.get("/v1/status/ping").json() == {"success": True}


@pytest.mark.parametrize(
    ("sent", "headers", "status"),
    [
        ({"api_key": "right"}, {}, 200),
        ({"api_key": "wrong"}, {}, 401),
        ({}, {}, 401),
        ({}, {"Authorization": "Bearer right"}, 200),
        ({"api_key": ""}, {"x-api-key": "right"}, 200),
    ],
)
def test_the_key_is_a_field_of_the_form_or_in_the_header(
    sent: dict[str, str], headers: dict[str, str], status: int
) -> None:
    with squares_client(ServeSettings(api_key="right", classes={"cubes": ("cube",)})) as client:
        for path in ("detection", "custom/cubes", "custom/list"):
            answer = client.post(f"/v1/vision/{path}", data=sent, files={"image": PNG}, headers=headers)
            assert answer.status_code == status
            assert answer.json()["success"] is (status == 200)


def test_what_was_asked_is_counted_as_a_task(client: TestClient) -> None:
    client.post("/v1/vision/detection", files={"image": PNG})
    assert 'youtu_request_seconds_count{task="detect"}' in client.get("/metrics").text
