"""Images of Label Studio, fetched from a server of the test with its token."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.serve.squares import PNG, squares_client
from youtu_gguf.serve.errors import ApiError
from youtu_gguf.serve.label_studio.pictures import image_url
from youtu_gguf.serve.settings import ServeSettings

SETUP = """<View><Image name="image" value="$image"/>
<RectangleLabels name="box" toName="image"><Label value="square"/></RectangleLabels></View>"""


class LabelStudio(BaseHTTPRequestHandler):
    """Gives the squares to whoever brings the token, and redirects to nowhere."""

    asked: list[str] = []  # noqa: RUF012 - reset by the fixture

    def do_GET(self) -> None:
        self.asked.append(self.path)
        known = self.headers["Authorization"] == "Token secret"
        found = known and self.path in ("/data/upload/1/a%20b.png", "/data/local-files/?d=c.png")
        moved = self.path == "/data/upload/1/moved.png"
        acceptable = "*/*" in self.headers["Accept"]  # its framework knows of JSON alone
        self.send_response(406 if not acceptable else 200 if found else 302 if moved else 401)
        self.send_header("Location", "/data/upload/1/a%20b.png")
        self.send_header("Content-Length", str(len(PNG) if found else 0))
        self.end_headers()
        self.wfile.write(PNG if found else b"")

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving_images() -> Iterator[str]:
    LabelStudio.asked = []
    with ThreadingHTTPServer(("127.0.0.1", 0), LabelStudio) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def host() -> Iterator[str]:
    with serving_images() as host:
        yield host


@pytest.mark.parametrize(
    "value", ["/data/upload/1/a b.png", "upload/1/a b.png", "/data/local-files/?d=c.png", "{host}"]
)
def test_an_image_of_label_studio_is_fetched_with_its_token(host: str, value: str) -> None:
    value = value.replace("{host}", f"{host}/data/upload/1/a%20b.png")
    with squares_client(ServeSettings(label_studio_url=host, label_studio_token="secret")) as client:
        answer = client.post(
            "/label-studio/predict", json={"tasks": [{"data": {"image": value}}], "label_config": SETUP}
        )
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["results"][0]["result"]) == 2


@pytest.mark.parametrize(
    ("token", "value"), [("wrong", "/data/upload/1/a b.png"), ("secret", "/data/upload/1/moved.png")]
)
def test_what_label_studio_does_not_give_is_an_error(host: str, token: str, value: str) -> None:
    before = len(LabelStudio.asked)
    with squares_client(ServeSettings(label_studio_url=host, label_studio_token=token)) as client:
        answer = client.post(
            "/label-studio/predict", json={"tasks": [{"data": {"image": value}}], "label_config": SETUP}
        )
    assert 400 <= answer.status_code < 500, answer.text
    assert len(LabelStudio.asked) == before + 1  # no redirect is followed
    assert token not in answer.text


def test_label_studio_may_live_below_a_path() -> None:
    base = "https://labels.lan/tools/"
    assert image_url(base, "/data/upload/1/a.png") == "https://labels.lan/tools/data/upload/1/a.png"
    assert image_url(base, f"{base}static/a.png") == "https://labels.lan/tools/static/a.png"
    with pytest.raises(ApiError):
        image_url(base, "https://labels.lan/data/upload/1/a.png")
