"""Label Studio's protocol for ML backends, as Label Studio asks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from tests.serve.squares import DATA_URI, LARGE, PIXELS, PNG, SCORE, SMALL, overlap, square, squares_client
from tests.unit.test_output_brush_rle import decoded
from youtu_gguf.decode.polygons import fill_outlines
from youtu_gguf.serve.settings import ServeSettings
from youtu_gguf.types import Size

HEIGHT, WIDTH = PIXELS.shape[:2]
SIZE = np.array([WIDTH, HEIGHT])

ALL_KINDS = """
<View>
  <Image name="image" value="$image"/>
  <RectangleLabels name="box" toName="image"><Label value="Square" predicted_values="square"/></RectangleLabels>
  <BrushLabels name="brush" toName="image"><Label value="Square" predicted_values="square"/></BrushLabels>
  <PolygonLabels name="polygon" toName="image"><Label value="Square" predicted_values="square"/></PolygonLabels>
  <KeyPointLabels name="point" toName="image" smart="true"><Label value="Square"/></KeyPointLabels>
</View>
"""
BRUSH = """<View><Image name="image" value="$image"/>
<BrushLabels name="brush" toName="image"><Label value="A"/><Label value="B"/></BrushLabels>
<RectangleLabels name="pointer" toName="image" smart="true"><Label value="A"/><Label value="B"/></RectangleLabels>
</View>"""
JOINTS = """<View><Image name="image" value="$image"/>
<KeyPointLabels name="joint" toName="image"><Label value="Right ankle"/><Label value="tail"/></KeyPointLabels></View>"""


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with squares_client() as client:
        yield client


def predict(client: TestClient, setup: str, *, context: object = None, image: str = DATA_URI) -> dict[str, Any]:
    """Ask as Label Studio does."""
    sent = {
        "tasks": [{"id": 7, "data": {"image": image}, "annotations": []}],
        "model_version": None,
        "project": "1.1700000000",
        "label_config": setup,
        "params": {"login": None, "password": None, "context": context},
    }
    answer = client.post("/label-studio/predict", json=sent)
    assert answer.status_code == 200, answer.text
    (result,) = answer.json()["results"]
    return dict(result)


def of(result: dict[str, Any], name: str) -> list[dict[str, Any]]:
    regions = [region for region in result["result"] if region["from_name"] == name]
    for region in regions:
        assert (region["original_width"], region["original_height"], region["image_rotation"]) == (WIDTH, HEIGHT, 0)
        assert (region["to_name"], region["value"][region["type"]]) == ("image", ["Square"])
    assert len({region["id"] for region in regions}) == len(regions)
    return regions


def pixels(value: dict[str, Any]) -> list[float]:
    left, top = value["x"] * WIDTH / 100, value["y"] * HEIGHT / 100
    return [left, top, left + value["width"] * WIDTH / 100, top + value["height"] * HEIGHT / 100]


def test_health_and_setup_say_what_label_studio_reads(client: TestClient) -> None:
    for path in ("/label-studio/health", "/label-studio/", "/label-studio"):
        assert client.get(path).json() == {"status": "UP", "model_class": "YoutuVL"}
    sent = {"project": "1.1700000000", "schema": ALL_KINDS, "hostname": "http://localhost:8080", "access_token": "t"}
    answer = client.post("/label-studio/setup", json=sent)
    assert answer.json()["model_version"].startswith("youtu-vl")
    assert "access_token" in answer.headers["X-Youtu-Ignored"]


def test_rectangles_are_percent_of_the_image_from_the_top_left_corner(client: TestClient) -> None:
    regions = of(predict(client, ALL_KINDS), "box")
    assert [pixels(region["value"]) for region in regions] == [pytest.approx(SMALL), pytest.approx(LARGE)]
    assert {(r["type"], r["score"], r["value"]["rotation"]) for r in regions} == {("rectanglelabels", SCORE, 0)}


def test_brushes_are_masks_in_label_studios_run_lengths(client: TestClient) -> None:
    regions = of(predict(client, ALL_KINDS), "brush")
    masks = [decoded(region["value"]["rle"]).reshape(HEIGHT, WIDTH, 4)[..., 3] > 0 for region in regions]
    assert [overlap(mask, square(box)) > 0.85 for mask, box in zip(masks, (LARGE, SMALL), strict=True)]
    assert {region["value"]["format"] for region in regions} == {"rle"}


def test_polygons_are_the_outlines_of_the_same_masks(client: TestClient) -> None:
    result = predict(client, ALL_KINDS)
    brush, outline = of(result, "brush")[0], of(result, "polygon")[0]
    points = np.array(outline["value"]["points"]) / 100 * SIZE
    mask = decoded(brush["value"]["rle"]).reshape(HEIGHT, WIDTH, 4)[..., 3] > 0
    assert overlap(fill_outlines([[points.astype(np.float32)]], Size(WIDTH, HEIGHT)), mask) > 0.9
    assert outline["value"]["closed"] is True


def test_the_score_of_a_prediction_is_the_mean_and_pointers_are_not_drawn_with(client: TestClient) -> None:
    result = predict(client, ALL_KINDS)
    assert of(result, "point") == []
    assert result["score"] == pytest.approx(np.mean([region["score"] for region in result["result"]]), abs=1e-3)


def test_joints_are_points_for_the_labels_that_name_them() -> None:
    joints = "".join(f"<kpt><x_{16 + i}><y_32><v_1></kpt>" for i in range(16))
    with squares_client(person=f"<person><box><x_16><y_16><x_80><y_80></box>{joints}</person>") as client:
        (region,) = predict(client, JOINTS)["result"]
    assert (region["type"], region["value"]["keypointlabels"]) == ("keypointlabels", ["Right ankle"])
    assert (region["value"]["x"], region["value"]["y"]) == (100 * 16 / WIDTH, 100 * 32 / HEIGHT)


def rectangle(xyxy: list[int], **more: object) -> dict[str, Any]:
    left, top, right, bottom = (100 * np.array(xyxy) / [*SIZE, *SIZE]).tolist()
    value = {"x": left, "y": top, "width": right - left, "height": bottom - top, "rectanglelabels": ["B"]}
    return {
        "type": "rectanglelabels", "from_name": "pointer", "to_name": "image", "original_width": WIDTH,
        "original_height": HEIGHT, "image_rotation": 0, "is_positive": True, "value": value, **more,
    }  # fmt: skip


def test_a_drawn_rectangle_becomes_a_brush_with_its_label(client: TestClient) -> None:
    result = predict(client, BRUSH, context={"result": [rectangle(LARGE)]})
    (region,) = result["result"]
    mask = decoded(region["value"]["rle"]).reshape(HEIGHT, WIDTH, 4)[..., 3] > 0
    assert overlap(mask, square(LARGE)) > 0.85
    assert (region["from_name"], region["type"], region["value"]["brushlabels"]) == ("brush", "brushlabels", ["B"])
    assert result["score"] == region["score"] > 0.9


def test_a_keypoint_masks_the_object_there(client: TestClient) -> None:
    value = {"x": 100 * 48 / WIDTH, "y": 100 * 48 / HEIGHT, "width": 0.5, "keypointlabels": ["A"]}
    pointer = {"type": "keypointlabels", "from_name": "p", "to_name": "image", "is_positive": True, "value": value}
    (region,) = predict(client, BRUSH, context={"result": [pointer]})["result"]
    mask = decoded(region["value"]["rle"]).reshape(HEIGHT, WIDTH, 4)[..., 3] > 0
    assert overlap(mask, square(LARGE)) > 0.85
    assert region["value"]["brushlabels"] == ["A"]


def test_two_rectangles_become_one_region(client: TestClient) -> None:
    (region,) = predict(client, BRUSH, context={"result": [rectangle(LARGE), rectangle(SMALL)]})["result"]
    mask = decoded(region["value"]["rle"]).reshape(HEIGHT, WIDTH, 4)[..., 3] > 0
    assert overlap(mask, square(LARGE) | square(SMALL)) > 0.85


def test_a_setup_without_an_image_gives_empty_predictions(client: TestClient) -> None:
    assert predict(client, "<View><Text name='t' value='$t'/></View>")["result"] == []


def test_every_task_has_its_prediction_in_order(client: TestClient) -> None:
    image = client.app.state.core.images  # type: ignore[attr-defined]
    predict(client, ALL_KINDS)
    (stored,) = [stored.id for stored in image if stored.data == PNG]
    tasks = [{"id": 1, "data": {"image": stored}}, {"id": 2, "data": {"other": 1}}]
    answer = client.post("/label-studio/predict", json={"tasks": tasks, "label_config": ALL_KINDS}).json()
    assert [bool(result["result"]) for result in answer["results"]] == [True, False]


@pytest.mark.parametrize(
    ("fields", "status", "message"),
    [
        ({"label_config": "<!DOCTYPE a []><View/>"}, 400, "document type"),
        ({"label_config": 3}, 400, "a text"),
        ({"tasks": [3]}, 400, "objects with data"),
        ({"tasks": [{"data": {"image": "/data/upload/1/a.png"}}]}, 403, "--label-studio-url"),
        ({"tasks": [{"data": {"image": "/etc/passwd"}}]}, 403, "--label-studio-url"),
        ({"tasks": [{"data": {"image": 3}}]}, 400, "data URI"),
        ({"params": {"context": {"result": [{"type": "brushlabels", "value": {}}]}}}, 400, "keypoints and rectangles"),
        ({"params": {"context": {"result": [rectangle(LARGE, is_positive=False)]}}}, 400, "not meant"),
        ({"params": {"context": {"result": [rectangle(LARGE, image_rotation=90)]}}}, 400, "rotated"),
        ({"params": {"context": {"result": [rectangle(LARGE, to_name="other")]}}}, 400, "BrushLabels"),
        ({"params": {"context": {"result": [rectangle([0, 0, 400, 10])]}}}, 400, "from 0 to 100"),
        ({"tasks": [], "params": {"context": {"result": [rectangle(LARGE)]}}}, 400, "one task"),
    ],
)
def test_an_error_has_the_shape_of_a_backends(
    client: TestClient, fields: dict[str, Any], status: int, message: str
) -> None:
    sent = {"tasks": [{"data": {"image": DATA_URI}}], "label_config": BRUSH, **fields}
    answer = client.post("/label-studio/predict", json=sent)
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert (body["status"], body["error"]) == (status, body["detail"])
    assert message in body["detail"]
    assert body["request_id"] == answer.headers["x-request-id"]


def test_unknown_paths_and_methods_are_errors_in_the_same_shape(client: TestClient) -> None:
    assert client.post("/label-studio/train", json={}).json()["status"] == 404
    assert client.get("/label-studio/predict").json()["status"] == 405


@pytest.mark.parametrize(
    "value",
    ["/api/users/", "http://elsewhere.example/data/upload/1/a.png", "s3://bucket/a.png", "/data/upload/../../api/users",
     "/data/upload/%2e%2e/api", "//elsewhere.example/data/upload/a.png", "http://labels.lan.evil/data/upload/a.png"],
)  # fmt: skip
def test_nothing_but_images_is_asked_of_label_studio(value: str) -> None:
    with squares_client(ServeSettings(label_studio_url="http://labels.lan", label_studio_token="secret")) as client:
        sent = {"tasks": [{"data": {"image": value}}], "label_config": BRUSH}
        answer = client.post("/label-studio/predict", json=sent)
    assert answer.status_code == 403
    assert "secret" not in answer.text
