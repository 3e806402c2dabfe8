"""Results that are asked for again, and clicks on what was found before."""

from __future__ import annotations

import time
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import cv2
import numpy as np
import pytest
from starlette.testclient import TestClient

import youtu_gguf as yg
from tests.serve.squares import LARGE, PIXELS, PNG, SMALL, load, squares_client
from youtu_gguf.render import draw
from youtu_gguf.serve.errors import ApiError
from youtu_gguf.serve.results import ResultStore, StoredResult
from youtu_gguf.serve.settings import ServeSettings


@pytest.fixture
def client() -> Iterator[TestClient]:
    with squares_client() as client:
        yield client


def sent(client: TestClient) -> str:
    form = client.post("/v1/images", content=PNG, headers={"Content-Type": "image/png"}).json()
    return str(form["id"])


def run(client: TestClient, task: str, **arguments: Any) -> Any:
    return client.post(f"/v1/tasks/{task}", json={"image": sent(client), **arguments}).json()


def test_a_result_is_the_same_when_it_is_asked_for_again(client: TestClient) -> None:
    form = run(client, "detect", classes=["square"])
    assert client.get(f"/v1/results/{form['id']}").json() == form


def test_a_result_is_given_in_all_its_forms(client: TestClient) -> None:
    form = run(client, "segment", classes=["<FG>", "<BG>"], present="all", refine="none")
    path = f"/v1/results/{form['id']}"
    with load().open(PIXELS) as scene:
        labels = scene.segment(["<FG>", "<BG>"], present="all", refine="none")
    drawing = cv2.imdecode(np.frombuffer(client.get(f"{path}?as=overlay").content, np.uint8), cv2.IMREAD_COLOR)
    assert np.array_equal(drawing[..., ::-1], draw(PIXELS, labels))
    levels = cv2.imdecode(np.frombuffer(client.get(f"{path}?as=png").content, np.uint8), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(levels, labels.ids)
    with np.load(BytesIO(client.get(path, headers={"Accept": "application/x-npz"}).content)) as arrays:
        assert np.array_equal(arrays["ids"], labels.ids)
    assert client.get(f"{path}?as=raw").headers["x-shape"] == "128,160"
    assert client.get(f"{path}?map=png").json()["map"]["background"] == 255
    assert client.get(f"{path}?as=raw").headers["x-result-id"] == form["id"]


def test_a_drawing_needs_the_image_and_all_else_does_not(client: TestClient) -> None:
    form = run(client, "detect")
    client.delete(f"/v1/images/{form['image']}")
    assert client.get(f"/v1/results/{form['id']}?as=npz").status_code == 200
    gone = client.get(f"/v1/results/{form['id']}?as=overlay")
    assert (gone.status_code, gone.json()["error"]["code"]) == (404, "image_not_found")


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v1/results/res_none", 404, "result_not_found"),
        ("/v1/results/{id}?as=raw", 400, "invalid_argument"),
        ("/v1/results/{id}?masks=svg", 400, "invalid_argument"),
    ],
)
def test_what_cannot_be_given_is_refused(client: TestClient, path: str, status: int, code: str) -> None:
    id_ = run(client, "detect")["id"]
    answer = client.get(path.format(id=id_))
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    unacceptable = client.get(f"/v1/results/{id_}", headers={"Accept": "image/png"})
    assert unacceptable.status_code == 406


def test_a_count_without_boxes_has_no_drawing() -> None:
    with squares_client(**{"How many": "3"}) as client:
        form = run(client, "count", what="square")
        answer = client.get(f"/v1/results/{form['id']}?as=overlay")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_argument")


def stored(value: yg.Result, image: str = "img_1") -> StoredResult:
    return StoredResult(value, "detect", image, "req_1")


def store(**settings: Any) -> ResultStore:
    return ResultStore(ServeSettings(**settings))


def depth(side: int) -> yg.DepthMap:
    return yg.DepthMap(np.ones((side, side)), "m")


def test_the_longest_unused_results_are_dropped_where_they_take_too_much() -> None:
    kept = store(results_bytes=3 * (4 * 100 * 100 + 4096))
    first, second, third = (kept.add(stored(depth(100))) for _ in range(3))
    kept.get(first.id)
    kept.add(stored(depth(100)))
    for id_ in (first.id, third.id):
        kept.get(id_)
    with pytest.raises(ApiError, match="may have expired"):
        kept.get(second.id)
    assert kept.n_bytes == 3 * first.n_bytes


def test_one_result_is_kept_however_large_it_is() -> None:
    kept = store(results_bytes=10)
    assert kept.get(kept.add(stored(depth(100))).id).task == "detect"


def test_results_are_dropped_when_they_were_not_asked_for_long() -> None:
    kept = store(ttl_s=0.05)
    id_ = kept.add(stored(depth(10))).id
    time.sleep(0.1)
    with pytest.raises(ApiError):
        kept.get(id_)
    assert kept.n_bytes == 0


def test_the_smallest_box_around_a_point_is_found() -> None:
    kept = store()
    kept.add(stored(yg.Boxes([[0, 0, 100, 100], [10, 10, 50, 50]], ("car", "wheel"))))
    masks = np.zeros((1, 100, 100), np.bool_)
    kept.add(stored(yg.Instances(masks, [[12, 12, 20, 20]], ("nut",))))
    kept.add(stored(yg.Boxes([[13, 13, 14, 14]], ("elsewhere",)), image="img_2"))
    kept.add(stored(yg.Boxes((), ())))
    assert kept.box_at("img_1", (13, 13)) == [12, 12, 20, 20]
    assert kept.box_at("img_1", (20, 20)) == [10, 10, 50, 50]
    assert kept.box_at("img_1", (90, 90)) == [0, 0, 100, 100]
    assert kept.box_at("img_1", (100, 100)) is None
    assert kept.box_at("img_3", (13, 13)) is None


def test_a_click_takes_the_smallest_box_that_was_found_before() -> None:
    with squares_client() as client:
        run(client, "detect", classes=["square"])
        found = run(client, "refer", point=[128, 104], crop_size=160, refine="none")
        boxed = run(client, "refer", box=SMALL, crop_size=160, refine="none")
    assert found["via"] == found["found_by"] == "box"
    assert found["mask"] == boxed["mask"]
    assert found["raw"] == ""  # nothing was detected for it
    assert "via" not in boxed


def test_a_click_before_anything_was_found_detects_once() -> None:
    with squares_client() as client:
        first = run(client, "refer", point=[40, 40], crop_size=160, refine="none")
        again = run(client, "refer", point=[40, 40], crop_size=160, refine="none")
        boxed = run(client, "refer", box=LARGE, crop_size=160, refine="none")
    assert (first["via"], again["via"]) == ("box", "box")
    assert first["mask"] == again["mask"] == boxed["mask"]
    assert (bool(first["raw"]), again["raw"]) == (True, "")


@pytest.mark.parametrize("point", [[1], [1, 2, 3], [1000, 3], [-1, 5]])
def test_a_point_that_is_none_is_refused(point: list[float]) -> None:
    with squares_client() as client:
        run(client, "detect", classes=["square"])
        answer = client.post("/v1/tasks/refer", json={"image": sent(client), "point": point})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_argument")
