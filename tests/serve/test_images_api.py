"""Images by id: sent in three ways, kept once, read ahead, given back, forgotten."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from datetime import datetime
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from tests.serve.squares import DATA_URI, PIXELS, PNG, encoded, squares_client
from youtu_gguf.serve.settings import ServeSettings


@pytest.fixture
def client() -> Iterator[TestClient]:
    with squares_client() as client:
        yield client


def send(client: TestClient, data: bytes = PNG, query: str = "", kind: str = "image/png") -> Any:
    return client.post(f"/v1/images{query}", content=data, headers={"Content-Type": kind})


def test_an_image_is_kept_under_the_digest_of_its_bytes(client: TestClient) -> None:
    first, again = send(client), send(client)
    assert (first.status_code, again.status_code) == (201, 200)
    form = first.json()
    assert again.json()["id"] == form["id"]
    assert form["id"].removeprefix("img_").isalnum()
    assert (form["width"], form["height"], form["format"], form["bytes"]) == (160, 128, "PNG", len(PNG))
    assert (form["image_tokens"], form["focal_px"], form["state"]) == (20, None, "new")
    assert datetime.fromisoformat(form["expires_at"]).timestamp() > time.time() + 800


def test_the_same_bytes_have_one_id_however_they_are_sent(client: TestClient) -> None:
    sent = [
        send(client),
        client.post("/v1/images", files={"image": ("squares.png", PNG, "image/png")}),
        client.post("/v1/images", json={"image": DATA_URI}),
        client.post("/v1/images", json={"image": base64.b64encode(PNG).decode()}),
    ]
    assert [answer.status_code for answer in sent] == [201, 200, 200, 200]
    assert len({answer.json()["id"] for answer in sent}) == 1
    assert len(client.get("/v1/images").json()["images"]) == 1


def test_images_that_differ_in_one_pixel_are_two(client: TestClient) -> None:
    other = PIXELS.copy()
    other[0, 0, 0] = 1
    buffer = BytesIO()
    Image.fromarray(other).save(buffer, "PNG")
    assert send(client).json()["id"] != send(client, buffer.getvalue()).json()["id"]


def test_an_image_is_read_before_it_is_asked_about(client: TestClient) -> None:
    id_ = send(client, query="?prepare=1").json()["id"]
    deadline = time.monotonic() + 10
    while (form := client.get(f"/v1/images/{id_}").json())["state"] != "ready":
        assert form["state"] in ("reading", "new")
        assert time.monotonic() < deadline
    assert send(client, query="?prepare=1").json()["state"] == "ready"


def test_an_image_that_was_asked_about_has_been_read(client: TestClient) -> None:
    id_ = send(client).json()["id"]
    client.post("/v1/tasks/describe", json={"image": id_})
    assert client.get(f"/v1/images/{id_}").json()["state"] == "ready"


@pytest.mark.parametrize(("form", "kind"), [("png", "PNG"), ("webp", "WEBP"), ("jpeg", "JPEG")])
def test_an_image_comes_back_upright_in_the_size_that_is_asked_for(client: TestClient, form: str, kind: str) -> None:
    buffer, exif = BytesIO(), Image.Exif()
    exif[0x0112] = 6  # to be shown turned by 90 degrees
    Image.fromarray(PIXELS).save(buffer, "PNG", exif=exif)
    id_ = send(client, buffer.getvalue()).json()["id"]
    answer = client.get(f"/v1/images/{id_}/content", params={"side": 80, "as": form})
    assert answer.headers["content-type"] == f"image/{kind.lower()}"
    with Image.open(BytesIO(answer.content)) as image:
        assert (image.format, image.size) == (kind, (64, 80))


def test_an_image_comes_back_pixel_by_pixel(client: TestClient) -> None:
    id_ = send(client, encoded("BMP"), kind="image/bmp").json()["id"]
    answer = client.get(f"/v1/images/{id_}/content?as=png&side=1000")
    with Image.open(BytesIO(answer.content)) as image:
        assert np.array_equal(np.asarray(image), PIXELS)


def test_an_image_is_forgotten(client: TestClient) -> None:
    id_ = send(client).json()["id"]
    assert client.delete(f"/v1/images/{id_}").status_code == 204
    for answer in (client.get(f"/v1/images/{id_}"), client.delete(f"/v1/images/{id_}")):
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "image_not_found")
    assert client.get("/v1/images").json() == {"images": []}


def test_an_image_is_kept_as_long_as_is_asked_for() -> None:
    with squares_client(ServeSettings(ttl_s=0.05)) as client:
        short = send(client).json()["id"]
        long = send(client, encoded("BMP"), "?ttl_s=100").json()["id"]
        kept = client.post("/v1/images?ttl_s=100", json={"image": "data:image/gif;base64," + _base64("GIF")}).json()[
            "id"
        ]
        time.sleep(0.1)
        assert client.get(f"/v1/images/{short}").status_code == 404
        assert client.get(f"/v1/images/{long}").status_code == client.get(f"/v1/images/{kept}").status_code == 200


def _base64(kind: str) -> str:
    return base64.b64encode(encoded(kind)).decode()


@pytest.mark.parametrize(
    ("answer", "status", "code"),
    [
        ({"content": PNG, "headers": {"Content-Type": "text/plain"}}, 415, "unsupported_media_type"),
        ({"content": b"no image", "headers": {"Content-Type": "image/png"}}, 415, "unsupported_media_type"),
        ({"content": PNG[:200], "headers": {"Content-Type": "image/png"}}, 400, "invalid_image"),
        ({"files": {"picture": ("a.png", PNG, "image/png")}}, 400, "image_required"),
        ({"json": {}}, 400, "image_required"),
        ({"json": {"image": "/etc/passwd"}}, 400, "invalid_image"),
        ({"json": {"image": "nano"}}, 415, "unsupported_media_type"),
        ({"json": {"image": "https://example.com/a.png"}}, 403, "url_not_allowed"),
        ({"json": {"image": DATA_URI, "side": 3}}, 400, "invalid_argument"),
        ({"json": [DATA_URI]}, 400, "invalid_json"),
    ],
)
def test_what_is_no_image_is_refused(client: TestClient, answer: dict[str, Any], status: int, code: str) -> None:
    refused = client.post("/v1/images", **answer)
    assert (refused.status_code, refused.json()["error"]["code"]) == (status, code)
    assert client.get("/v1/images").json() == {"images": []}


@pytest.mark.parametrize("query", ["?ttl_s=0", "?ttl_s=nan", "?ttl_s=1e9", "?prepare=perhaps"])
def test_a_query_that_cannot_be_is_a_400_that_names_it(client: TestClient, query: str) -> None:
    answer = send(client, query=query)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, query[1:].partition("=")[0])


@pytest.mark.parametrize("query", ["side=0", "side=100000", "as=gif"])
def test_a_form_of_the_content_that_cannot_be_is_a_400(client: TestClient, query: str) -> None:
    id_ = send(client).json()["id"]
    answer = client.get(f"/v1/images/{id_}/content?{query}")
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, query.partition("=")[0])


def test_a_content_that_a_browser_has_is_not_sent_again(client: TestClient) -> None:
    id_ = send(client).json()["id"]
    paths = [f"/v1/images/{id_}/content{query}" for query in ("", "?side=40", "?side=40&as=png")]
    tags = [client.get(path).headers["etag"] for path in paths]
    assert len(set(tags)) == 3
    for path, tag in zip(paths, tags, strict=True):
        again = client.get(path, headers={"If-None-Match": tag})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        assert client.get(path, headers={"If-None-Match": '"another"'}).status_code == 200


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("side=0", "side must be greater than or equal to 1; got '0'."),
        ("side=big", "side must be a valid integer, unable to parse string as an integer; got 'big'."),
        ("as=gif", "as must be 'webp', 'jpeg' or 'png'; got 'gif'."),
    ],
)
def test_a_refused_query_says_what_was_expected_and_what_came(client: TestClient, query: str, message: str) -> None:
    id_ = send(client).json()["id"]
    assert client.get(f"/v1/images/{id_}/content?{query}").json()["error"]["message"] == message
