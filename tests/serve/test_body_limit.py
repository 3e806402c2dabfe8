"""Bodies that are too long, too slow, or too many, as a server gets them from sockets."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from tests.serve.conftest import serving
from tests.serve.squares import load
from youtu_gguf.serve.body_limit import BodyLimit
from youtu_gguf.serve.errors import ApiError
from youtu_gguf.serve.settings import ServeSettings

MOST = 100_000
HEAD = b"POST /v1/images HTTP/1.1\r\nHost: localhost\r\n"


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with serving(load, ServeSettings(max_body=MOST)) as url:
        yield int(url.rpartition(":")[2])


def exchange(port: int, *parts: bytes, pause_s: float = 0.0) -> tuple[int, dict[str, Any], float]:
    """Send `parts`; return the status and JSON of the answer, and the seconds until the connection was closed."""
    with closing(socket.create_connection(("127.0.0.1", port), timeout=15)) as connection:
        began = time.monotonic()
        for part in parts:
            connection.sendall(part)
            time.sleep(pause_s)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
        head, _, body = answer.partition(b"\r\n\r\n")
        return int(head.split()[1]), json.loads(body), time.monotonic() - began


def test_a_length_above_the_limit_is_refused_before_the_body_is_sent(port: int) -> None:
    status, body, seconds = exchange(port, HEAD + b"Content-Type: image/png\r\nContent-Length: 100001\r\n\r\n")
    assert (status, body["error"]["code"]) == (413, "payload_too_large")
    assert seconds < 5


def test_the_whole_of_a_long_body_may_be_sent_before_the_answer_is_read(port: int) -> None:
    sent = HEAD + b"Content-Type: image/png\r\nContent-Length: 3000000\r\n\r\n", bytes(3_000_000)
    status, _, seconds = exchange(port, *sent)
    assert status == 413
    assert seconds < 1


def test_chunks_without_a_length_are_counted_and_an_endless_body_ends(port: int) -> None:
    chunk = b"10000\r\n" + bytes(0x10000) + b"\r\n"
    sent = HEAD + b"Content-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\n", chunk, chunk
    status, body, seconds = exchange(port, *sent)
    assert (status, body["error"]["code"]) == (413, "payload_too_large")
    assert seconds < 5  # the last chunk never comes


def test_an_error_before_the_body_was_read_ends_the_connection(port: int) -> None:
    for head in (HEAD.replace(b"/v1/images", b"/nothing"), HEAD.replace(b"localhost", b"evil")):
        status, _, seconds = exchange(port, head + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
        assert status in (403, 404)
        assert seconds < 5


def test_a_body_that_ends_early_is_a_client_that_is_gone_and_no_failure(
    port: int, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(socket.create_connection(("127.0.0.1", port), timeout=15)) as connection:
        connection.sendall(HEAD + b"Content-Type: image/png\r\nContent-Length: 5000\r\n\r\nabc")
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(65536) == b""
    time.sleep(0.05)
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


SHAPES = {
    "two lengths": b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    "length of a word": b"Content-Length: three\r\n\r\nabc",
    "negative length": b"Content-Length: -1\r\n\r\nabc",
    "length with a sign": b"Content-Length: +3\r\n\r\nabc",
    "length of 5,000 digits": b"Content-Length: " + b"9" * 5000 + b"\r\n\r\nabc",
    "unknown coding": b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunked twice": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "hidden coding": b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "size of a chunk in words": b"Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n",
    "size of a chunk below zero": b"Transfer-Encoding: chunked\r\n\r\n-3\r\nabc\r\n0\r\n\r\n",
    "folded header": b"X-A: b\r\n c: d\r\nContent-Length: 0\r\n\r\n",
    "space before the colon": b"Content-Length : 3\r\n\r\nabc",
    "no name": b": a\r\nContent-Length: 0\r\n\r\n",
    "null in a header": b"X-A: a\0b\r\nContent-Length: 0\r\n\r\n",
    "bare carriage return": b"X-A: a\rContent-Length: 5\r\n\r\n",
    "long header": b"X-A: " + b"a" * 200_000 + b"\r\n\r\n",
}


def answers_to(port: int, sent: bytes) -> bytes:
    """Return all that is answered until the connection is closed."""
    answer = b""
    with closing(socket.create_connection(("127.0.0.1", port), timeout=15)) as connection:
        connection.sendall(sent)
        try:
            while chunk := connection.recv(65536):
                answer += chunk
        except ConnectionError:
            pass
    return answer


@pytest.mark.parametrize("shape", SHAPES)
def test_requests_that_two_servers_would_read_differently_are_refused(port: int, shape: str) -> None:
    answer = answers_to(port, HEAD + b"Connection: close\r\nContent-Type: image/png\r\n" + SHAPES[shape])
    assert answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 501")) or not answer, answer[:200]
    assert answer.count(b"HTTP/1.1 ") <= 1


@pytest.mark.parametrize("path", [b"/v1/images", b"/nothing"])
def test_a_length_beside_chunks_never_makes_two_requests_of_one(port: int, path: bytes) -> None:
    smuggled = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    both = b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"
    head = HEAD.replace(b"/v1/images", path) + b"Content-Type: image/png\r\n"
    answer = answers_to(port, head + both + b"\r\n0\r\n\r\n" + smuggled)
    assert answer.startswith(b"HTTP/1.1 4")
    assert answer.count(b"HTTP/1.1 ") == 1


async def asked(limit: BodyLimit, *parts: bytes, every_s: float = 0.0) -> None:
    """Let `limit` receive a request without a length."""
    coming = list(parts)

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(every_s)
        return {"type": "http.request", "body": coming.pop(0), "more_body": bool(coming)}

    async def send(message: Any) -> None:
        pass

    scope = {"type": "http", "headers": [(b"transfer-encoding", b"chunked")]}
    await limit(scope, receive, send)


async def reading(scope: Any, receive: Any, send: Any) -> None:
    while (await receive())["more_body"]:
        pass


async def held(scope: Any, receive: Any, send: Any) -> None:
    await reading(scope, receive, send)
    await asyncio.Event().wait()


def test_a_body_that_comes_too_slowly_is_given_up() -> None:
    with pytest.raises(ApiError) as caught:
        asyncio.run(asked(BodyLimit(reading, 1000, grace_s=0.05), *[b"a"] * 100, every_s=0.02))
    assert caught.value.status == 408


def test_a_body_that_comes_at_a_good_rate_may_take_longer_than_that() -> None:
    limit = BodyLimit(reading, 1 << 20, grace_s=0.05)
    asyncio.run(asked(limit, *[bytes(8 << 10)] * 8, every_s=0.02))


def test_all_bodies_together_are_bounded_and_counted_until_their_requests_end() -> None:
    async def run() -> list[str]:
        limit = BodyLimit(held, 60, pending=100)
        holders = [asyncio.ensure_future(asked(limit, bytes(40))) for _ in range(2)]
        await asyncio.sleep(0.01)
        codes = []
        for _ in range(2):
            with pytest.raises(ApiError) as caught:
                await asked(limit, bytes(30))
            codes.append(caught.value.code)
        holders[0].cancel()
        await asyncio.sleep(0.01)
        with pytest.raises(TimeoutError):  # it is taken now, and held
            await asyncio.wait_for(asked(limit, bytes(30)), 0.02)
        holders[1].cancel()
        await asyncio.gather(*holders, return_exceptions=True)
        return codes

    assert asyncio.run(run()) == ["queue_full"] * 2
