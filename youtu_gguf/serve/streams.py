"""Answers that come in pieces: server-sent events, or lines of JSON."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from youtu_gguf.serve.calls import hang_up

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
        ping_s: Silence after which it is.
    """

    def __init__(
        self,
        chunks: AsyncGenerator[bytes, None],
        media_type: str = EVENT_STREAM,
        ping: bytes = b": ping\n\n",
        ping_s: float = PING_S,
    ) -> None:
        self.chunks, self.ping, self.ping_s = chunks, ping, ping_s
        self.status_code, self.media_type, self.background = 200, media_type, None
        self.body = b""
        self.init_headers({"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._turn = asyncio.Lock()  # one message after the other: a client that does not read holds up all of them
        self._sent_at = time.monotonic()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Send the answer."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        sending = asyncio.ensure_future(self._send(send))
        others = [asyncio.ensure_future(hang_up(receive))]
        others += [asyncio.ensure_future(self._send_pings(send))] if self.ping else []
        try:
            await asyncio.wait((sending, others[0]), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, *others):
                task.cancel()
            for task in (*others, sending):
                with contextlib.suppress(asyncio.CancelledError, OSError):
                    await task

    async def _send(self, send: Send) -> None:
        async with contextlib.aclosing(self.chunks):
            async for chunk in self.chunks:
                async with self._turn:
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
                self._sent_at = time.monotonic()
        await self._turn.acquire()  # and never released: no ping comes after the end
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send_pings(self, send: Send) -> None:
        while True:
            left_s = self._sent_at + self.ping_s - time.monotonic()
            if left_s > 0:
                await asyncio.sleep(left_s)
                continue
            async with self._turn:
                await send({"type": "http.response.body", "body": self.ping, "more_body": True})
            self._sent_at = time.monotonic()
