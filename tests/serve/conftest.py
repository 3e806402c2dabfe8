"""A server of ours in a thread, at a loopback address, for clients that know nothing of it but the address."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager

import pytest
import uvicorn

import youtu_gguf as yg
from youtu_gguf.serve.app import create_app
from youtu_gguf.serve.settings import ServeSettings

ServeApp = Callable[..., str]
"""`serve_app(load, settings)`: start a server and return its address, such as `http://127.0.0.1:40123`."""

_LONGEST_WAIT_S = 60.0


@pytest.fixture
def serve_app() -> Iterator[ServeApp]:
    """Start servers, each closed at the end of the test."""
    with ExitStack() as servers:

        def start(load: Callable[[], yg.Model], settings: ServeSettings | None = None) -> str:
            return servers.enter_context(serving(load, settings))

        yield start


@contextmanager
def serving(load: Callable[[], yg.Model], settings: ServeSettings | None = None) -> Iterator[str]:
    """Give the address of a server that is ready, or has failed to load; it is stopped when the `with` block ends.

    Args:
        load: Loads the model.
        settings: How it is run. Host and port are those of the thread's own socket.
    """
    # The protocol is named: otherwise asyncio leaves Nagle's algorithm on, and answers wait 40 ms for acknowledgements.
    with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        config = uvicorn.Config(
            create_app(load, settings), log_config=None, access_log=False, ws="none", timeout_graceful_shutdown=5
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listener],), name="uvicorn")
        thread.start()
        try:
            port = listener.getsockname()[1]
            _wait_loaded(port)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.should_exit = True
            thread.join(_LONGEST_WAIT_S)
            assert not thread.is_alive(), "the server did not stop"


def _wait_loaded(port: int) -> None:
    deadline = time.monotonic() + _LONGEST_WAIT_S
    while _loading(port):
        assert time.monotonic() < deadline, "the server did not load its model"
        time.sleep(0.01)


def _loading(port: int) -> bool:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=_LONGEST_WAIT_S)) as connection:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        body = answer.read()
    return b'"loading"' in body
