"""Answers that come in pieces: server-sent events, or lines of JSON."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

PING_S = 15.0
"""Silence after which a comment is sent: proxies end connections on which nothing comes for 30 or 60 seconds."""

EVENT_STREAM = "text/event-stream"
NDJSON = "application/x-ndjson"


def sse(data: object, event: str | None = None) -> bytes:
    """Return a server-sent event whose data is JSON, or `data` itself where it is text."""
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    named = "" if event is None else f"event: {event}\n"
    return f"{named}data: {text}\n\n".encode()


def line(data: dict[str, Any]) -> bytes:
    """Return a line of JSON."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


class PieceResponse(Response):
    """Sends chunks as they come. A client that hangs up closes `chunks`, which cancels the work behind them.

    Args:
        chunks: What to send; it must not raise: errors are chunks too.
        media_type: `EVENT_STREAM` or `NDJSON`.
        ping: Sent at silence; b"" sends nothing.
    """

    def __init__(
        self, chunks: AsyncGenerator[bytes, None], media_type: str = EVENT_STREAM, ping: bytes = b": ping\n\n"
    ) -> None:
        self.chunks, self.ping = chunks, ping
        self.status_code, self.media_type, self.background = 200, media_type, None
        self.body = b""
        self.init_headers({"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Send the answer."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        sending = asyncio.ensure_future(self._send(send))
        gone = asyncio.ensure_future(_hang_up(receive))
        try:
            await asyncio.wait((sending, gone), return_when=asyncio.FIRST_COMPLETED)
        finally:
            sending.cancel()
            gone.cancel()
            for task in (gone, sending):
                with contextlib.suppress(asyncio.CancelledError, OSError):
                    await task

    async def _send(self, send: Send) -> None:
        async with contextlib.aclosing(self.chunks), contextlib.aclosing(_with_pings(self.chunks, self.ping)) as pinged:
            async for chunk in pinged:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _hang_up(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _with_pings(chunks: AsyncGenerator[bytes, None], ping: bytes) -> AsyncGenerator[bytes, None]:
    """Yield `chunks`, and `ping` after each time of silence."""
    following = asyncio.ensure_future(anext(chunks, None))
    try:
        while True:
            await asyncio.wait((following,), timeout=PING_S if ping else None)
            if not following.done():
                yield ping
                continue
            chunk = following.result()
            if chunk is None:
                return
            following = asyncio.ensure_future(anext(chunks, None))
            yield chunk
    finally:
        following.cancel()
        with contextlib.suppress(asyncio.CancelledError, StopAsyncIteration):
            await following
