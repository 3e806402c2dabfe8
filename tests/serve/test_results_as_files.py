"""Results in the formats of data sets, tables and point clouds, over HTTP."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from io import BytesIO, StringIO
from typing import Any
from zipfile import ZipFile

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from tests.serve.squares import DATA_URI, LARGE, PIXELS, SMALL, load, squares_client
from youtu_gguf.output import Source, encode


@pytest.fixture
def client() -> Iterator[TestClient]:
    with squares_client() as client:
        yield client


def run(client: TestClient, task: str, **sent: Any) -> str:
    answer = client.post(f"/v1/tasks/{task}", json={"image": DATA_URI, **sent})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


def test_coco_names_the_image_as_the_client_does(client: TestClient) -> None:
    id_ = run(client, "detect", classes=["square"], options={"scores": True})
    answer = client.get(f"/v1/results/{id_}", params={"as": "coco", "name": "fotos/Straße 1.jpg"})
    form = answer.json()
    assert form["images"] == [{"id": 1, "file_name": "fotos/Straße 1.jpg", "width": 160, "height": 128}]
    left, top, right, bottom = SMALL
    first = form["annotations"][0]
    assert (first["bbox"], first["score"]) == ([left, top, right - left, bottom - top], 0.5)
    assert answer.headers["content-disposition"] == (
        "attachment; filename=\"Stra_e 1.detect.coco.json\"; filename*=UTF-8''Stra%C3%9Fe%201.detect.coco.json"
    )


def test_a_mask_is_labelled_by_what_was_asked_for(client: TestClient) -> None:
    id_ = run(client, "refer", phrase="the red square", crop_size=160)
    names = [category["name"] for category in client.get(f"/v1/results/{id_}?as=coco").json()["categories"]]
    assert names == ["the red square"]
    unnamed = run(client, "refer", box=LARGE, crop_size=160)
    shapes = client.get(f"/v1/results/{unnamed}?as=labelme").json()["shapes"]
    assert {(shape["label"], shape["shape_type"]) for shape in shapes} == {("object", "polygon")}
    renamed = client.get(f"/v1/results/{unnamed}?as=labelme&label=杯").json()["shapes"]
    assert {shape["label"] for shape in renamed} == {"杯"}


def test_files_outlive_the_image_but_colours_do_not(client: TestClient) -> None:
    id_ = run(client, "detect", classes=["square"])
    depth = run(client, "depth", focal_px=900)
    client.delete(f"/v1/images/{client.get(f'/v1/results/{id_}').json()['image']}")
    archive = client.get(f"/v1/results/{id_}?as=yolo&name=a.png")
    assert archive.headers["content-type"] == "application/zip"
    with ZipFile(BytesIO(archive.content)) as files:
        assert files.read("labels/a.txt").decode().splitlines()[1] == "0 0.300000 0.375000 0.400000 0.500000"
    assert client.get(f"/v1/results/{depth}?as=ply").json()["error"]["code"] == "image_not_found"


def test_a_task_may_be_answered_by_a_table(client: TestClient) -> None:
    sent = {"image": DATA_URI, "classes": ["square"]}
    asked = client.post("/v1/tasks/detect", json=sent, headers={"Accept": "text/csv"})
    rows = [*csv.DictReader(StringIO(asked.content.decode("utf-8-sig")))]
    assert [(row["task"], row["label"], row["x2"]) for row in rows] == [
        ("detect", "square", "136"),
        ("detect", "square", "80"),
    ]
    assert rows[0]["image"].startswith("img_")
    assert client.post("/v1/tasks/detect?as=csv", json=sent).content == asked.content


def test_points_are_those_of_python(client: TestClient) -> None:
    id_ = run(client, "depth", focal_px=900)
    with load().open(PIXELS) as scene:
        depth = scene.depth(focal_px=900)
    assert client.get(f"/v1/results/{id_}?as=ply").content == encode(depth, "ply", Source(PIXELS))
    some = client.get(f"/v1/results/{id_}?as=ply&step=4&name=a.jpg")
    n = np.count_nonzero(depth.values[::4, ::4] > 0)
    assert f"element vertex {n}\n".encode() in some.content
    assert 'filename="a.depth.ply"' in some.headers["content-disposition"]


def test_the_focal_length_may_be_told_where_the_distances_need_none(client: TestClient) -> None:
    id_ = run(client, "depth", scale="nyuv2")
    refused = client.get(f"/v1/results/{id_}?as=ply")
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "invalid_argument")
    assert "needs the focal length" in refused.json()["error"]["message"]
    with load().open(PIXELS) as scene:
        depth = scene.depth(scale="nyuv2")
    told = client.get(f"/v1/results/{id_}?as=ply&focal_px=500").content
    assert told == encode(depth, "ply", Source(PIXELS, focal_px=500))
    assumed = client.get(f"/v1/results/{id_}?as=ply&focal_px=assumed").content
    assert assumed == encode(depth, "ply", Source(PIXELS, focal_px="assumed"))


def test_distances_and_classes_come_in_the_forms_of_other_tools(client: TestClient) -> None:
    id_ = run(client, "depth", scale="nyuv2")
    with load().open(PIXELS) as scene:
        depth = scene.depth(scale="nyuv2")
        labels = scene.segment(["<FG>", "<BG>"], present="all", refine="none")
    for form, name in (("ros", "ros.png"), ("kitti", "kitti.png"), ("tum", "tum.png"), ("pfm", "pfm"), ("exr", "exr")):
        answer = client.get(f"/v1/results/{id_}?as={form}&name=a.jpg")
        assert answer.content == encode(depth, name)
        assert f'filename="a.depth.{name}"' in answer.headers["content-disposition"]
    asked = run(client, "segment", classes=["<FG>", "<BG>"], present="all", refine="none")
    assert client.get(f"/v1/results/{asked}?as=index").content == encode(labels, "index.png")
    with Image.open(BytesIO(client.get(f"/v1/results/{asked}?as=png").content)) as grey:
        assert grey.mode == "L"  # browsers decode colours


def test_objects_come_in_the_forms_of_labelling_tools(client: TestClient) -> None:
    id_ = run(client, "detect", classes=["square"])
    assert client.get(f"/v1/results/{id_}?as=cvat&name=a.png").content.startswith(b"<?xml")
    (task,) = client.get(f"/v1/results/{id_}?as=label_studio&name=a.png").json()
    assert task["data"] == {"image": "a.png"}


@pytest.mark.parametrize(
    "query",
    [
        "as=ply",
        "as=ply&step=0",
        "as=ply&focal_px=-1",
        "as=ply&focal_px=guess",
        "as=kitti",
        "as=coco",
        f"as=json&name={'a' * 300}",
    ],
)
def test_what_cannot_be_written_says_why(client: TestClient, query: str) -> None:
    answer = client.get(f"/v1/results/{run(client, 'depth')}?{query}")  # relative distances
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_argument")


def test_the_margin_of_a_label_map_is_numbers(client: TestClient) -> None:
    asked = {"classes": ["<FG>", "<BG>"], "present": "all", "refine": "none"}
    id_ = run(client, "segment", **asked, options={"scores": True})
    with load().open(PIXELS) as scene:
        margin = scene.segment(**asked, scores=True).margin
    answer = client.get(f"/v1/results/{id_}?as=margin")
    assert (answer.headers["x-shape"], answer.headers["x-dtype"]) == ("128,160", "float32")
    assert margin is not None
    assert np.array_equal(np.frombuffer(answer.content, "<f4"), margin.ravel())
    without = client.get(f"/v1/results/{run(client, 'segment', **asked)}?as=margin")
    assert "Segment with scores" in without.json()["error"]["message"]


def test_any_form_may_be_named(client: TestClient) -> None:
    id_ = run(client, "detect", classes=["square"])
    names = {
        form: client.get(f"/v1/results/{id_}?as={form}&name=a.b.jpg").headers["content-disposition"].split('"')[1]
        for form in ("json", "overlay", "npz", "coco", "labelme", "yolo", "csv")
    }
    assert names == {
        "json": "a.b.detect.json",
        "overlay": "a.b.detect.drawing.png",
        "npz": "a.b.detect.npz",
        "coco": "a.b.detect.coco.json",
        "labelme": "a.b.detect.labelme.json",
        "yolo": "a.b.detect.yolo.zip",
        "csv": "a.b.detect.csv",
    }
    assert "content-disposition" not in client.get(f"/v1/results/{id_}").headers
    depth = client.get(f"/v1/results/{run(client, 'depth')}?as=png&name=a.jpg")
    assert 'filename="a.depth.png"' in depth.headers["content-disposition"]
    assert json.loads(client.get(f"/v1/results/{id_}?name=a.jpg").content)["id"] == id_


def test_a_task_as_a_model_keeps_what_files_need(client: TestClient) -> None:
    part = {"type": "image_url", "image_url": {"url": DATA_URI}}
    message = {"role": "user", "content": [part, {"type": "text", "text": "the red square"}]}
    sent = {"model": "youtu-vl:refer", "messages": [message]}
    told = json.loads(client.post("/v1/chat/completions", json=sent).json()["choices"][0]["message"]["content"])
    form = client.get(f"/v1/results/{told['id']}?as=coco").json()
    assert form["categories"][0]["name"] == "the red square"
