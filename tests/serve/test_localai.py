"""LocalAI's detection and depth, as its documentation asks for them."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from tests.serve.squares import DATA_URI, LARGE, PIXELS, PNG, SCORE, SMALL, overlap, square, squares_client

BASE64 = DATA_URI.partition(",")[2]


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with squares_client() as client:
        yield client


def detect(client: TestClient, **fields: object) -> list[dict[str, Any]]:
    answer = client.post("/v1/detection", json={"model": "youtu-vl", "image": DATA_URI, **fields})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["detections"]
    return found


def corners(found: dict[str, Any]) -> list[float]:
    return [found["x"], found["y"], found["x"] + found["width"], found["y"] + found["height"]]


def mask(found: dict[str, Any]) -> np.ndarray:
    png = Image.open(BytesIO(base64.b64decode(found["mask"])))
    assert (png.format, png.mode) == ("PNG", "L")
    return np.asarray(png) > 127


@pytest.mark.parametrize("image", [DATA_URI, BASE64], ids=["data URI", "base64"])
def test_everything_is_detected_with_the_top_left_corner_and_no_masks(client: TestClient, image: str) -> None:
    found = detect(client, image=image)
    assert [corners(item) for item in found] == [SMALL, LARGE]
    assert {(item["class_name"], item["confidence"]) for item in found} == {("square", SCORE)}
    assert all("mask" not in item for item in found)


def test_a_prompt_names_classes_that_are_masked(client: TestClient) -> None:
    found = detect(client, prompt="square, cube")
    assert [corners(item) for item in found] == [LARGE, SMALL]
    assert [overlap(mask(item), square(box)) > 0.85 for item, box in zip(found, (LARGE, SMALL), strict=True)]
    core = client.app.state.core  # type: ignore[attr-defined]
    assert core.holder.model.engine.questions[-1].endswith("square, cube")


def test_each_box_is_masked_by_itself(client: TestClient) -> None:
    found = detect(client, boxes=[*map(float, LARGE), *map(float, SMALL)])
    assert [overlap(mask(item), square(box)) > 0.85 for item, box in zip(found, (LARGE, SMALL), strict=True)]
    assert all(0.9 < item["confidence"] <= 1 for item in found)


def test_points_get_one_mask_together(client: TestClient) -> None:
    (found,) = detect(client, points=[48, 48, 1])
    assert overlap(mask(found), square(LARGE)) > 0.85
    (both,) = detect(client, points=[48, 48, 1, 128, 104, 1], prompt="squares")
    assert overlap(mask(both), square(LARGE) | square(SMALL)) > 0.85
    assert both["class_name"] == "squares"


def test_the_model_of_a_task_chooses_it(client: TestClient) -> None:
    found = detect(client, model="youtu-vl:detect", prompt="square")
    assert [corners(item) for item in found] == [SMALL, LARGE]
    assert all("mask" not in item for item in found)
    assert all(item["mask"] for item in detect(client, model="youtu-vl:instances"))


def test_a_threshold_leaves_out_what_is_below_it(client: TestClient) -> None:
    assert detect(client, threshold=0.6) == []


def test_depth_is_a_number_for_every_pixel(client: TestClient) -> None:
    answer = client.post("/v1/depth", json={"model": "youtu-vl", "image": DATA_URI})
    body = answer.json()
    assert (body["width"], body["height"], body["is_metric"]) == (160, 128, False)
    values = np.array(body["depth"]).reshape(128, 160)
    assert values[48, 48] > values[8, 150] > 0
    assert set(body) == {"width", "height", "is_metric", "depth"}


def test_depth_as_a_file_has_the_same_distances(client: TestClient) -> None:
    numbers = client.post("/v1/depth", json={"image": DATA_URI}).json()["depth"]
    body = client.post("/v1/depth", json={"image": DATA_URI}, headers={"Accept-Depth": "png16"}).json()
    assert "depth" not in body
    levels = np.asarray(Image.open(BytesIO(base64.b64decode(body["depth_png16"]))))
    assert levels.dtype == np.uint16
    assert levels.ravel() * body["depth_scale"] == pytest.approx(np.array(numbers), abs=body["depth_scale"])


def with_focal_length() -> str:
    exif = Image.Exif()
    exif[0x010F] = "a maker"
    exif.get_ifd(0x8769)[0xA405] = 50
    buffer = BytesIO()
    Image.fromarray(PIXELS).save(buffer, "PNG", exif=exif)
    return base64.b64encode(buffer.getvalue()).decode()


def test_points_lie_where_the_camera_sees_their_pixels(client: TestClient) -> None:
    wanted = {"include_depth": True, "include_points": True}
    body = client.post("/v1/depth", json={"image": with_focal_length(), **wanted}).json()
    assert body["is_metric"] is True
    points = np.array(body["points"]).reshape(-1, 3)
    colours = np.frombuffer(base64.b64decode(body["point_colors"]), np.uint8).reshape(-1, 3)
    assert len(points) == len(colours) == body["num_points"] == 160 * 128
    seen = points @ np.array(body["intrinsics"]).reshape(3, 3).T
    rows, columns = np.mgrid[:128, :160] + 0.5
    assert seen[:, 0] / seen[:, 2] == pytest.approx(columns.ravel(), abs=0.5)
    assert seen[:, 1] / seen[:, 2] == pytest.approx(rows.ravel(), abs=0.5)
    assert points[:, 2] == pytest.approx(np.array(body["depth"]))
    assert np.array_equal(colours.reshape(128, 160, 3), PIXELS)


def test_maps_that_this_model_has_not_are_named_and_absent(client: TestClient) -> None:
    wanted = {"include_depth": True, "include_sky": True, "include_confidence": True, "include_pose": True}
    answer = client.post("/v1/depth", json={"image": DATA_URI, **wanted})
    assert answer.headers["X-Youtu-Ignored"] == "include_confidence, include_sky, include_pose"
    assert "sky" not in answer.json()


@pytest.mark.parametrize(
    ("path", "fields", "status", "message"),
    [
        ("detection", {"image": None}, 400, "image"),
        ("detection", {"image": "not base64!"}, 400, "base64"),
        ("detection", {"image": "https://example.com/dog.jpg"}, 403, "URL"),
        ("detection", {"boxes": [1, 2, 3]}, 400, "groups of 4"),
        ("detection", {"boxes": [1, 2, 3, "4"]}, 400, "groups of 4"),
        ("detection", {"points": [48, 48]}, 400, "groups of 3"),
        ("detection", {"points": [48, 48, 0]}, 400, "not meant"),
        ("detection", {"boxes": [1, 2, 3, 4] * 31}, 400, "at most 30"),
        ("detection", {"threshold": 2}, 400, "from 0 to 1"),
        ("detection", {"prompt": 7}, 400, "a text"),
        ("detection", {"model": "rfdetr-base"}, 404, "youtu-vl:detect"),
        ("detection", {"model": "youtu-vl:ocr"}, 400, "model"),
        ("detection", {"model": "youtu-vl:detect", "boxes": [1, 2, 3, 4]}, 400, "model"),
        ("depth", {"model": "youtu-vl:detect"}, 400, "model"),
        ("depth", {"exports": ["glb"]}, 400, "exports"),
        ("depth", {"include_sky": True}, 400, "include_sky"),
        ("depth", {"include_points": True}, 400, "focal length"),
    ],
)
def test_an_error_has_localais_shape(
    client: TestClient, path: str, fields: dict[str, object], status: int, message: str
) -> None:
    answer = client.post(f"/v1/{path}", json={"image": DATA_URI, **fields})
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert (error["code"], set(error)) == (status, {"code", "message", "type"})
    assert message in error["message"]


def test_other_methods_and_bodies_are_errors_in_localais_shape(client: TestClient) -> None:
    assert client.get("/v1/depth").json()["error"]["code"] == 405
    assert client.post("/v1/detection", content=PNG).json()["error"]["code"] == 415
