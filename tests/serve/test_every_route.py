"""What holds for every route, whoever wrote it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from starlette.routing import BaseRoute
from starlette.testclient import TestClient

from tests.serve.squares import load, squares_client
from youtu_gguf.serve.app import create_app
from youtu_gguf.serve.guard import OPEN, PAGE_FILES, SESSION
from youtu_gguf.serve.settings import ServeSettings

SETTINGS = ServeSettings(api_key="the key", classes={"default": ("square",)})
OPENS_SESSION = ("POST", SESSION)
"""What takes the key in its body: tests/serve/test_session.py."""

BODIES = {
    "text/plain": b'{"model": "youtu-vl", "image": "aaaa"}',
    "application/x-www-form-urlencoded": b"image=aaaa&model=youtu-vl",
    "": b'{"model": "youtu-vl", "image": "aaaa"}',
}


def all_routes(routes: list[BaseRoute]) -> Iterator[tuple[str, str]]:
    for route in routes:
        inner = getattr(route, "original_router", None) or getattr(route, "router", None)
        if inner is not None:
            yield from all_routes(inner.routes)
        for method in sorted(getattr(route, "methods", None) or ()):
            yield method, str(route.path).replace("{", "").replace("}", "").replace(":path", "")  # type: ignore[attr-defined]


def asked(app: FastAPI) -> list[tuple[str, str]]:
    found = sorted(set(all_routes(app.routes)))
    described = {
        (method.upper(), path.replace("{", "").replace("}", ""))
        for path, methods in app.openapi()["paths"].items()
        for method in methods
    }
    assert described <= set(found)
    return found


APP = create_app(load)
DESCRIBED = APP.openapi()
ROUTES = asked(APP)
WRITES = [path for method, path in ROUTES if method == "POST"]


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with squares_client() as found:
        yield found


@pytest.fixture(scope="module")
def keyed() -> Iterator[TestClient]:
    with TestClient(create_app(load, SETTINGS), "http://localhost", raise_server_exceptions=False) as found:
        yield found


def test_there_are_routes_of_every_protocol() -> None:
    assert len(WRITES) > 20
    for path in ("/v1/images", "/v1/chat/completions", "/api/chat", "/v1/vision/detection", "/v1/responses"):
        assert path in WRITES


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_without_the_key_no_route_but_those_of_health_is_answered(keyed: TestClient, method: str, path: str) -> None:
    if (method in ("GET", "HEAD") and (path in OPEN or path.startswith(PAGE_FILES))) or (method, path) == OPENS_SESSION:
        return
    assert keyed.request(method, path).status_code == 401
    if method == "POST":
        form = {"files": {"image": ("a.png", b"aaaa")}}
        for fields in ({}, {"api_key": "another"}, {"api_key": ""}):
            answer = keyed.post(path, data=fields, **form)  # type: ignore[arg-type]
            assert answer.status_code == 401, (path, fields, answer.text)


@pytest.mark.parametrize("path", WRITES)
def test_what_a_page_elsewhere_may_send_without_asking_is_refused(client: TestClient, path: str) -> None:
    for kind, body in () if path.endswith("/list") else BODIES.items():  # that one has no body
        answer = client.post(path, content=body, headers={"Content-Type": kind} if kind else {})
        assert answer.status_code in (400, 404, 415), (kind, answer.text)
    for headers in ({"Origin": "https://evil.example.org"}, {"Sec-Fetch-Site": "cross-site"}, {"Host": "evil.org"}):
        assert client.post(path, json={}, headers=headers).status_code == 403


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_every_answer_keeps_pages_elsewhere_out_and_has_its_id(client: TestClient, method: str, path: str) -> None:
    headers = client.request(method, path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["x-request-id"].startswith("req_")
    assert not any(name.startswith("access-control") for name in headers)


@pytest.mark.parametrize("path", WRITES)
@pytest.mark.parametrize(
    "body", [b"", b"nonsense", b"[]", b'{"image": NaN}', b'{"a": 1, "a": 1}', b"\xff", b'{"a":' * 5000]
)
def test_json_that_is_none_is_refused_in_the_shape_of_the_protocol(client: TestClient, path: str, body: bytes) -> None:
    if "/vision/" in path or path in ("/v1/files",):
        return  # forms alone
    answer = client.post(path, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400 or "/tasks/name" in path, answer.text
    assert answer.json()


def test_every_body_that_is_read_is_described() -> None:
    posts = {path: methods["post"] for path, methods in DESCRIBED["paths"].items() if "post" in methods}
    assert len(posts) > 20
    undescribed = [path for path, post in posts.items() if "requestBody" not in post]
    assert undescribed == ["/v1/vision/custom/list"]  # which has none
    for post in posts.values():
        assert all(form["schema"] for form in post.get("requestBody", {"content": {}})["content"].values())
