"""The page's cookie: what begins a session, who may use it, and how it ends."""

from __future__ import annotations

from collections.abc import Iterator
from http.cookies import SimpleCookie
from typing import Any

import pytest
from starlette.datastructures import Headers
from starlette.testclient import TestClient

from tests.serve.squares import PNG, squares_client
from youtu_gguf.serve.session import Session, Ticket
from youtu_gguf.serve.settings import ServeSettings

KEY = "the key"
HOST = "localhost"
OWN = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture
def client() -> Iterator[TestClient]:
    with squares_client(ServeSettings(api_key=KEY, cors_origins=("https://notes.example.org", "null"))) as client:
        yield client


@pytest.fixture
def cookie(client: TestClient) -> str:
    """Begin a session; return its cookie as a request brings it."""
    answer = client.post("/session", json={"key": KEY}, headers={**OWN, "Origin": f"http://{HOST}"})
    assert (answer.status_code, answer.content) == (204, b"")
    client.cookies.clear()
    return str(answer.headers["set-cookie"].partition(";")[0])


def status(client: TestClient, cookie: str, headers: dict[str, str], method: str = "GET", **sent: Any) -> int:
    path = "/v1/info" if method == "GET" else "/v1/images"
    return client.request(method, path, headers={"Cookie": cookie, **headers}, **sent).status_code


def test_the_page_may_all_that_the_key_allows(client: TestClient, cookie: str) -> None:
    assert status(client, cookie, OWN) == 200
    sent = {"content": PNG, "headers": {**OWN, "Origin": f"http://{HOST}", "Content-Type": "image/png"}}
    assert status(client, cookie, sent["headers"], "POST", content=PNG) == 201  # type: ignore[arg-type]


def test_scripts_and_other_sites_do_not_get_the_cookie_and_it_is_not_the_key(client: TestClient) -> None:
    given = client.post("/session", json={"key": KEY}).headers["set-cookie"]
    (morsel,) = SimpleCookie(given).values()
    assert (morsel["path"], morsel["samesite"], morsel["httponly"]) == ("/", "Strict", True)
    assert (morsel["secure"], morsel["domain"], morsel["max-age"], morsel["expires"]) == ("", "", "", "")
    assert len(morsel.value) == 64
    assert KEY not in given


def test_the_cookie_stays_with_https_where_the_browser_speaks_it(client: TestClient) -> None:
    plain, secure = (
        client.post(
            "/session", json={"key": KEY}, headers={"Origin": f"{scheme}://{HOST}", "X-Forwarded-Proto": "https"}
        )
        for scheme in ("http", "https")
    )
    assert "Secure" not in plain.headers["set-cookie"]
    assert "Secure" in secure.headers["set-cookie"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"key": "another"}, 401), ({"key": ""}, 401), ({"key": KEY + " "}, 401), ({"key": "schlüssel"}, 401),
        ({}, 400), ({"key": None}, 400), ({"key": KEY, "more": 1}, 400), ([KEY], 400),
    ],
)  # fmt: skip
def test_what_is_not_the_key_begins_nothing(client: TestClient, body: object, expected: int) -> None:
    answer = client.post("/session", json=body)
    assert answer.status_code == expected
    assert "set-cookie" not in answer.headers
    assert KEY not in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {},  # a program, or a browser that was told to say nothing
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},  # another port of this machine
        {"Sec-Fetch-Site": "cross-site", "Origin": f"http://{HOST}"},
        {"Origin": "https://notes.example.org"},  # which may read answers, with the key
        {"Origin": "null"},
        {"Origin": f"http://{HOST}:9000"},
        {"Origin": f"http://{HOST}.example.org"},
        {"Origin": "https://example.org", "Referer": f"http://{HOST}/"},
        {"Referer": f"http://{HOST}:9000/"},
        {"Referer": f"http://example.org/http://{HOST}/"},
        {"Referer": f"http://example.org?http://{HOST}/"},
    ],
)
def test_the_cookie_counts_in_the_server_s_own_page_alone(
    client: TestClient, cookie: str, headers: dict[str, str]
) -> None:
    assert status(client, cookie, headers) == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "none"},  # an address that was typed
        {"Origin": f"http://{HOST}"},
        {"Referer": f"http://{HOST}/"},  # where browsers do not trust the connection
        {"Referer": f"http://{HOST.upper()}"},
    ],
)
def test_pages_of_the_server_are_known_where_there_is_no_fetch_metadata(
    client: TestClient, cookie: str, headers: dict[str, str]
) -> None:
    assert status(client, cookie, headers) == 200


def test_a_page_elsewhere_may_not_write_with_the_cookie(client: TestClient, cookie: str) -> None:
    for headers in ({"Origin": "https://evil.example.org"}, {"Sec-Fetch-Site": "same-site"}):
        image = {"Content-Type": "image/png"}
        assert status(client, cookie, {**headers, **image}, "POST", content=PNG) == 403
        assert client.post("/session", json={"key": KEY}, headers=headers).status_code == 403


@pytest.mark.parametrize("change", [lambda c: c[:-1], lambda c: f"{c}0", lambda c: f"x{c}", lambda c: f"{c[:-1]}\xe9"])
def test_another_cookie_is_none(client: TestClient, cookie: str, change: Any) -> None:
    headers = [(b"cookie", change(cookie).encode("latin-1")), (b"sec-fetch-site", b"same-origin")]
    assert client.get("/v1/info", headers=headers).status_code == 401


def test_a_session_ends(client: TestClient) -> None:
    assert client.post("/session", json={"key": KEY}).status_code == 204
    assert client.get("/v1/info", headers=OWN).status_code == 200
    assert client.delete("/session", headers=OWN).status_code == 204
    assert client.get("/v1/info", headers=OWN).status_code == 401


def test_a_session_outlives_a_restart_and_not_another_key() -> None:
    def allows(key: str, cookie: str) -> bool:
        return Session(key).allows(Headers({"cookie": cookie, **OWN}), HOST)

    cookie = Session(KEY).begin(secure=False).partition(";")[0]
    assert allows(KEY, cookie)
    assert not allows("another", cookie)
    name, _, value = cookie.partition("=")
    other_name = Session("another").begin(secure=False).partition("=")[0]
    assert other_name != name
    assert not allows("another", f"{other_name}={value}")


def test_a_ticket_stands_for_the_key_once_and_not_for_long() -> None:
    now = 0.0
    ticket, late, none = (Ticket(value, lambda: now) for value in ("once", "late", None))
    assert not ticket.takes("other")
    assert ticket.takes("once")
    assert not ticket.takes("once")
    now = 121.0
    assert not late.takes("late")
    assert not none.takes("")


def test_a_ticket_begins_a_session_that_is_like_any_other() -> None:
    with squares_client(ServeSettings(api_key=KEY, ticket="once")) as client:
        assert client.get("/v1/info", headers={"x-api-key": "once"}).status_code == 401  # it is no key
        answers = [client.post("/session", json={"key": key}) for key in ("once", KEY, "once")]
        assert [answer.status_code for answer in answers] == [204, 204, 401]
        assert answers[0].headers["set-cookie"] == answers[1].headers["set-cookie"]


def test_without_a_key_a_session_is_nothing() -> None:
    with squares_client() as client:
        answer = client.post("/session", json={"key": "any"})
        assert (answer.status_code, "set-cookie" in answer.headers) == (204, False)
