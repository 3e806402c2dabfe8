"""The page and its files: who gets them, in which form, and what cannot be had by their paths."""

from __future__ import annotations

import gzip
import http.client
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import urlsplit

import pytest
from starlette.testclient import TestClient

from tests.serve.conftest import serving
from tests.serve.squares import load, squares_client
from youtu_gguf.serve.page import FOLDER, page_files, without_documentation
from youtu_gguf.serve.settings import ServeSettings

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
PLAIN = {"Accept-Encoding": "identity"}


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with squares_client(ServeSettings(api_key="the key")) as client:
        yield client


def test_a_browser_gets_the_page_without_a_key(client: TestClient) -> None:
    answer = client.get("/", headers=BROWSER)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert answer.content == (FOLDER / "index.html").read_bytes()
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["referrer-policy"] == "same-origin"
    for feature in ("camera=(self)", "display-capture=(self)", "clipboard-write=(self)", "microphone=()"):
        assert feature in answer.headers["permissions-policy"]


def test_a_program_gets_a_line_and_needs_the_key(client: TestClient) -> None:
    assert client.get("/").status_code == 401
    answer = client.get("/", headers={"x-api-key": "the key"})
    assert answer.text.startswith("youtu_gguf ")
    assert answer.headers["vary"] == "Accept"


def test_every_file_that_the_page_names_is_there(client: TestClient) -> None:
    named = [part.split('"')[0] for part in client.get("/", headers=BROWSER).text.split('"/static/')[1:]]
    assert "app.js" in named
    for name in named:
        assert client.get(f"/static/{name}").status_code == 200, name


@pytest.mark.parametrize("name", sorted(page_files()))
def test_a_file_is_sent_as_it_lies_there(client: TestClient, name: str) -> None:
    if name == "index.html":
        return
    plain, packed = (client.get(f"/static/{name}", headers=headers) for headers in (PLAIN, {"Accept-Encoding": "gzip"}))
    assert plain.content == packed.content
    written = (FOLDER / name).read_bytes()
    if name.endswith(".js") and not name.startswith("vendor/"):
        assert plain.content.count(b"\n") == written.count(b"\n")
        sent, lines = plain.text.splitlines(), written.decode().splitlines()
        left_out = [line.strip() for line, kept in zip(lines, sent, strict=True) if line != kept]
        assert all(line.startswith(("/**", "*")) for line in left_out)
    else:
        assert plain.content == written
    assert "content-encoding" not in plain.headers
    assert plain.headers["cache-control"] == "no-cache"
    expected = {"js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8", "svg": "image/svg+xml"}
    assert plain.headers["content-type"] == expected.get(name.rpartition(".")[2], plain.headers["content-type"])


SCRIPT = """/** What it owns. */
import { a } from "./a.js";
/**
 * What comes next.
 *
 * @param {string} b
 */
export function c(b) {
  /** @type {HTMLElement} */ (b).focus(); /** beside code */
  const d = /** @type {number} */ (e);
  /* not one */
  return `
/** of a text
  */`;
}
"""


def test_documentation_is_left_out_and_code_is_not() -> None:
    sent = without_documentation(SCRIPT).splitlines()
    assert len(sent) == len(SCRIPT.splitlines())
    assert [n for n, line in enumerate(sent) if not line] == [0, 2, 3, 4, 5, 6]
    assert [line for line in sent if line] == SCRIPT.splitlines()[1:2] + SCRIPT.splitlines()[7:]


def test_what_packing_shortens_is_packed_once_and_named_differently(client: TestClient) -> None:
    plain, packed = (
        client.get("/static/app.js", headers=headers) for headers in (PLAIN, {"Accept-Encoding": "br, gzip"})
    )
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) < 0.9 * int(plain.headers["content-length"])
    assert packed.headers["etag"] != plain.headers["etag"]
    assert packed.headers["vary"] == plain.headers["vary"] == "Accept-Encoding"
    body = page_files()["app.js"].packed
    assert body is not None
    assert gzip.decompress(body) == plain.content


@pytest.mark.parametrize("path", ["/", "/static/style.css"])
@pytest.mark.parametrize("form", ["{}", "W/{}", '"another", {}', "*"])
def test_what_a_browser_has_is_not_sent_again(client: TestClient, path: str, form: str) -> None:
    first = client.get(path, headers=BROWSER)
    again = client.get(path, headers={**BROWSER, "If-None-Match": form.format(first.headers["etag"])})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    replaced = {name: value for name, value in again.headers.items() if name not in ("x-request-id", "content-length")}
    assert replaced.items() <= first.headers.items()  # a browser keeps the newest of each
    other = client.get(path, headers={**BROWSER, "If-None-Match": '"another"'})
    assert (other.status_code, other.content) == (200, first.content)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with serving(load, ServeSettings(api_key="the key")) as url:
        yield urlsplit(url).netloc


def test_a_head_has_no_body_and_the_same_header(address: str) -> None:
    for path in ("/", "/static/icon.svg"):
        headers = []
        for method in ("GET", "HEAD"):
            with closing(http.client.HTTPConnection(address, timeout=20)) as connection:
                connection.request(method, path, headers=BROWSER)
                answer = connection.getresponse()
                body = answer.read()
                assert (answer.status, bool(body)) == (200, method == "GET")
                headers.append({name: answer.headers[name] for name in ("etag", "content-length", "content-type")})
        assert headers[0] == headers[1]


@pytest.mark.parametrize(
    "path",
    [
        "/static/", "/static/nothing.js", "/static/index.html", "/static/jsconfig.json", "/static/vendor",
        "/static/vendor/lit-html.d.ts", "/static/../guard.py", "/static/%2e%2e/guard.py", "/static/..%2fguard.py",
        "/static/vendor/../app.js", "/static//app.js", "/static/./app.js", "/static//etc/passwd",
        "/static/%2fetc%2fpasswd", "/static/app.js%00", "/static/app.js/", "/static/APP.JS", "/static/..%5capp.js",
        "/static/../v1/info", "/static/%2e%2e/v1/info",
    ],
)  # fmt: skip
def test_no_path_leads_out_of_the_files(address: str, path: str) -> None:
    with closing(http.client.HTTPConnection(address, timeout=20)) as connection:
        connection.request("GET", path)  # unlike other clients it sends a path as it is
        answer = connection.getresponse()
        assert (answer.status, b'"not_found"' in answer.read()) == (404, True)


def test_the_files_of_the_type_checker_are_none_of_the_page() -> None:
    assert not [name for name in page_files() if name.endswith((".d.ts", ".json"))]
    assert {"vendor/lit-html.LICENSE", "vendor/signals-core.LICENSE"} <= page_files().keys()


def test_without_a_page_there_is_a_line_and_nothing_else() -> None:
    with squares_client(ServeSettings(page=False)) as client:
        assert client.get("/", headers=BROWSER).headers["content-type"].startswith("text/plain")
        for answer in (client.get("/static/app.js"), client.post("/session", json={"key": "a"})):
            assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
    with squares_client(ServeSettings(page=False, api_key="the key")) as client:
        assert client.get("/", headers=BROWSER).status_code == client.get("/static/app.js").status_code == 401


def test_the_sample_is_a_small_picture_whose_distances_are_known_in_metres(client: TestClient) -> None:
    sample = client.get("/static/sample.webp")
    assert (sample.headers["content-type"], "content-encoding" in sample.headers) == ("image/webp", False)
    assert len(sample.content) < 25_000
    with load() as model, model.open(sample.content) as scene:
        assert (scene.size, scene.focal_px) == ((320, 256), pytest.approx(379, abs=1))
