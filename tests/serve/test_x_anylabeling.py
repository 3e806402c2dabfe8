"""X-AnyLabeling's remote server, as its client asks for it and reads the answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from tests.serve.squares import DATA_URI, LARGE, PIXELS, SCORE, SMALL, overlap, square, squares_client
from youtu_gguf.decode.polygons import fill_outlines
from youtu_gguf.types import Size

SENT_ALWAYS = {"conf_threshold": 0.0, "iou_threshold": 0.0, "epsilon_factor": 0.001}
"""What the client sends with every request."""


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with squares_client() as client:
        yield client


def predict(client: TestClient, model: str, **params: object) -> dict[str, Any]:
    sent = {"model": model, "image": DATA_URI, "params": {**SENT_ALWAYS, **params}}
    answer = client.post("/x-anylabeling/v1/predict", json=sent, headers={"Token": ""})
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["success"] is True
    data: dict[str, Any] = body["data"]
    return data


def filled(points: list[list[float]]) -> np.ndarray:
    return fill_outlines([[np.array(points, np.float32)]], Size(PIXELS.shape[1], PIXELS.shape[0]))


def test_models_say_which_controls_they_need(client: TestClient) -> None:
    body = client.get("/x-anylabeling/v1/models").json()
    assert body["success"] is True
    detect, refer = body["data"]["youtu-vl-detect"], body["data"]["youtu-vl-refer"]
    assert detect["batch_processing_mode"] == "text_prompt"
    assert {"name": "edit_text", "value": None} in detect["widgets"]
    assert {"name": "button_add_point", "value": None} in refer["widgets"]
    for entry in body["data"].values():
        values = {widget["name"]: widget["value"] for widget in entry["widgets"]}
        assert isinstance(values.get("edit_conf", 0.0), float)  # the client needs a number


def test_boxes_are_rectangles_of_four_corners(client: TestClient) -> None:
    data = predict(client, "youtu-vl-detect", text_prompt="square")
    assert [shape["points"] for shape in data["shapes"]] == [
        [[left, top], [right, top], [right, bottom], [left, bottom]] for left, top, right, bottom in (SMALL, LARGE)
    ]
    first = data["shapes"][0]
    assert (first["label"], first["shape_type"], first["score"]) == ("square", "rectangle", SCORE)
    assert (first["group_id"], first["attributes"], first["flags"]) == (None, {}, None)
    assert (data["description"], data["replace"]) == ("", None)


def test_a_confidence_leaves_out_what_is_below_it(client: TestClient) -> None:
    assert predict(client, "youtu-vl-detect", conf_threshold=0.6)["shapes"] == []


def test_masks_are_closed_polygons_with_few_points(client: TestClient) -> None:
    shapes = predict(client, "youtu-vl-instances")["shapes"]
    assert [shape["label"] for shape in shapes] == ["square", "square"]
    for shape, box in zip(shapes, (LARGE, SMALL), strict=True):
        assert shape["points"][0] == shape["points"][-1]
        edges = [*np.min(shape["points"], axis=0), *np.max(shape["points"], axis=0)]
        assert edges == pytest.approx(box, abs=2)  # a token is 4 px wide in the crop of the small one
    coarse = predict(client, "youtu-vl-instances", epsilon_factor=0.1)["shapes"]
    assert len(coarse[0]["points"]) < len(shapes[0]["points"])


def test_a_drawn_rectangle_is_masked_and_added_to_what_is_there(client: TestClient) -> None:
    left, top, right, bottom = LARGE
    marks = [{"type": "rectangle", "data": [right, bottom, left, top], "label": 1}]
    data = predict(client, "youtu-vl-refer", marks=marks)
    assert overlap(filled(data["shapes"][0]["points"]), square(LARGE)) > 0.85
    assert (data["shapes"][0]["label"], data["replace"]) == ("AUTOLABEL_OBJECT", False)


def test_points_are_masked_together(client: TestClient) -> None:
    marks = [{"type": "point", "data": [48, 48], "label": 1}, {"type": "point", "data": [128, 104], "label": 1}]
    shapes = predict(client, "youtu-vl-refer", marks=marks)["shapes"]
    bits = filled(shapes[0]["points"]) | filled(shapes[1]["points"])
    assert overlap(bits, square(LARGE) | square(SMALL)) > 0.8
    assert {shape["group_id"] for shape in shapes} == {1}  # two outlines of one mask


def test_a_phrase_names_its_mask(client: TestClient) -> None:
    shapes = predict(client, "youtu-vl-refer", text_prompt="the large square")["shapes"]
    assert [shape["label"] for shape in shapes] == ["the large square"]


def test_texts_are_a_description(client: TestClient) -> None:
    assert predict(client, "youtu-vl-describe")["description"] == "Two red squares."
    assert predict(client, "youtu-vl-ocr") == {"shapes": [], "description": "STOP", "replace": False}


def test_a_person_and_its_joints_are_a_group() -> None:
    joints = "".join(f"<kpt><x_{16 + i}><y_20><v_1></kpt>" for i in range(16))
    person = f"<person><box><x_16><y_16><x_80><y_80></box>{joints}</person>"
    with squares_client(**{"MPII": person, "people": person, "person": person}) as client:
        shapes = predict(client, "youtu-vl-pose")["shapes"]
    assert shapes[0]["shape_type"] == "rectangle"
    assert {shape["group_id"] for shape in shapes} == {1}
    assert {shape["shape_type"] for shape in shapes[1:]} == {"point"}
    assert (shapes[1]["label"], shapes[1]["points"]) == ("right_ankle", [[16, 20]])


def test_what_has_no_effect_is_named(client: TestClient) -> None:
    sent = {
        "model": "youtu-vl-ocr",
        "image": DATA_URI,
        "params": {**SENT_ALWAYS, "reset_tracker": True, "text_prompt": "a"},
    }
    answer = client.post("/x-anylabeling/v1/predict", json=sent)
    assert answer.headers["X-Youtu-Ignored"] == "params.text_prompt, params.iou_threshold, params.reset_tracker"


@pytest.mark.parametrize(
    ("fields", "status", "code", "message"),
    [
        ({"model": "yolo"}, 404, "MODEL_NOT_FOUND", "youtu-vl-detect"),
        ({"model": "youtu-vl-ground"}, 400, "INVALID_ARGUMENT", "say what"),
        ({"model": "youtu-vl-refer", "params": {"marks": [{"type": "circle"}]}}, 400, "INVALID_ARGUMENT", "points"),
        (
            {"model": "youtu-vl-refer", "params": {"marks": [{"type": "point", "data": [1, 2], "label": 0}]}},
            400, "UNSUPPORTED_PARAMETER", "not meant",
        ),
        ({"model": "youtu-vl-ocr", "image": "data:image/png;base64,AAAA"}, 415, "UNSUPPORTED_MEDIA_TYPE", "image"),
    ],
)  # fmt: skip
def test_an_error_has_the_clients_shape(
    client: TestClient, fields: dict[str, Any], status: int, code: str, message: str
) -> None:
    answer = client.post("/x-anylabeling/v1/predict", json={"image": DATA_URI, **fields})
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert (body["success"], body["error"]["code"]) == (False, code)
    assert message in body["error"]["message"]


def test_unknown_paths_and_methods_are_errors_in_the_clients_shape(client: TestClient) -> None:
    assert client.get("/x-anylabeling/v1/video/init").json()["error"]["code"] == "NOT_FOUND"
    assert client.get("/x-anylabeling/v1/predict").json()["error"]["code"] == "METHOD_NOT_ALLOWED"
