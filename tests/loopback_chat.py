"""A small OpenAI-compatible server on the loopback address, which answers well, or badly in many ways, as told."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

EVENTS = "text/event-stream"
IMAGE_TOKENS = 6
"""Of a picture of 64x96 pixels."""


def event(data: object) -> bytes:
    return b"data: " + (data if isinstance(data, bytes) else json.dumps(data).encode()) + b"\n\n"


def words(text: str, **more: Any) -> bytes:
    return event({"choices": [{"index": 0, "delta": {"content": text}, **more}]})


def finish(reason: str = "stop", *, prompt_tokens: int = IMAGE_TOKENS + 20, completion_tokens: int = 3) -> bytes:
    usage = {"prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens}
    return (
        event({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
        + event({"choices": [], "usage": usage})
        + event(b"[DONE]")
    )


GOOD = words("two ") + words("words") + finish()


@dataclass(frozen=True)
class Reply:
    """What is sent for a request.

    Attributes:
        body: Bytes, sent as one chunk each where there are several.
        status: Of HTTP.
        kind: Content type.
        headers: Further headers.
        broken: Whether the connection is cut after the body.
        silent: Whether nothing more comes, nor the end, until the server stops.
    """

    body: tuple[bytes, ...] = (GOOD,)
    status: int = 200
    kind: str = EVENTS
    headers: dict[str, str] = field(default_factory=dict)
    broken: bool = False
    silent: bool = False


@dataclass
class Chat:
    """What the server does, and what was asked of it.

    Attributes:
        replies: To the next requests, one after the other; when there is one left, it is for all that come.
        models: What /models gives, with the status `models_status`.
        bodies: The JSON of every request.
        keys: The authorization of every request.
        hung_up: Set when a client has gone before the end of an answer.
        stop: Wakes whatever is silent.
    """

    replies: list[Reply] = field(default_factory=lambda: [Reply()])
    models: object = field(default_factory=lambda: {"data": [{"id": "the-model"}]})
    models_status: int = 200
    bodies: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    hung_up: threading.Event = field(default_factory=threading.Event)
    stop: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    def next(self) -> Reply:
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]


def _handler(chat: Chat) -> Callable[..., BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            chat.keys.append(self.headers["Authorization"])
            data = json.dumps(chat.models).encode()
            self.send_response(chat.models_status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_POST(self) -> None:
            chat.keys.append(self.headers["Authorization"])
            chat.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            reply = chat.next()
            self.close_connection = True
            try:
                self.send_response(reply.status)
                self.send_header("Content-Type", reply.kind)
                self.send_header("Transfer-Encoding", "chunked")
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                for part in reply.body:
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
                    self.wfile.flush()
                if reply.silent:
                    self._wait()
                if not reply.broken:
                    self.wfile.write(b"0\r\n\r\n")
            except OSError:  # it has gone while this was written
                chat.hung_up.set()

        def _wait(self) -> None:
            self.connection.settimeout(0.02)
            while not chat.stop.is_set():
                with suppress(TimeoutError):
                    if not self.connection.recv(1):
                        chat.hung_up.set()
                        return

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@contextmanager
def serving(chat: Chat) -> Iterator[Chat]:
    """Serve until left; `chat.url` is the address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(chat))
    server.daemon_threads = True
    chat.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield chat
    finally:
        chat.stop.set()
        server.shutdown()
        server.server_close()
        thread.join()
