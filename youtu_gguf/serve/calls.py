"""One HTTP request as the server knows it: its id, and who sent it."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from starlette.requests import Request

from youtu_gguf.errors import YoutuError
from youtu_gguf.serve.errors import ApiError

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from youtu_gguf.serve.jobs import Job

LOG = logging.getLogger("youtu_gguf.serve")

REQUEST_ID = "X-Request-Id"


@dataclass
class Call:
    """An HTTP request.

    Attributes:
        id: Names it in the log, in errors, and in `DELETE /v1/requests/{id}`.
        client: Its key or address, for fairness.
        began: When it came, by `time.perf_counter`.
        headers: What is added to the header of its answer.
        status: Status of its answer; 0 before that.
        n_bytes: Bytes of the answer's body so far.
        job: Its work, if it has come to that.
        at_end: Called when it has been answered, or its client is gone, in the event loop's thread.
    """

    client: str
    id: str = field(default_factory=lambda: f"req_{uuid.uuid4().hex}")
    began: float = field(default_factory=time.perf_counter)
    headers: dict[str, str] = field(default_factory=dict)
    status: int = 0
    n_bytes: int = 0
    job: Job[Any] | None = None
    at_end: list[Callable[[], None]] = field(default_factory=list)

    @classmethod
    def of(cls, request: Request) -> Call:
        """Return the call of a request."""
        call: Call = request.scope["youtu.call"]
        return call


class CallMiddleware:
    """Gives every request its `Call`, and its answer the id. Answers errors that no one else has answered.

    Args:
        app: The application inside.
        answer: Makes the answer of an error.
        ended: Called with each request when it has ended.
    """

    def __init__(
        self,
        app: ASGIApp,
        answer: Callable[[Request, Exception], Response],
        ended: Callable[[Call, Scope], None],
    ) -> None:
        self.app, self.answer, self.ended = app, answer, ended

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        address = scope.get("client")
        call = scope["youtu.call"] = Call(client=address[0] if address else "")

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                call.status = message["status"]
                added = {REQUEST_ID: call.id, **call.headers}
                message["headers"] = [
                    *message.get("headers", ()),
                    *((name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in added.items()),
                ]
            else:
                call.n_bytes += len(message.get("body", b""))
            await send(message)

        try:
            await self.app(scope, receive, sending)
        except Exception as exc:
            if not isinstance(exc, YoutuError | ApiError):
                LOG.exception("%s failed", call.id)
            if not call.status:  # else the connection is closed in the middle of the answer
                await self.answer(Request(scope), exc)(scope, receive, sending)
        finally:
            for function in call.at_end:
                function()
            self.ended(call, scope)


async def hang_up(receive: Receive) -> None:
    """Wait until the client of a request hangs up; its body must have been read, which comes by the same way."""
    while (await receive())["type"] != "http.disconnect":
        pass
