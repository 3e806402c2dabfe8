"""Connections on which no request begins, or one begins byte by byte."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from typing import ClassVar

import pytest
import uvicorn

from tests.serve.squares import load
from youtu_gguf.serve.app import create_app
from youtu_gguf.serve.slow_headers import TimedProtocol

LIMIT_S = 0.3
REQUEST = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Impatient(TimedProtocol):
    header_s: ClassVar[float] = LIMIT_S


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        config = uvicorn.Config(create_app(load), http=Impatient, log_config=None, ws="none")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        yield listener.getsockname()[1]
        server.should_exit = True
        thread.join(30)
        assert not thread.is_alive()


def seconds_open(port: int, *parts: bytes, every_s: float = 0.0) -> tuple[float, bytes]:
    """Send `parts`; return for how long the connection was open, and what was answered."""
    with closing(socket.create_connection(("127.0.0.1", port), timeout=5)) as connection:
        began, answer = time.monotonic(), b""
        connection.settimeout(0.005)
        coming = list(parts)
        while time.monotonic() - began < 5:
            try:
                if coming:
                    connection.sendall(coming.pop(0))
                    time.sleep(every_s)
                chunk = connection.recv(65536)
                if not chunk:
                    break
                answer += chunk
            except TimeoutError:
                continue
            except ConnectionError:
                break
        return time.monotonic() - began, answer


def test_a_connection_on_which_nothing_comes_is_closed(port: int) -> None:
    seconds, answer = seconds_open(port)
    assert LIMIT_S * 0.9 < seconds < 2
    assert answer == b""


def test_a_header_that_comes_byte_by_byte_is_not_waited_for(port: int) -> None:
    seconds, answer = seconds_open(port, *(REQUEST[at : at + 1] for at in range(len(REQUEST))), every_s=0.05)
    assert LIMIT_S * 0.9 < seconds < 2
    assert answer == b""


def test_a_second_header_on_the_same_connection_is_not_waited_for_either(port: int) -> None:
    slow = (REQUEST[at : at + 1] for at in range(len(REQUEST)))
    seconds, answer = seconds_open(port, REQUEST, *slow, every_s=0.05)
    assert seconds < 2
    assert answer.count(b"HTTP/1.1 200") == 1
    seconds, answer = seconds_open(port, REQUEST + REQUEST[:20])
    assert seconds < 2
    assert answer.count(b"HTTP/1.1 200") == 1


def test_a_connection_that_waits_between_requests_is_kept(port: int) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
        connection.connect()
        own = connection.sock
        for _ in range(3):
            connection.request("GET", "/healthz")
            assert connection.getresponse().read() == b'{"status":"ok"}'
            time.sleep(2 * LIMIT_S)
            assert connection.sock is own
