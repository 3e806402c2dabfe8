"""How much may be sent, and how slowly: bytes are counted as they come, whatever a header says of them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from starlette.datastructures import Headers

from youtu_gguf.serve.errors import ApiError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

PENDING_BYTES = 256 << 20
"""Bodies of all requests in progress."""

GRACE_S, LEAST_BYTES_S = 30.0, 64 << 10
"""A body may take so long, and in addition the time that its bytes take at so many a second."""

LINGER_S = 1.0
"""How long the rest of a body that no one wants is read: a client that is still sending else sees a reset connection
and not the answer."""

_DIGITS = 20
"""Of a length; no body has one with more."""


class BodyLimit:
    """Bounds the bodies of requests.

    What is too long, too slow, or too much for the memory is an error where a route reads the body. Where a route
    answers without having read all of it, the connection is closed after the answer.

    Args:
        app: What is asked.
        most: Longest body, in bytes.
        pending: Most bytes of the bodies of all requests in progress.
        grace_s: Seconds that any body may take.
    """

    def __init__(self, app: ASGIApp, most: int, pending: int = PENDING_BYTES, grace_s: float = GRACE_S) -> None:
        self.app, self._most, self._grace_s = app, most, grace_s
        self._left = max(pending, most)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        body = _Body(self, Headers(scope=scope), receive, send)
        try:
            await self.app(scope, body.receive, body.send)
        finally:
            self._left += body.n_taken

    def check(self, n_bytes: int) -> None:
        """Check the length of one body.

        Raises:
            ApiError: It is too long.
        """
        if n_bytes > self._most:
            raise ApiError(413, "payload_too_large", f"a body may have {self._most} bytes; this one has more.")

    def take(self, n_bytes: int) -> None:
        """Count bytes that are held until their request ends.

        Raises:
            ApiError: All requests hold too many.
        """
        if n_bytes > self._left:
            raise ApiError(
                429, "queue_full", "the requests in progress hold all memory that is meant for them. Ask again soon.",
                retry_after_s=2,
            )  # fmt: skip
        self._left -= n_bytes

    def deadline(self, began: float, n_bytes: int) -> float:
        """Return until when the next part of a body must be there."""
        return began + self._grace_s + n_bytes / LEAST_BYTES_S


class _Body:
    """The body of one request, and its answer."""

    def __init__(self, limit: BodyLimit, headers: Headers, receive: Receive, send: Send) -> None:
        self._limit, self._receive, self._send = limit, receive, send
        length, is_chunked = headers.get("content-length", "0"), "transfer-encoding" in headers
        self._is_twofold = is_chunked and "content-length" in headers
        self._declared = int(length[:_DIGITS]) if length.isascii() and length.isdigit() else 0
        self._ended = not self._declared and not is_chunked
        self._began = asyncio.get_running_loop().time()
        self.n_taken = 0

    async def receive(self) -> Message:
        """Return the next part of it; after the last one, news of the client."""
        if self._ended:
            return await self._receive()
        if self._is_twofold:  # what a proxy takes for its end may be another place
            raise ApiError(400, "invalid_argument", "a body has a Content-Length or a Transfer-Encoding, never both.")
        self._limit.check(self._declared)
        try:
            async with asyncio.timeout_at(self._limit.deadline(self._began, self.n_taken)):
                message = await self._receive()
        except TimeoutError as exc:
            raise ApiError(408, "timeout", "the body came too slowly. Send it again over a faster connection.") from exc
        if message["type"] == "http.request":
            n_bytes = len(message.get("body", b""))
            self._limit.check(self.n_taken + n_bytes)
            self._limit.take(n_bytes)
            self.n_taken += n_bytes
            self._ended = not message.get("more_body", False)
        else:
            self._ended = True
        return message

    async def send(self, message: Message) -> None:
        """Send a part of the answer."""
        if message["type"] == "http.response.start" and not self._ended:
            message["headers"] = [*message.get("headers", ()), (b"connection", b"close")]
        if message["type"] != "http.response.body" or message.get("more_body", False) or self._ended:
            await self._send(message)
            return
        await self._send({**message, "more_body": True})
        await self._linger()
        await self._send({"type": "http.response.body", "body": b""})

    async def _linger(self) -> None:
        """Read the rest of the body for a while."""
        try:
            async with asyncio.timeout(LINGER_S):
                while (message := await self._receive())["type"] == "http.request" and message.get("more_body", False):
                    pass
        except TimeoutError:
            pass
