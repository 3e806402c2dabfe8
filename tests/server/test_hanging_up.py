"""Hanging up on a request: it ends at once, however far it has come, and the server sees that no one waits any more."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress

import numpy as np
import pytest

import youtu_gguf as yg
from tests.loopback_chat import EVENTS, words
from youtu_gguf.engines.http.transport import Address, Hangup, stream_events

LIMIT_S = 0.5
"""Longest that a request may take to end once it is hung up on."""

HEADERS = f"HTTP/1.1 200 OK\r\nContent-Type: {EVENTS}\r\n".encode()
CHUNKED = HEADERS + b"Transfer-Encoding: chunked\r\n\r\n"
EVENT = words("two ")

PHASES = {
    "waiting for headers": b"",
    "in the middle of the headers": HEADERS,
    "before the first event": CHUNKED,
    "between two events": CHUNKED + b"%x\r\n%s\r\n" % (len(EVENT), EVENT),
    "in the middle of a chunk": CHUNKED + b"%x\r\n%s" % (len(EVENT) + 1, EVENT),
    "in the middle of an answer that ends with the connection": HEADERS + b"Connection: close\r\n\r\n" + EVENT,
}
"""What the server has sent when it falls silent."""


class Silent:
    """A server that takes one request, sends `start` and then nothing; `saw_end` is set once the client has gone."""

    def __init__(self, start: bytes) -> None:
        self._start = start
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/v1"
        self.asked, self.saw_end = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        with connection:
            received = b""
            while not received.endswith(b"}"):  # of the JSON that is posted
                received += connection.recv(1 << 16)
            connection.sendall(self._start)
            self.asked.set()
            while connection.recv(1 << 16):
                pass
            self.saw_end.set()

    def close(self) -> None:
        self._thread.join(5)
        self._listener.close()


@pytest.fixture
def silent() -> Iterator[Callable[[bytes], Silent]]:
    with ExitStack() as servers:

        def start(sent: bytes) -> Silent:
            server = Silent(sent)
            servers.callback(server.close)
            return server

        yield start


def seconds_to_end(url: str, wait: Callable[[], object]) -> float:
    """Post to `url`, hang up once `wait` returns, and return how long the request then took to end."""
    hangup = Hangup()
    limits = {"connect_s": 5.0, "stall_s": 5.0}
    events = stream_events(Address(url), "/chat/completions", {"model": "x"}, hangup, **limits)
    caller = threading.Thread(target=lambda: list(events))
    caller.start()
    wait()
    time.sleep(0.05)  # for the caller to read what was sent, and wait for more
    started = time.monotonic()
    hangup.hang_up()
    caller.join(10)
    return time.monotonic() - started


@pytest.mark.parametrize("phase", PHASES)
def test_a_request_that_is_hung_up_on_ends_and_the_server_sees_it(
    phase: str, silent: Callable[[bytes], Silent]
) -> None:
    server = silent(PHASES[phase])
    assert seconds_to_end(server.url, server.asked.wait) < LIMIT_S
    assert server.saw_end.wait(LIMIT_S)


def test_a_request_through_a_proxy_is_hung_up_on_too(
    silent: Callable[[bytes], Silent], monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = silent(b"")
    monkeypatch.setenv("http_proxy", proxy.url.removesuffix("/v1"))
    assert seconds_to_end("http://server.invalid/v1", proxy.asked.wait) < LIMIT_S
    assert proxy.saw_end.wait(LIMIT_S)


@pytest.fixture
def full() -> Iterator[socket.socket]:
    """A listening socket that takes no further connection: its queue is full, so that connecting to it blocks."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener, ExitStack() as clients:
        for _ in range(64):
            client = clients.enter_context(socket.socket())
            client.settimeout(0.1)
            try:
                client.connect(listener.getsockname())
            except TimeoutError:
                break
        else:
            pytest.skip("this system queues connections without end")
        yield listener


def test_an_answer_is_cancelled_at_once_while_the_server_does_not_even_accept(full: socket.socket) -> None:
    url = f"http://127.0.0.1:{full.getsockname()[1]}/v1"
    cancel = threading.Event()
    cancelled: list[float] = []

    def hang_up() -> None:
        cancelled.append(time.monotonic())
        cancel.set()

    with yg.load("the-model", engine=url, connect_s=3.0) as model:
        scene = model.open(np.zeros((32, 32, 3), np.uint8))
        threading.Timer(0.3, hang_up).start()
        answer = scene.ask("Why?", cancel=cancel)
        assert time.monotonic() - cancelled[0] < LIMIT_S
    assert answer.finish == "cancelled"


def test_nothing_is_sent_once_a_server_accepts_that_was_hung_up_on(full: socket.socket) -> None:
    url = f"http://127.0.0.1:{full.getsockname()[1]}/v1"
    received: list[bytes] = []

    def accept_all() -> None:
        full.settimeout(2.5)
        while True:
            try:
                connection, _ = full.accept()
            except TimeoutError:
                return
            with connection:
                connection.settimeout(0.5)
                with suppress(TimeoutError):  # one that fills the queue, and is not closed
                    received.append(connection.recv(1 << 16))

    hangup = Hangup()
    events = stream_events(Address(url), "/chat", {"model": "x"}, hangup, connect_s=10.0, stall_s=10.0)
    caller = threading.Thread(target=lambda: list(events))
    caller.start()
    time.sleep(0.2)
    hangup.hang_up()
    accept_all()
    caller.join(10)
    assert received == [b""]
