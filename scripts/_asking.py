"""A client of `youtu-gguf serve` that costs little: one connection, kept alive, by the standard library alone."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

TIMEOUT_S = 300.0


@dataclass(frozen=True)
class Reply:
    """A whole answer.

    Attributes:
        status: HTTP status.
        headers: Its header, names in lower case.
        body: Its body.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Event:
    """A piece of a streamed answer.

    Attributes:
        name: The event's name; "" where it has none.
        data: Its JSON, or its text where that is none.
        at: When it came, by `time.perf_counter`.
    """

    name: str
    data: Any
    at: float


class RefusedError(Exception):
    """A stream that was answered with an error instead.

    Attributes:
        reply: The answer.
    """

    def __init__(self, reply: Reply) -> None:
        super().__init__(f"{reply.status}: {reply.body[:300]!r}")
        self.reply = reply


class Client:
    """One connection to 127.0.0.1. For one thread; close it, or use it as a context manager."""

    def __init__(self, port: int, key: str | None = None, timeout_s: float = TIMEOUT_S) -> None:
        self._headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
        self._kept = False  # whether the connection has answered before: only then may the server have closed it

    def send(
        self, method: str, path: str, body: object = None, type_: str = "application/json", **headers: str
    ) -> Reply:
        """Return the answer to a request; a body that is not bytes becomes JSON."""
        response = self._request(method, path, body, type_, headers)
        return _reply(response)

    def post(self, path: str, body: object, type_: str = "application/json") -> Any:
        """Return the JSON of a successful answer.

        Raises:
            RefusedError: It is an error.
        """
        reply = self.send("POST", path, body, type_)
        if reply.status >= 400:
            raise RefusedError(reply)
        return reply.json()

    def stream(self, path: str, body: object) -> Iterator[Event]:
        """Yield server-sent events, or lines of JSON, as they come.

        Raises:
            RefusedError: The answer is an error.
        """
        response = self._request("POST", path, body, "application/json", {})
        if response.status >= 400:
            raise RefusedError(_reply(response))
        name = ""
        while text := response.readline():
            at = time.perf_counter()
            line = text.decode().rstrip("\n")
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith(("data: ", "{")):
                yield Event(name, _json(line.removeprefix("data: ")), at)
                name = ""

    def close(self) -> None:
        """Hang up. It may be used again: the next request connects anew."""
        self._connection.close()
        self._kept = False

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _request(
        self, method: str, path: str, body: object, type_: str, headers: Mapping[str, str]
    ) -> http.client.HTTPResponse:
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        given = {**self._headers, **({} if data is None else {"Content-Type": type_}), **headers}
        try:
            self._connection.request(method, path, data, given)
            response = self._connection.getresponse()
        except ConnectionError:  # http.client.RemoteDisconnected is one
            self._connection.close()
            if not self._kept:
                raise
            self._connection.request(method, path, data, given)
            response = self._connection.getresponse()
        self._kept = True
        return response


def form(image: bytes, params: Mapping[str, Any]) -> tuple[bytes, str]:
    """Return the body of a form with an image and JSON parameters, and its media type."""
    boundary = "youtu-gguf-boundary"
    body = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="params"\r\n\r\n{json.dumps(params)}\r\n'
        f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="image"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    ).encode()
    return body + image + f"\r\n--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


def _reply(response: http.client.HTTPResponse) -> Reply:
    return Reply(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
